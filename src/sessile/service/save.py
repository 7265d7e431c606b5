"""Save what a request did to a session that exists: compare, merge, try again."""

from typing import Any, Final

import msgspec

from sessile.core.changes import UNCHANGED
from sessile.core.flow import Flow
from sessile.core.identity import Intent, Lock
from sessile.core.merge import Delta, merge
from sessile.core.record import Record, RecordKind, other_address
from sessile.core.ticket import Key, Ticket
from sessile.core.trail import CLIENT_CHANGED, Trail, extend_trail, pack_trail
from sessile.core.value import Encoded, Instant
from sessile.core.verdict import Verdict, confirmations, judge
from sessile.errors import LostRace
from sessile.service.context import Context
from sessile.service.events import Dropped, Expired, Locked, Rotated
from sessile.service.open import ATTEMPTS
from sessile.service.owned import gather_owned
from sessile.service.shadows import SHADOWING, warn_of_shadows
from sessile.service.tombstones import follow_tombstones
from sessile.service.transaction import CommitOutcome, Transaction
from sessile.stores.contract import Capability, Change, Committed, Corrupt

_ROTATE: Final = Intent.ROTATE


class Attempt(msgspec.Struct, frozen=True):
    """One try: the record to build on, and what is still to be done to it.

    Attributes:
        record: the newest record we know of.
        values: its values in plain.
        delta: what this request did, made from the values that it was shown.
        successor: the next ticket; None when it is not time, or a rival has rotated already.
        reissue: the ticket to hand to the client though this commit does not make it.
        client_changed: whether the session's new client is to be written down.
    """

    record: Record
    values: Encoded
    delta: Delta
    successor: Ticket | None
    reissue: Ticket | None
    client_changed: bool

    def __repr__(self) -> str:
        return f"<Attempt on {self.record!r}>"


def plan(
    transaction: Transaction, now: Instant, *, rotate: bool = True, note_client: bool = True
) -> Attempt | None:
    """Return the first attempt; None when nothing was changed and nothing is due.

    Args:
        transaction: one with a record.
        now: the time of the commit.
        rotate: whether a ticket that is due is replaced; no where no cookie can be sent.
        note_client: whether a new client is written down.
    """
    opened, state, policy = transaction.opened, transaction.state, transaction.context.policy
    record = opened.record
    assert record is not None
    delta = state.values.delta()
    if opened.unrotated and opened.rotate_now:  # such a client waits for a request that can turn it
        note_client = False
    wanted = not opened.unrotated and (
        (note_client and opened.rotate_now)
        or state.intent is _ROTATE
        or (rotate and policy.rotation_due(record, now))
    )
    successor = _successor(transaction) if wanted else None
    moved = note_client and opened.client_changed
    is_due = policy.use_due if transaction.passive else policy.touch_due
    active = is_due(record, now)
    if delta is UNCHANGED and not (active or successor or moved or state.notes):
        return None
    return Attempt(record, opened.values, delta, successor, opened.reissue, moved)


def save(transaction: Transaction, now: Instant, attempt: Attempt | None) -> Flow[CommitOutcome]:
    """Return the flow that carries out a plan; None is one that only hands over a ticket.

    A session that ended meanwhile stays ended: the changes are dropped, and an event says so. Of
    one that its own user went on from in another, by a step-up, they go into that one.

    Raises:
        LostRace: rivals changed the session under every one of many attempts.
    """
    if attempt is None:
        return _hand_over(transaction, now)
    record = attempt.record
    policy = transaction.context.policy
    if policy.lives(record, now) and not policy.is_locked(record, now):
        return _commit(transaction, now, attempt)
    return _commit_late(transaction, now, attempt)


async def _commit_late(transaction: Transaction, now: Instant, attempt: Attempt) -> CommitOutcome:
    """Save what a long request did past a deadline, if its session is still there to take it.

    The idle time is over, and the request was under way; or somebody else kept it alive.
    """
    context = transaction.context
    newest = await read_late(transaction, attempt.record, now)
    newest = await _follow(transaction, newest, now)
    if newest is not None and context.policy.is_locked(newest, now):
        key, owner, client = Key(newest.key), newest.owner, transaction.client
        lock = Lock.IDLE if newest.replayed is None else Lock.REPLAY
        context.emit(Locked(now, key, lock, owner, client=client))
        newest = None
    is_over = newest is not None and not context.policy.lives(newest, now)
    if newest is not None and is_over and await _is_crowded_out(context, newest):
        newest = None
    return await _commit(transaction, now, _rebase(transaction, now, attempt, newest))


