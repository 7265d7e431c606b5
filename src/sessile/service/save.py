"""Save what a request did to a session that exists: compare, merge, try again."""

from typing import Any

import msgspec

from sessile.core.change import Change, Committed, Conflict
from sessile.core.flow import Flow
from sessile.core.identity import Lock
from sessile.core.intent import Intent
from sessile.core.merge import Delta, merge
from sessile.core.record import Record
from sessile.core.ticket import Key, Ticket
from sessile.core.trail import Trail, extend_trail, pack_trail
from sessile.core.value import Encoded, Instant
from sessile.core.verdict import Verdict, judge
from sessile.errors import LostRace
from sessile.service.events import Dropped, Expired, Locked, Rotated
from sessile.service.opening import ALWAYS, ATTEMPTS, MOVED
from sessile.service.parts import Parts
from sessile.service.unseal import opened
from sessile.service.visit import Visit


class Attempt(msgspec.Struct, frozen=True):
    """One try: the record to build on, and what is still to be done to it.

    Attributes:
        record: the newest record we know of.
        values: its values in plain.
        delta: what this request did, made from the visit's values.
        successor: the ticket to turn to; None when it is not time, or a rival has done it.
        hand_over: the ticket to hand to the client though this commit does not make it.
    """

    record: Record
    values: Encoded
    delta: Delta
    successor: Ticket | None
    hand_over: Ticket | None

    def __repr__(self) -> str:
        return f"<Attempt on {self.record!r}>"


def plan(parts: Parts, visit: Visit, now: Instant, *, turn: bool = True) -> Attempt | None:
    """Return what there is to save; None when nothing was changed and nothing is due.

    Args:
        parts: the collaborators.
        visit: a visit with a record.
        now: the time of the commit.
        turn: whether a ticket that is due is replaced; no where no cookie can be sent.
    """
    record = visit.record
    assert record is not None
    delta = visit.session.delta()
    wanted = visit.session.intent is Intent.ROTATE or (
        visit.turn or (turn and parts.policy.rotation_due(record, now))
    )
    successor = _successor(parts, visit) if wanted else None
    active = not visit.passive and parts.policy.touch_due(record, now)
    if not (delta or active or successor or _owes(visit)):
        return None
    return Attempt(record, visit.stored, delta, successor, visit.hand_over)


def _owes(visit: Visit) -> bool:
    """Tell whether the trail is to have another line."""
    return visit.moved or bool(visit.session.notes)


def save(parts: Parts, visit: Visit, now: Instant, attempt: Attempt | None) -> Flow[Ticket | None]:
    """Carry out a plan; the flow returns the ticket to hand to the client, if there is one.

    A session that ended meanwhile stays ended: the changes are dropped, and an event says so.

    Raises:
        LostRace: rivals changed the session under every one of many attempts.
    """
    if attempt is None:
        return _still_current(parts, visit, now)
    if attempt.record.live_at(now) and not parts.policy.locked(attempt.record, now):
        return _commit(parts, visit, now, attempt)
    return _outlived(parts, visit, now, attempt)


async def _outlived(parts: Parts, visit: Visit, now: Instant, attempt: Attempt) -> Ticket | None:
    """Save what a long request did past its deadline, if somebody else kept its session alive."""
    newest = await parts.store.read(Key(attempt.record.key), ALWAYS)
    if newest is not None and not newest.over:
        key, owner, client = Key(newest.key), newest.owner, visit.client
        if not newest.live_at(now):
            parts.tell(Expired(now, key, owner, client=client))
            newest = None
        elif parts.policy.locked(newest, now):
            parts.tell(Locked(now, key, Lock.IDLE, owner, client=client))
            newest = None
    return await _commit(parts, visit, now, _rebased(parts, visit, now, attempt, newest))


def _successor(parts: Parts, visit: Visit) -> Ticket | None:
    """Return the next ticket, when the client presented the current one."""
    ticket, record = visit.ticket, visit.record
    if ticket is None or record is None or not ticket.proves(record.digest):
        return None  # what follows a predecessor is the current ticket, not a new one
    return ticket.successor(parts.ring.newest)


async def _still_current(parts: Parts, visit: Visit, now: Instant) -> Ticket | None:
    """Return the successor to hand over, if the session it belongs to still lives.

    A late answer must not put a dead ticket over the cookie of a newer login.
    """
    if visit.hand_over is None:
        return None
    record = await parts.store.read(visit.hand_over.key, now)
    return visit.hand_over if record and visit.hand_over.proves(record.digest) else None


