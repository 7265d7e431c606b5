"""Regenerate a session: a login, or a rise of assurance, makes a new one in the place of the old.

The new session has another id and another secret, so that whoever knew those of the old one has
nothing (OWASP: session fixation). Old and new change places as one act of the store.
"""

from contextlib import suppress
from typing import Final

import msgspec

from sessile.core.identity import Intent, Pending
from sessile.core.limit import Limit
from sessile.core.merge import Delta, merge
from sessile.core.record import Record, RecordKind, other_address, tombstone
from sessile.core.ticket import Key, Ticket, retry_ticket
from sessile.core.trail import Trail, extend_trail
from sessile.core.value import Encoded, Instant
from sessile.errors import LostRace, StoreUnavailable, TooManySessions
from sessile.service.context import Context
from sessile.service.devices import note_device
from sessile.service.end import end_one, end_owned, remove_planted
from sessile.service.events import (
    End,
    Ended,
    Event,
    LimitReached,
    LoggedIn,
    LoginBegun,
    Reopened,
    SteppedUp,
)
from sessile.service.new_record import new_record, sweep_sometimes
from sessile.service.open import ATTEMPTS
from sessile.service.save import discard_changes, read_late
from sessile.service.tombstones import follow_tombstones
from sessile.service.transaction import CommitOutcome, Standing, Transaction
from sessile.stores.contract import (
    Capability,
    Full,
    Gone,
    Replaced,
    Replacement,
    ReplaceResult,
)


class _Base(msgspec.Struct, frozen=True):
    """The session that a new one takes the place of, if there is one, and its values in plain.

    Attributes:
        record: the session.
        values: its values.
        lost: whether it is a login whose answer seems to be lost, and that is made once more.
        finished: the id of a login that seems to be lost, where this one has to be finished before
            it can take its place; "" for none.
    """

    record: Record | None
    values: Encoded
    lost: bool = False
    finished: str = ""

    def __repr__(self) -> str:
        return f"<_Base {self.record!r}>"


CONTINUING: Final = frozenset((Intent.STEP_UP, Intent.UNLOCK))
"""What rests on the old session: if that has ended meanwhile, so has this."""


async def regenerate(transaction: Transaction, now: Instant) -> CommitOutcome:
    """Store the new session in the place of the old one, with what rivals wrote into that.

    A session that goes on in a new one takes its end with it: when it was ended meanwhile, what was
    changed is dropped, and there is no session.

    Raises:
        LostRace: rivals changed the old session under every one of many attempts.
        TooManySessions: the owner has enough sessions and the policy refuses more.
    """
    context, state, opened = transaction.context, transaction.state, transaction.opened
    delta = state.values.delta()
    limit, purged = _limit(transaction), False
    base: _Base | None = _Base(opened.record, opened.values)
    outlived, policy = opened.record, context.policy
    if state.intent in CONTINUING and outlived and not policy.lives(outlived, now):
        newest = await read_late(transaction, outlived, now)
        base = _genuine(transaction, newest, now)
    if opened.standing is Standing.STALE and state.intent not in CONTINUING:
        base = await _base_of_retry(transaction, now)
    lost = await _find_lost(transaction, now)
    for _ in range(ATTEMPTS):
        if base is None:
            discard_changes(transaction, now)
            return CommitOutcome(None)
        _note_lost(transaction, base)
        old, retried = base.record, _is_same_login(transaction, base)
        ticket = _ticket(transaction, base.record if retried else None)
        # in plain, so they stand in no local here: a traceback shows locals
        new = _replacement(
            transaction, ticket, delta, now, old=old, theirs=_join_values(base, lost)
        )
        grave = _tombstone(transaction, base, ticket, now, retry=retried)
        result = await context.store.replace(Replacement(new, now, limit, old, grave))
        if isinstance(result, Replaced):
            await _settle(transaction, now, new, old, result)
            if lost is not None:
                with suppress(StoreUnavailable):  # nobody holds it, and it takes no place for long
                    await _end_lost(transaction, lost, now)
            return CommitOutcome(new, ticket)
        if isinstance(result, Full):
            if lost is not None and not purged:
                await _end_lost(transaction, lost, now)
            elif purged or not await remove_planted(context, new.owner or "", now):
                return _refuse(transaction, now, limit)
            purged = True
            continue
        base = await _base_after_rival(transaction, result, base, now)
    raise LostRace(state.key, attempts=ATTEMPTS)


def _join_values(base: _Base, lost: _Base | None) -> Encoded:
    """Return the values of a session, and of the login that was lost on the way to it."""
    return base.values if lost is None else {**lost.values, **base.values}