async def _follow(transaction: Transaction, record: Record | None, now: Instant) -> Record | None:
    """Return the session in which a replaced one goes on, if it does, and for its own client alone.

    Another client's request may have been opened with an old ticket, and be held back on purpose.
    Any other record is returned as it is.
    """
    context, opened = transaction.context, transaction.opened.record
    if record is None or record.kind is not RecordKind.TOMBSTONE:
        return record
    record = await follow_tombstones(context, record)
    if record is None or opened is None or not context.policy.lives(record, now):
        return None
    same = record.owner == opened.owner and _matches(transaction, record)
    return record if same else None


async def read_late(transaction: Transaction, outlived: Record, now: Instant) -> Record | None:
    """Read the session that a slow request has outlived.

    None where it is over: it ended, it is as old as may be, or somebody was told that it expired.
    """
    context = transaction.context
    newest = context.intact(await context.store.read(Key(outlived.key)))
    if newest is None or newest.kind is not RecordKind.SESSION or transaction.takes(newest, now):
        return newest
    context.emit(Expired(now, Key(newest.key), newest.owner, client=transaction.client))
    return None


async def _is_crowded_out(context: Context, late: Record) -> bool:
    """Tell whether its user has as many sessions as allowed by now, of which this one was none."""
    limit = None if late.owner is None else context.policy.limit_for(late.owner)
    if late.owner is None or limit is None or Capability.OWNERS not in context.store.capabilities:
        return False
    now = context.clock()

    def pick(found: Record | Corrupt) -> bool | None:
        record = context.intact(found)
        return (record is not None and context.policy.lives(record, now)) or None

    return len(await gather_owned(context, late.owner, pick, limit.number)) >= limit.number


def _successor(transaction: Transaction) -> Ticket | None:
    """Return the next ticket, when the client presented the current one."""
    ticket, record = transaction.opened.ticket, transaction.opened.record
    if ticket is None or record is None or not ticket.proves(record.digest):
        return None  # what follows a predecessor is the current ticket, not a new one
    return ticket.successor(transaction.context.ring.newest)


async def _hand_over(transaction: Transaction, now: Instant) -> CommitOutcome:
    """Save nothing, and hand over the successor if the session it belongs to still lives.

    A late answer must not put a dead ticket over the cookie of a newer login.
    """
    context, opened = transaction.context, transaction.opened
    reissue = opened.reissue
    if reissue is None:
        return CommitOutcome(opened.record)
    record = context.intact(await context.store.read(reissue.key))
    current = (
        record is not None and context.policy.lives(record, now) and reissue.proves(record.digest)
    )
    return CommitOutcome(opened.record, reissue if current else None)


async def _commit(transaction: Transaction, now: Instant, attempt: Attempt | None) -> CommitOutcome:
    """Try until our change stands on the newest record, or the session is gone."""
    context, opened = transaction.context, transaction.opened
    for _ in range(ATTEMPTS):
        if attempt is None:
            discard_changes(transaction, now)
            return CommitOutcome(None)
        change = _draft(transaction, now, attempt)
        result = await context.store.commit(change)
        if isinstance(result, Committed):
            if opened.record is None or attempt.record.key != opened.record.key:
                return CommitOutcome(None)  # saved where it goes on, whose ticket is not ours
            if attempt.successor is not None:
                key = Key(change.record.key)
                context.emit(Rotated(now, key, client=transaction.client))
            return CommitOutcome(change.record, attempt.successor or attempt.reissue)
        newest = await _follow(transaction, context.newest(result), now)
        attempt = _rebase(transaction, now, attempt, newest)
        if attempt and not (
            attempt.delta or attempt.successor or _owes_trail(transaction, attempt)
        ):
            # the rival's commit has moved the clocks as well
            return CommitOutcome(transaction.opened.record, attempt.reissue)
    raise LostRace(transaction.state.key, attempts=ATTEMPTS)


def _owes_trail(transaction: Transaction, attempt: Attempt) -> bool:
    """Tell whether the trail is to have another line."""
    return attempt.client_changed or bool(transaction.state.notes)