async def _commit(
    parts: Parts, visit: Visit, now: Instant, attempt: Attempt | None
) -> Ticket | None:
    """Try until our change stands on the newest record, or the session is gone."""
    for _ in range(ATTEMPTS):
        if attempt is None:
            drop(parts, visit, now)
            visit.record = None
            return None
        change = _draft(parts, visit, now, attempt)
        answer = await parts.store.commit(change)
        if isinstance(answer, Committed):
            return _committed(parts, visit, now, change, attempt)
        newest = answer.current if isinstance(answer, Conflict) else None
        attempt = _rebased(parts, visit, now, attempt, newest)
        if attempt and not (attempt.delta or attempt.successor or _owes(visit)):
            return attempt.hand_over  # the rival's commit has moved the clocks as well
    raise LostRace(visit.session.id, attempts=ATTEMPTS)


def _draft(parts: Parts, visit: Visit, now: Instant, attempt: Attempt) -> Change:
    """Put our delta on top of the record as it is."""
    record = attempt.record
    merged = merge(visit.values, attempt.values, attempt.delta, parts.codec)
    changes: dict[str, Any] = {"version": record.version + 1}
    if not visit.passive:
        changes |= parts.policy.touch(record, now)
    if attempt.successor is not None:
        changes |= {"digest": attempt.successor.digest, "rotated": now, "confirmed": None}
        changes["parent"] = record.digest
    if record.bound and visit.client is not record.client and _follows(parts, visit, record):
        changes["client"] = visit.client
    if _owes(visit):
        changes["past"] = pack_trail(_trail(visit, record, now))
    draft, written = parts.sealer.seal(record, merged.set, merged.removed, **changes)
    return Change(draft, record.version, written, merged.removed)


def _follows(parts: Parts, visit: Visit, record: Record) -> bool:
    """Tell whether the session takes this client for its own from now on."""
    return visit.moved or _at_home(parts, visit, record)


def _at_home(parts: Parts, visit: Visit, record: Record) -> bool:
    """Tell whether this client is the session's own, as far as there is one."""
    return not record.bound or parts.policy.binding.holds(record.client, visit.client)


def _trail(visit: Visit, record: Record, now: Instant) -> Trail:
    moves = visit.moved and record.client != visit.client  # a rival may have told it already
    words = (MOVED, *visit.session.notes) if moves else visit.session.notes
    return extend_trail(record.trail, now, visit.client, *words)


def _committed(
    parts: Parts, visit: Visit, now: Instant, change: Change, attempt: Attempt
) -> Ticket | None:
    visit.record = change.record
    if attempt.successor is not None:
        parts.tell(Rotated(now, Key(change.record.key), client=visit.client))
    return attempt.successor or attempt.hand_over


def _rebased(
    parts: Parts, visit: Visit, now: Instant, attempt: Attempt, newest: Record | None
) -> Attempt | None:
    """Return the attempt on top of a rival's record; None when the session ended.

    A rival that rotated first derived the same successor, so there is nothing left to do but hand
    it over.
    """
    if newest is None or newest.over or parts.policy.locked(newest, now):
        return None
    values = opened(parts, newest, now)
    if values is None:
        return None
    successor, hand_over = attempt.successor, attempt.hand_over
    if visit.ticket is not None:
        verdict, hand_over = judge(visit.ticket, newest, parts.ring, now, parts.policy.grace)
        if verdict not in {Verdict.ACCEPT, Verdict.CONFIRM}:  # no longer ours to turn
            successor = None
        if not _at_home(parts, visit, newest):  # the successor is for the client that it bound
            hand_over = None
        elif newest.bound:
            visit.moved = False  # a rival has noted this client already
    return Attempt(newest, values, attempt.delta, successor, hand_over)


def drop(parts: Parts, visit: Visit, now: Instant) -> bool:
    """Let what a visit did go no further, and tell so. Return whether there was anything."""
    delta = visit.session.delta()
    if delta:
        keys = sorted({*delta.set, *delta.removed, *delta.added})
        key = visit.ticket.key if visit.ticket else None
        parts.tell(Dropped(now, key, tuple(keys), client=visit.client))
    return bool(delta)