async def _base_of_retry(transaction: Transaction, now: Instant) -> _Base:
    """Return the login that took this session's place, where the same user logs in once more.

    Its answer was lost, or is on its way: nobody else holds this ticket and has proved as much. So
    what the session held is not lost, and no login is left that no client has a ticket of. If it
    was on its way, its ticket is exchanged for this one's: see ``_is_same_login``. One that was
    presented since has reached its client, and this request is late: it takes a copy.
    """
    context, opened = transaction.context, transaction.opened
    after = opened.login or opened.replaced_by
    record = None if after is None else context.intact(await context.store.read(after))
    record = await follow_tombstones(context, record, logins=True)
    if (
        record is None
        or record.kind is not RecordKind.SESSION
        or not context.policy.lives(record, now)
    ):
        return _Base(None, {})
    values = context.unseal(record, now) if _is_of(transaction, record) else None
    if values is None:
        pending = transaction.state.identity.pending
        finished = pending is not None and pending.user == record.owner and not record.presented
        return _Base(None, {}, finished=record.key if finished else "")
    return _Base(None, values) if record.presented else _Base(record, values, lost=True)


def _note_lost(transaction: Transaction, base: _Base) -> None:
    """Hand on, from one beginning of a login to the next, which login is to be found at its end."""
    pending = transaction.state.identity.pending
    if pending is None:
        return
    before = None if base.record is None else base.record.pending
    known = before.lost if before is not None and before.user == pending.user else ""
    transaction.state.note_lost(base.finished or known)


async def _find_lost(transaction: Transaction, now: Instant) -> _Base | None:
    """Return the login that a half finished one became already, if it is lost and of this user."""
    context, state, record = transaction.context, transaction.state, transaction.opened.record
    if record is None or record.pending is None or not record.pending.lost or not state.inherits:
        return None
    found = context.intact(await context.store.read(Key(record.pending.lost)))
    found = await follow_tombstones(context, found, logins=True)
    if (
        found is None
        or found.kind is not RecordKind.SESSION
        or not context.policy.lives(found, now)
    ):
        return None
    if found.owner is None or found.owner != state.identity.owner or found.presented:
        return None
    values = context.unseal(found, now)
    return None if values is None else _Base(found, values, lost=True)


async def _end_lost(transaction: Transaction, lost: _Base, now: Instant) -> None:
    """End a login that another one has the values of."""
    if lost.record is not None:
        key, owner, client = Key(lost.record.key), lost.record.owner, transaction.client
        await end_one(transaction.context, key, owner, End.LOGIN, now, client=client)


def _is_same_login(transaction: Transaction, base: _Base) -> bool:
    """Tell whether a login that takes a lost one's place proves the same, from the same client.

    Then who receives the lost one's ticket after all may have this one's for it, as the requests of
    one client come in any order. Whoever proved less must not rise by somebody else's login.
    """
    old, who = base.record, transaction.state.identity
    if old is None or not base.lost or old.client != transaction.client:
        return False
    proved, before = _factors(who.pending, who.factors), _factors(old.pending, old.factors)
    return old.owner == who.owner and who.assurance <= old.assurance and proved <= before


def _factors(pending: Pending | None, factors: tuple[str, ...]) -> frozenset[str]:
    return frozenset(factors if pending is None else pending.factors)


def _ticket(transaction: Transaction, retried: Record | None) -> Ticket:
    """Return the new session's ticket; of a login made once more the one that follows the lost."""
    ticket = transaction.state.new_ticket()
    if retried is None:
        return ticket
    secret = transaction.context.ring.newest
    return retry_ticket(ticket.key, Key(retried.key), retried.digest, secret)


def _is_of(transaction: Transaction, record: Record) -> bool:
    """Tell whether a login is of the user of this one, who has proved as much."""
    who = transaction.state.identity
    if record.owner is not None:
        return record.owner == who.owner
    user = who.owner if who.pending is None else who.pending.user
    return record.pending is not None and record.pending.user == user


async def _base_after_rival(
    transaction: Transaction, result: ReplaceResult, before: _Base, now: Instant
) -> _Base | None:
    """Return the old session as a rival left it; None where what rests on it has ended with it.

    A login takes its place where it goes on, by a rival's step-up; where it ended, whoever logs in
    begins anew, with what this request was shown. What rests on the old session does neither: of
    two that continue one session the first one does.
    """
    if transaction.opened.record is None:
        return await _base_of_retry(transaction, now)  # the login has reached its client meanwhile
    context, continues = transaction.context, transaction.state.intent in CONTINUING
    newest = context.newest(result)
    record = newest if continues else await follow_tombstones(context, newest)
    found = _genuine(transaction, record, now)
    if found is not None or continues:
        return found
    old = before.record
    if old is not None and newest is None and not isinstance(result, Gone):
        await context.store.delete(Key(old.key), old.owner)  # forged: nobody could end it otherwise
        context.sealer.forget((old.key,))
    return _Base(None, before.values)


def _genuine(transaction: Transaction, record: Record | None, now: Instant) -> _Base | None:
    """Return a session that is still the one this request came for, with its values."""
    known = transaction.opened.record
    if record is None or known is None or record.kind is not RecordKind.SESSION:
        return None
    if record.owner != known.owner:
        return None
    values = transaction.context.unseal(record, now)
    return None if values is None else _Base(record, values)