def _draft(transaction: Transaction, now: Instant, attempt: Attempt) -> Change:
    """Put our delta on top of the record as it is."""
    context, record = transaction.context, attempt.record
    merged = merge(transaction.opened.shown, attempt.values, attempt.delta, context.codec)
    if not SHADOWING.isdisjoint(merged.set):
        warn_of_shadows(merged.set)
    if attempt.values is not transaction.opened.values:  # a rival's and ours together
        context.policy.size_limit.check(attempt.values, merged.set, merged.removed)
    changes: dict[str, Any] = {"version": record.version + 1}
    if not transaction.passive:
        changes |= context.policy.touch(record, now)
    elif context.policy.use_due(record, now):
        changes["parent"] = b""  # the ticket is in use; the idle clock stands
    if attempt.successor is not None:
        changes |= {"digest": attempt.successor.digest, "rotated": now, "confirmed": None}
        changes["parent"] = record.digest
        changes["confirmed_before"] = confirmations(record, now, context.policy)
        if record.moved is not None and record.moved < record.rotated - context.policy.clock_skew:
            changes["moved"] = None  # who came then has no copy of the ticket that gives way
    if record.bound and _has_new_client(transaction, attempt):
        client = transaction.client
        changes |= {"client": client, "other_address": other_address(record, client)}
    if attempt.client_changed:
        changes["moved"] = now
    if _owes_trail(transaction, attempt):
        changes["past"] = pack_trail(_trail(transaction, attempt, now))
    draft, written = context.sealer.seal(record, merged.set, merged.removed, **changes)
    return Change(draft, record.version, written, merged.removed)


def _has_new_client(transaction: Transaction, attempt: Attempt) -> bool:
    """Tell whether the session takes this client for its own from now on, and did not before."""
    is_another = transaction.client is not attempt.record.client
    return is_another and (attempt.client_changed or _matches(transaction, attempt.record))


def _matches(transaction: Transaction, record: Record) -> bool:
    """Tell whether this client is the session's own, as far as there is one."""
    return not record.bound or _holds(transaction, record, record.other_address)


def _holds(transaction: Transaction, record: Record, other: str) -> bool:
    binding = transaction.context.policy.binding
    return binding.holds(record.client, transaction.client, other)


def _trail(transaction: Transaction, attempt: Attempt, now: Instant) -> Trail:
    record, client, notes = attempt.record, transaction.client, transaction.state.notes
    moves = attempt.client_changed and record.client != client  # a rival may have told it already
    words = (CLIENT_CHANGED, *notes) if moves else notes
    return extend_trail(record.trail, now, client, *words)


def _rebase(
    transaction: Transaction, now: Instant, attempt: Attempt, newest: Record | None
) -> Attempt | None:
    """Return the attempt on top of a rival's record; None when the session ended.

    A rival that rotated first derived the same successor, so there is nothing left to do but hand
    it over.
    """
    context, ticket = transaction.context, transaction.opened.ticket
    if newest is None or newest.kind is not RecordKind.SESSION:
        return None
    if context.policy.is_locked(newest, now) or not transaction.takes(newest, now):
        return None
    values = context.unseal(newest, now)
    if values is None:
        return None
    successor, reissue, moved = attempt.successor, attempt.reissue, attempt.client_changed
    if ticket is not None:
        verdict, reissue, _ = judge(ticket, newest, context.ring, now, context.policy)
        if verdict not in {Verdict.ACCEPT, Verdict.CONFIRM}:  # no longer ours to rotate
            successor = None
        if verdict is not Verdict.HAND_OVER or transaction.opened.unrotated:
            reissue = None  # of what became stale on its way the next request is handed it
        if newest.bound and not _holds(transaction, newest, newest.settled_address):
            reissue = None  # the successor is for the client that it bound
        if newest.bound and _matches(transaction, newest):
            moved = False  # a rival has noted this client already
    return Attempt(newest, values, attempt.delta, successor, reissue, moved)


def discard_changes(transaction: Transaction, now: Instant) -> bool:
    """Let what a request did go no further, and tell so. Return whether there was anything."""
    delta, ticket = transaction.state.values.delta(), transaction.opened.ticket
    if delta:
        keys = sorted({*delta.set, *delta.removed, *delta.added})
        key = ticket.key if ticket else None
        transaction.context.emit(Dropped(now, key, tuple(keys), client=transaction.client))
    return bool(delta)
