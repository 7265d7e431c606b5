"""Log in: a new session under its owner, the old one ended, and nobody's change lost between."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sessile.core.change import Change, Excess, Full
from sessile.core.intent import Intent
from sessile.core.merge import Delta, merge
from sessile.core.policy import Limit
from sessile.core.record import Record
from sessile.core.ticket import Key, Ticket
from sessile.core.trail import Trail, extend_trail, pack_trail
from sessile.core.value import Encoded, Instant
from sessile.errors import LimitReached, StoreUnavailable
from sessile.service import events
from sessile.service.birth import born, tidy
from sessile.service.devices import introduce
from sessile.service.ending import end_one
from sessile.service.events import End, Event, LoggedIn, LoginBegun, Reopened, SteppedUp
from sessile.service.parts import Parts
from sessile.service.save import drop
from sessile.service.unseal import opened
from sessile.service.visit import Visit

CONTINUING: Final = frozenset((Intent.STEP_UP, Intent.UNLOCK))
"""What rests on the old session: if that has ended meanwhile, so has this."""

STARTING: Final = CONTINUING | {Intent.BEGIN, Intent.LOGIN}
"""What makes a new session."""


async def log_in(parts: Parts, visit: Visit, now: Instant) -> Ticket | None:
    """Carry out what makes a new session, and return its ticket.

    The heir exists before the old session goes; both limits and the index are the store's one act.
    A session that goes on in another one takes its end with it: None, and what was changed is
    dropped, when the old one was ended meanwhile.

    Raises:
        LimitReached: the owner has enough sessions and the policy refuses more.
    """
    session, old = visit.session, visit.record
    continuing, heir = session.intent in CONTINUING, _heir(parts, visit, now)
    await _store(parts, visit, heir.record, now)
    last = None
    if old is not None:
        last = await _end_old(parts, visit, old, heir, now)
        if last is None and continuing:
            await _take_back(parts, visit, heir, now)
            return None
    parts.tell(_told(visit, heir.record, now))
    if old is not None and last is not None:
        await _move_over(parts, visit, heir, last, now)
    if session.intent is Intent.LOGIN:
        await introduce(parts, heir.record, now)
    await tidy(parts, now)
    visit.record, visit.lock = heir.record, None
    return heir.ticket


async def _end_old(
    parts: Parts, visit: Visit, old: Record, heir: "_Heir", now: Instant
) -> Record | None:
    """End the session that the heir replaces. If nobody can tell, there shall be no heir either."""
    goes_on = visit.session.intent in CONTINUING
    try:
        return await end_one(
            parts,
            Key(old.key),
            old.owner,
            End.LOGIN,
            now,
            client=visit.client,
            heir=heir.ticket.key if goes_on else None,
            ticket=visit.ticket,
        )
    except StoreUnavailable:
        with suppress(StoreUnavailable):
            await parts.store.delete(heir.ticket.key, heir.record.owner)
        raise


@dataclass(slots=True)
class _Heir:
    """The session that takes the place of another."""

    ticket: Ticket
    delta: Delta
    record: Record

    def __repr__(self) -> str:
        return f"<heir {self.ticket.key}>"


def _heir(parts: Parts, visit: Visit, now: Instant) -> _Heir:
    session, old = visit.session, visit.record
    ticket, delta = session.fresh(), session.delta()
    base, theirs = (visit.values, visit.stored) if session.inherits else ({}, {})
    record = born(
        parts,
        session,
        ticket,
        now,
        applied(parts, base, theirs, delta),
        client=visit.client,
        trail=_trail(visit, old, now),
        continues=old if session.intent in CONTINUING else None,
    )
    return _Heir(ticket, delta, record)


def _trail(visit: Visit, old: Record | None, now: Instant) -> Trail:
    session = visit.session
    before = () if old is None or not session.inherits else old.trail
    return extend_trail(before, now, visit.client, session.intent.value, *session.notes)


def _told(visit: Visit, record: Record, now: Instant) -> Event:
    session, owner, key = visit.session, record.owner or "", Key(record.key)
    match session.intent:
        case Intent.BEGIN:
            user = "" if record.pending is None else record.pending.user
            return LoginBegun(now, key, user, client=visit.client)
        case Intent.STEP_UP:
            purpose = session.purpose
            return SteppedUp(now, key, owner, purpose, record.assurance, client=visit.client)
        case Intent.UNLOCK:
            return Reopened(now, key, owner, client=visit.client)
        case _:
            device = record.device_name
            return LoggedIn(now, key, owner, record.assurance, device, client=visit.client)


def applied(parts: Parts, base: Encoded, theirs: Encoded, delta: Delta) -> dict[str, bytes]:
    """Return their values with our delta, made from ``base``, merged in."""
    merged = merge(base, theirs, delta, parts.codec)
    kept = {key: blob for key, blob in theirs.items() if key not in merged.removed}
    return kept | merged.set


async def _store(parts: Parts, visit: Visit, record: Record, now: Instant) -> None:
    """Store the heir: for an owner within their limit, and end what is over it."""
    owner = record.owner
    if owner is None:
        await parts.store.create(record)
        return
    limit = _limit(parts, visit, owner)
    claimed = await parts.store.claim(
        record,
        now,
        limit=None if limit is None else limit.number,
        excess=Excess.REFUSE if limit and limit.excess is Excess.REFUSE else Excess.END_OLDEST,
        replacing=None if visit.record is None else Key(visit.record.key),
    )
    if isinstance(claimed, Full):
        parts.tell(events.LimitReached(now, None, owner, client=visit.client))
        raise LimitReached(0 if limit is None else limit.number)
    excess = dict.fromkeys(claimed.excess)
    if excess and limit and limit.excess is Excess.END_OTHERS:
        excess |= dict.fromkeys(await _older(parts, record, visit, now))
    for key in excess:
        await end_one(parts, key, owner, End.LIMIT, now, client=visit.client)


def _limit(parts: Parts, visit: Visit, owner: str) -> Limit | None:
    """Return what limits this login. What goes on in place of another session takes no new one."""
    return None if visit.session.intent in CONTINUING else parts.policy.limit_for(owner)


async def _older(parts: Parts, record: Record, visit: Visit, now: Instant) -> tuple[Key, ...]:
    """Return the owner's sessions that were there before this one, save the one it replaces.

    Of two logins at once the later one so ends the earlier, and neither ends both: one that was
    ended meanwhile ends nobody.
    """
    replaced = "" if visit.record is None else visit.record.key
    older: list[Key] = []
    for other in await parts.store.owned_by(record.owner or "", now):
        if other.key == record.key:
            return tuple(older)
        if other.key != replaced:
            older.append(Key(other.key))
    return ()


async def _take_back(parts: Parts, visit: Visit, heir: _Heir, now: Instant) -> None:
    """Take back an heir whose predecessor was ended: nobody holds its ticket yet."""
    await parts.store.delete(heir.ticket.key, heir.record.owner)
    drop(parts, visit, now)
    visit.record = visit.lock = None


async def _move_over(parts: Parts, visit: Visit, heir: _Heir, last: Record, now: Instant) -> None:
    """Give the heir what rivals wrote into the old session before its end.

    Nobody holds the heir's ticket yet, so only its end could interfere.
    """
    old = visit.record
    if old is None or last.version == old.version or not visit.session.inherits:
        return
    theirs = opened(parts, last, now)
    if theirs is None:
        return
    values = applied(parts, visit.values, theirs, heir.delta)
    record = heir.record
    gone = frozenset(record.data) - values.keys()
    draft, written = parts.sealer.seal(
        record,
        values,
        gone,
        version=record.version + 1,
        grants=_unspent(record, last, visit.session.purpose),
        past=pack_trail(_trail(visit, last, now)),
    )
    await parts.store.commit(Change(draft, record.version, written, gone))
    heir.record = draft


def _unspent(heir: Record, last: Record, purpose: str | None) -> dict[str, Instant]:
    """Return the heir's grants without those that a rival spent before the old session's end."""
    kept = {*last.grants, purpose}
    return {name: until for name, until in heir.grants.items() if name in kept}
