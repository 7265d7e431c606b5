"""Commit a visit: what the application did is stored before the answer's headers leave."""

from sessile.core.session import Intent
from sessile.core.ticket import Key, Ticket
from sessile.core.value import Instant
from sessile.errors import ConfigError
from sessile.service.birth import born, tidy
from sessile.service.events import Created, End, Malformed
from sessile.service.login import applied, end_one, log_in
from sessile.service.parts import Parts
from sessile.service.save import save
from sessile.service.visit import Visit


async def commit_visit(parts: Parts, visit: Visit) -> str | None:
    """Store what a request did; return the Set-Cookie value for its answer, if it needs one.

    Raises:
        LimitReached: a login beyond the owner's limit.
        LostRace: rivals won every one of many attempts.
        StoreUnavailable: nothing was stored, or nobody can tell.
        UnsupportedValue: a nested change put something in that cannot be kept; nothing was stored.
    """
    session, now = visit.session, parts.clock()
    if session.corrupt and visit.record is not None:
        parts.tell(Malformed(now, Key(visit.record.key), session.corrupt))
    if session.intent is Intent.LOGIN:
        return _issued(parts, visit, await log_in(parts, visit, now), now)
    if session.intent is Intent.LOGOUT:
        return await _log_out(parts, visit, now)
    if visit.record is None:
        return _issued(parts, visit, await _create(parts, visit, now), now)
    return _issued(parts, visit, await save(parts, visit, now), now)


async def save_visit(parts: Parts, visit: Visit) -> None:
    """Store what has been done so far, where no cookie can be sent, and go on: a WebSocket.

    Raises:
        ConfigError: a login or a new session, which would take a cookie.
        LostRace: rivals won every one of many attempts.
        StoreUnavailable: nothing was stored, or nobody can tell.
    """
    session, now = visit.session, parts.clock()
    if session.intent is Intent.LOGOUT:
        await _log_out(parts, visit, now)
        visit.record = None
    elif session.intent is Intent.LOGIN or (visit.record is None and session.delta()):
        raise ConfigError(
            "a WebSocket cannot hand out a session, because no cookie can be set after the "
            "handshake; log in, or store the first value, in an ordinary request"
        )
    elif visit.record is not None:
        await save(parts, visit, now, turn=False)
    visit.values = {} if visit.record is None else parts.vault.open(visit.record)
    session.reopen(visit.record, visit.values)


async def _create(parts: Parts, visit: Visit, now: Instant) -> Ticket | None:
    """Store an anonymous session, if there is anything to store."""
    delta = visit.session.delta()
    if not delta:
        return None
    ticket = visit.session.fresh()
    record = born(parts, visit.session, ticket, now, applied(parts, {}, {}, delta))
    await parts.store.create(record)
    parts.tell(Created(now, ticket.key))
    await tidy(parts, now)
    visit.record = record
    return ticket


async def _log_out(parts: Parts, visit: Visit, now: Instant) -> str | None:
    """End the session on the server, then the cookie. What was set after it begins a new one."""
    old, visit.record, visit.values = visit.record, None, {}
    if old is not None:
        await end_one(parts, Key(old.key), old.owner, End.LOGOUT, now)
    ticket = await _create(parts, visit, now) if visit.session.delta().set else None
    if ticket is None:
        return parts.cookie.erase() if visit.carried else None
    return _issued(parts, visit, ticket, now)


def _issued(parts: Parts, visit: Visit, ticket: Ticket | None, now: Instant) -> str | None:
    if ticket is None or visit.record is None:
        return None
    return parts.cookie.issue(ticket.reveal(), parts.policy.max_age(visit.record, now))