def _replacement(
    transaction: Transaction,
    ticket: Ticket,
    delta: Delta,
    now: Instant,
    *,
    old: Record | None,
    theirs: Encoded,
) -> Record:
    """Return the new record, on top of the old one as it is now."""
    context, state = transaction.context, transaction.state
    base, theirs = (transaction.opened.shown, theirs) if state.inherits else ({}, {})
    record = new_record(
        context,
        state,
        ticket,
        now,
        merge_values(context, base, theirs, delta),
        client=transaction.client,
        trail=_trail(transaction, old, now),
        other_address=_other_address(transaction, old),
        continues=old if state.intent in CONTINUING else None,
    )
    if old is None or old is transaction.opened.record or not record.grants:
        return record
    grants = _remaining_grants(record, old, state.purpose)
    return context.sealer.seal(record, {}, frozenset(), grants=grants)[0]


def _other_address(transaction: Transaction, old: Record | None) -> str:
    """Return where the client was before; its owner has just proved that this is the same one.

    That vouches for no place that was new when the ticket was another one.
    """
    if old is None or old.owner != transaction.state.identity.owner or old.moved is not None:
        return ""
    return other_address(old, transaction.client)


def _tombstone(
    transaction: Transaction, base: _Base, ticket: Ticket, now: Instant, *, retry: bool
) -> Record | None:
    """Return the tombstone of the old session, which tells what took its place."""
    old, presented = base.record, transaction.opened.ticket
    if old is None:
        return None
    digest = old.digest if base.lost or presented is None else presented.digest
    login = transaction.state.intent not in CONTINUING
    grave = tombstone(Key(old.key), now, ticket.key, digest, login=login, retry=retry)
    return transaction.context.sealer.prove(grave)


def _limit(transaction: Transaction) -> Limit | None:
    """Return the limit of this login. A session that goes on in another one takes no new place."""
    state = transaction.state
    owner = state.identity.owner
    if owner is None or state.intent in CONTINUING:
        return None
    if Capability.OWNERS not in transaction.context.store.capabilities:
        return None
    return transaction.context.policy.limit_for(owner)


def _refuse(transaction: Transaction, now: Instant, limit: Limit | None) -> CommitOutcome:
    owner = transaction.state.identity.owner or ""
    transaction.context.emit(LimitReached(now, None, owner, client=transaction.client))
    raise TooManySessions(0 if limit is None else limit.number, transaction.state.identity.owner)


async def _settle(
    transaction: Transaction,
    now: Instant,
    new: Record,
    old: Record | None,
    result: Replaced,
) -> None:
    """Tell what happened, and do what a login does besides."""
    context, client = transaction.context, transaction.client
    context.sealer.forget(result.ended if old is None else (*result.ended, old.key))
    for key in result.ended:
        context.emit(Ended(now, key, End.LIMIT, new.owner, client=client))
    if old is not None:
        context.emit(Ended(now, Key(old.key), End.LOGIN, old.owner, client=client))
    context.emit(_event(transaction, new, now))
    if result.rest is not None and new.owner is not None:
        with suppress(StoreUnavailable):  # the login stands; the next one ends what is left
            await end_owned(context, new.owner, End.LIMIT, now, before=result.rest, client=client)
    if transaction.state.intent is Intent.LOGIN:
        await note_device(context, new, now)
    await sweep_sometimes(context, now)


def _event(transaction: Transaction, record: Record, now: Instant) -> Event:
    state, client = transaction.state, transaction.client
    owner, key = record.owner or "", Key(record.key)
    match state.intent:
        case Intent.BEGIN:
            user = "" if record.pending is None else record.pending.user
            return LoginBegun(now, key, user, client=client)
        case Intent.STEP_UP:
            return SteppedUp(now, key, owner, state.purpose, record.assurance, client=client)
        case Intent.UNLOCK:
            return Reopened(now, key, owner, client=client)
        case _:
            device = record.device_name
            return LoggedIn(now, key, owner, record.assurance, device, client=client)


def _trail(transaction: Transaction, old: Record | None, now: Instant) -> Trail:
    state = transaction.state
    before = () if old is None or not state.inherits else old.trail
    return extend_trail(before, now, transaction.client, state.intent.value, *state.notes)


def _remaining_grants(new: Record, old: Record, purpose: str | None) -> dict[str, Instant]:
    """Return the new session's grants without those that a rival has used up in the old one."""
    there = {*old.grants, purpose}
    return {name: until for name, until in new.grants.items() if name in there}


def merge_values(
    context: Context, base: Encoded, theirs: Encoded, delta: Delta
) -> dict[str, bytes]:
    """Return their values with our delta, made from ``base``, merged in.

    Raises:
        SessionTooLarge: together they are more than a session may hold.
    """
    merged = merge(base, theirs, delta, context.codec)
    context.policy.size_limit.check(theirs, merged.set, merged.removed)
    kept = {key: blob for key, blob in theirs.items() if key not in merged.removed}
    return kept | merged.set
