"""Open a visit: find the ticket, read the record, act on the verdict. Ends in ``commit``."""

from typing import Final

from sessile.core.binding import Mismatch
from sessile.core.change import Change, Committed, Conflict
from sessile.core.flow import Flow
from sessile.core.identity import Lock
from sessile.core.record import Over, Record, evolve, heir_of
from sessile.core.request import Request
from sessile.core.ticket import Key, NoTicket, Ticket
from sessile.core.trail import extend_trail, has_entry, pack_trail
from sessile.core.value import Encoded, Instant
from sessile.core.verdict import Verdict, judge
from sessile.errors import LostRace
from sessile.service.clients import glimpsed
from sessile.service.events import (
    End,
    Expired,
    Locked,
    Mismatched,
    Refusal,
    Refused,
    Work,
)
from sessile.service.parts import Parts
from sessile.service.theft import end_stolen
from sessile.service.unseal import opened
from sessile.service.visit import Visit
from sessile.service.watch import watched

ATTEMPTS: Final = 128
"""Commits tried before ``LostRace``. Of rivals one always wins, so this many may run at once."""

ALWAYS: Final[Instant] = 0.0
"""Read as of 1970: what has expired is read too, where it is still there, and judged here."""

MOVED: Final = "another client"
TURNED_AWAY: Final = "another client was turned away"
_MOST_TURNED_AWAY: Final = 8  # lines of that kind, so that a thief cannot push out the others


def open_visit(parts: Parts, request: Request, *, passive: bool = False) -> Flow[Visit]:
    """Return the visit of a request.

    Whatever is not the ticket of a live session is an anonymous visitor, never an error.

    Args:
        parts: the collaborators.
        request: what it says.
        passive: whether it counts as no activity, as a poll by a page that nobody looks at.

    Raises:
        StoreUnavailable: the store did not answer, so nobody can say who this is.
    """
    now = parts.clock()
    carrier, found = parts.carriers.find(request)
    visit = Visit(parts, now, request, carrier, passive=passive)
    flow = _open(parts, visit, found)
    return watched(parts, Work.OPEN, request, flow) if parts.heard else flow


async def _open(parts: Parts, visit: Visit, found: str | NoTicket) -> Visit:
    if found is NoTicket.ABSENT:
        visit.carried = False
        return visit.anonymous()
    ticket = None if isinstance(found, NoTicket) else Ticket.parse(found)
    if ticket is None:
        ambiguous = found is NoTicket.AMBIGUOUS
        return _refuse(parts, visit, None, Refusal.AMBIGUOUS if ambiguous else Refusal.SHAPE)
    record = await parts.store.read(ticket.key, ALWAYS)
    for _ in range(ATTEMPTS):
        step = _step(parts, visit, ticket, record)
        if isinstance(step, Visit):
            return step
        if not isinstance(step, Change):
            return await step
        answer = await parts.store.commit(step)
        if isinstance(answer, Committed):
            return visit.opened(step.record, visit.stored)
        record = answer.current if isinstance(answer, Conflict) else None
    raise LostRace(ticket.key, attempts=ATTEMPTS)


def _step(  # noqa: PLR0911  (one return for each thing that may have come)
    parts: Parts, visit: Visit, ticket: Ticket, record: Record | None
) -> Visit | Change | Flow[Visit]:
    """Return the visit; or the commit, or the flow, that it takes to have it."""
    if record is None or not record.live_at(visit.now):
        return _absent(parts, visit, ticket, record)
    values = None if record.over else opened(parts, record, visit.now)
    if values is None:
        return _not_opened(parts, visit, ticket, record)
    verdict, successor = judge(ticket, record, parts.ring, visit.now, parts.policy.grace)
    if verdict is Verdict.ANONYMOUS:
        return _refuse(parts, visit, ticket.key, Refusal.STRANGER)
    visit.ticket, visit.record, visit.stored = ticket, record, values
    if verdict is Verdict.REPLAY:
        return end_stolen(parts, visit, record, End.REPLAY)
    reaction = None
    if record.bound and visit.client is not record.client:
        reaction = _reaction(parts, visit, record, verdict)
        if reaction is Mismatch.END:
            return end_stolen(parts, visit, record, End.MISMATCH)
        if reaction is Mismatch.STEP_UP:
            return _shut(parts, visit, record, values)
    if parts.policy.locked(record, visit.now):
        parts.tell(Locked(visit.now, ticket.key, Lock.IDLE, record.owner, client=visit.client))
        return visit.locked(record, values, Lock.IDLE)
    if verdict is Verdict.CONFIRM:
        return Change(_confirmed(parts, visit, record), record.version)
    known = reaction is None or record.confirmed is None
    visit.hand_over = successor if known else None
    return visit.opened(record, values)


