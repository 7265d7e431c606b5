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
    found = parts.cookie.find(cookies) if cookies else Presented.NOTHING
    now = parts.clock()
    if found is Presented.NOTHING:
        return Visit(parts, now, carried=False)
    ticket = None if isinstance(found, Presented) else Ticket.parse(found)
    if ticket is None:
        reason = Refusal.AMBIGUOUS if found is Presented.AMBIGUOUS else Refusal.SHAPE
        return _refuse(parts, now, None, reason)
    record = await parts.store.read(ticket.key, now)
    if record is None:
        return _refuse(parts, now, ticket.key, Refusal.UNKNOWN)
    return await _admit(parts, now, ticket, record)


async def _admit(parts: Parts, now: Instant, ticket: Ticket, record: Record) -> Visit:
    for _ in range(ATTEMPTS):
        if record.over:
            parts.tell(Refused(now, ticket.key, Refusal.OVER))
            return Visit(parts, now, ticket=ticket, late=True)
        values = opened(parts, record, now)
        if values is None:
            return Visit(parts, now)
        verdict, successor = judge(ticket, record, parts.ring, now, parts.policy.grace)
        if verdict is not Verdict.CONFIRM:
            served = Visit(
                parts, now, ticket=ticket, record=record, values=values, hand_over=successor
            )
            return await _follow(parts, now, verdict, served)
        confirmed = _confirmed(parts, record, now)
        answer = await parts.store.commit(Change(confirmed, record.version))
        if isinstance(answer, Committed):
            return Visit(parts, now, ticket=ticket, record=confirmed, values=values)
        if not isinstance(answer, Conflict):
            return _refuse(parts, now, ticket.key, Refusal.UNKNOWN)
        record = answer.current
    raise LostRace(ticket.key, attempts=ATTEMPTS)


async def _follow(parts: Parts, now: Instant, verdict: Verdict, served: Visit) -> Visit:
    """Return the visit as served, or what the verdict makes of it."""
    if verdict is Verdict.ACCEPT or verdict is Verdict.HAND_OVER:
        return served
    assert served.record is not None
    if verdict is Verdict.REPLAY:
        return await _end_replayed(parts, now, served.record)
    return _refuse(parts, now, Key(served.record.key), Refusal.STRANGER)


def opened(parts: Parts, record: Record, now: Instant) -> Encoded | None:
    """Return a record's plain values; None, and an event, when it was tampered with."""
    try:
        return parts.vault.open(record)
    except Forged:
        parts.tell(Malformed(now, Key(record.key)))
        return None


def _confirmed(parts: Parts, record: Record, now: Instant) -> Record:
    """Note that the client has shown the current ticket: from here on its parent is a replay."""
    seen = parts.policy.touched(record, now)
    return evolve(seen, version=record.version + 1, confirmed=now)


async def _end_replayed(parts: Parts, now: Instant, record: Record) -> Visit:
    key = Key(record.key)
    if await parts.store.delete(key, record.owner) is not None:
        parts.tell(Replayed(now, key, record.owner))
        parts.tell(Ended(now, key, End.REPLAY, record.owner))
    return Visit(parts, now)


def _refuse(parts: Parts, now: Instant, key: Key | None, reason: Refusal) -> Visit:
    parts.tell(Refused(now, key, reason))
    return Visit(parts, now)
