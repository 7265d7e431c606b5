"""Open a visit: find the ticket, read the record, act on the verdict. Ends in ``commit``."""

from typing import Final

from sessile.codecs.sealed import Forged
from sessile.core.change import Change, Committed, Conflict
from sessile.core.cookie import Presented
from sessile.core.record import Record, evolve
from sessile.core.ticket import Key, Ticket
from sessile.core.value import Encoded, Instant
from sessile.core.verdict import Verdict, judge
from sessile.errors import LostRace
from sessile.service.events import End, Ended, Malformed, Refusal, Refused, Replayed
from sessile.service.parts import Parts
from sessile.service.visit import Visit

ATTEMPTS: Final = 128
"""Commits tried before ``LostRace``. Of rivals one always wins, so this many may run at once."""


async def open_visit(parts: Parts, cookies: str) -> Visit:
    """Return the visit of a request, given its Cookie header (empty when there is none).

    Whatever is not the ticket of a live session is an anonymous visitor, never an error.

    Raises:
        StoreUnavailable: the store did not answer, so nobody can say who this is.
    """
    now = parts.clock()
    ticket = _presented(parts, cookies, now)
    if isinstance(ticket, Visit):
        return ticket
    record = await parts.store.read(ticket.key, now)
    for _ in range(ATTEMPTS):
        if record is None:
            return _refuse(parts, now, ticket.key, Refusal.UNKNOWN)
        values = None if record.over else opened(parts, record, now)
        if values is None:
            return _not_opened(parts, now, ticket, record)
        verdict, successor = judge(ticket, record, parts.ring, now, parts.policy.grace)
        if verdict is Verdict.ACCEPT or verdict is Verdict.HAND_OVER:
            return Visit(
                parts, now, ticket=ticket, record=record, values=values, hand_over=successor
            )
        if verdict is not Verdict.CONFIRM:
            return await _turned_away(parts, now, verdict, record)
        confirmed = _confirmed(parts, record, now)
        answer = await parts.store.commit(Change(confirmed, record.version))
        if isinstance(answer, Committed):
            return Visit(parts, now, ticket=ticket, record=confirmed, values=values)
        record = answer.current if isinstance(answer, Conflict) else None
    raise LostRace(ticket.key, attempts=ATTEMPTS)


def _presented(parts: Parts, cookies: str, now: Instant) -> Ticket | Visit:
    """Return the ticket that a request presents, or the visit of a request without one."""
    found = parts.cookie.find(cookies) if cookies else Presented.NOTHING
    if found is Presented.NOTHING:
        return Visit(parts, now, carried=False)
    if found is Presented.AMBIGUOUS:
        return _refuse(parts, now, None, Refusal.AMBIGUOUS)
    return Ticket.parse(found) or _refuse(parts, now, None, Refusal.SHAPE)


def _not_opened(parts: Parts, now: Instant, ticket: Ticket, record: Record) -> Visit:
    """Return the visit of a session that is over, or whose record was tampered with."""
    if not record.over:
        return Visit(parts, now)
    parts.tell(Refused(now, ticket.key, Refusal.OVER))
    return Visit(parts, now, ticket=ticket, late=True)


async def _turned_away(parts: Parts, now: Instant, verdict: Verdict, record: Record) -> Visit:
    """Return the anonymous visit of a stranger, or of a replay, which ends the session."""
    key = Key(record.key)
    if verdict is not Verdict.REPLAY:
        return _refuse(parts, now, key, Refusal.STRANGER)
    last = await parts.store.delete(key, record.owner)
    if last is not None and not last.over:
        parts.tell(Replayed(now, key, record.owner))
        parts.tell(Ended(now, key, End.REPLAY, record.owner))
    return Visit(parts, now)


def opened(parts: Parts, record: Record, now: Instant) -> Encoded | None:
    """Return a record's plain values; None, and an event, when it was tampered with."""
    try:
        return parts.vault.open(record)
    except Forged:
        parts.tell(Malformed(now, Key(record.key)))
        return None


def _confirmed(parts: Parts, record: Record, now: Instant) -> Record:
    """Note that the client has shown the current ticket: from here on its parent is a replay."""
    touch = parts.policy.touch(record, now)
    return evolve(record, version=record.version + 1, confirmed=now, **touch)


def _refuse(parts: Parts, now: Instant, key: Key | None, reason: Refusal) -> Visit:
    parts.tell(Refused(now, key, reason))
    return Visit(parts, now)