def _reaction(parts: Parts, visit: Visit, record: Record, verdict: Verdict) -> Mismatch | None:
    """Return what is to be done about a client that the session is not bound to; None for its own.

    A login that is half finished does not move: where its owner would have to prove more, there is
    nobody yet who could.
    """
    told, binding = visit.moved, parts.policy.binding
    visit.moved = visit.turn = False
    if binding.holds(record.client, visit.client):
        return None
    reaction = binding.mismatch
    if reaction is Mismatch.STEP_UP:
        return Mismatch.END if record.owner is None else reaction
    if reaction is not Mismatch.END and not parts.policy.locked(record, visit.now):
        newest = verdict is not Verdict.HAND_OVER or record.confirmed is None
        visit.moved, visit.turn = newest, newest and reaction is Mismatch.ROTATE
        if not told:  # a rival's commit makes us look again
            _tell_mismatch(parts, visit, record)
    return reaction


async def _shut(parts: Parts, visit: Visit, record: Record, values: Encoded) -> Visit:
    """Return a locked visit; the first one of its client leaves a line in the trail."""
    parts.tell(Locked(visit.now, Key(record.key), Lock.MISMATCH, record.owner, client=visit.client))
    lines = [line for line in record.trail if line.what == TURNED_AWAY]
    if not has_entry(record.trail, TURNED_AWAY, visit.client) and len(lines) < _MOST_TURNED_AWAY:
        _tell_mismatch(parts, visit, record)
        past = pack_trail(extend_trail(record.trail, visit.now, visit.client, TURNED_AWAY))
        draft, _ = parts.sealer.seal(record, {}, frozenset(), version=record.version + 1, past=past)
        answer = await parts.store.commit(Change(draft, record.version))
        record = draft if isinstance(answer, Committed) else record
    return visit.locked(record, values, Lock.MISMATCH)


def _tell_mismatch(parts: Parts, visit: Visit, record: Record) -> None:
    reaction = parts.policy.binding.mismatch
    key = Key(record.key)
    parts.tell(
        Mismatched(visit.now, key, record.owner, record.client, reaction, client=visit.client)
    )


def _absent(parts: Parts, visit: Visit, ticket: Ticket, record: Record | None) -> Visit:
    """Return the visit of a ticket whose record is not there, or whose time is over."""
    if record is None or record.over or not ticket.proves(record.digest):
        return _refuse(parts, visit, ticket.key, Refusal.UNKNOWN)
    if parts.heard:
        client = glimpsed(parts, visit.request)
        parts.tell(Expired(visit.now, ticket.key, record.owner, client=client))
    return visit.anonymous()


def _not_opened(parts: Parts, visit: Visit, ticket: Ticket, record: Record) -> Visit:
    """Return the visit of a session that is over, or whose record was tampered with."""
    if record.over is Over.NO:
        return visit.anonymous()
    if record.over is not Over.REPLACED:
        return _refuse(parts, visit, ticket.key, Refusal.UNKNOWN)
    visit.heir = heir_of(record) if ticket.proves(record.digest) else None
    return _refuse(parts, visit, ticket.key, Refusal.OVER, late=ticket)


def _refuse(
    parts: Parts, visit: Visit, key: Key | None, reason: Refusal, late: Ticket | None = None
) -> Visit:
    if parts.heard:
        parts.tell(Refused(visit.now, key, reason, client=glimpsed(parts, visit.request)))
    return visit.anonymous(late)


def _confirmed(parts: Parts, visit: Visit, record: Record) -> Record:
    """Note that the client has shown the current ticket: from here on its parent is a replay."""
    seen = evolve(record, version=record.version + 1, confirmed=visit.now)
    return seen if visit.passive else parts.policy.touched(seen, visit.now)
