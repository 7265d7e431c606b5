"""Commit a visit: what the application did is stored before the answer's headers leave."""

from sessile.core.carrier import Header
from sessile.core.flow import Flow
from sessile.core.intent import Intent
from sessile.core.ticket import Key, Ticket
from sessile.core.trail import extend_trail
from sessile.core.value import Instant
from sessile.errors import ConfigError
from sessile.service.birth import born, tidy
from sessile.service.clients import glimpsed
from sessile.service.ending import end_one
from sessile.service.events import Created, End, Malformed, Work
from sessile.service.login import STARTING, applied, log_in
from sessile.service.parts import Parts
from sessile.service.save import drop, plan, save
from sessile.service.visit import Visit
from sessile.service.watch import watched


def commit_visit(parts: Parts, visit: Visit, *, turn: bool = True) -> Flow[Header | None]:
    """Store what a request did; return the header with the ticket for its answer, if any.

    Args:
        parts: the collaborators.
        visit: what ``open_visit`` returned.
        turn: whether a ticket that is due is replaced.

    Raises:
        LimitReached: a login beyond the owner's limit.
        LostRace: rivals won every one of many attempts.
        StoreUnavailable: nothing was stored, or nobody can tell.
        UnsupportedValue: a nested change put something in that cannot be kept; nothing was stored.
    """
    flow = _commit(parts, visit, turn=turn)
    return watched(parts, Work.SAVE, visit.request, flow) if parts.heard else flow


async def _commit(parts: Parts, visit: Visit, *, turn: bool) -> Header | None:
    session, now = visit.session, parts.clock()
    if session.corrupt and visit.record is not None:
        parts.tell(Malformed(now, Key(visit.record.key), session.corrupt))
    intent = session.intent
    if intent in STARTING:
        return _issued(parts, visit, await log_in(parts, visit, now), now)
    if intent is Intent.LOGOUT:
        return await _log_out(parts, visit, now)
    if visit.record is None:
        return _issued(parts, visit, await _create(parts, visit, now), now)
    if visit.lock is not None:
        drop(parts, visit, now)
        return None
    attempt = plan(parts, visit, now, turn=turn)
    if attempt is None and visit.hand_over is None:
        return None  # what most requests come to
    return _issued(parts, visit, await save(parts, visit, now, attempt), now)


async def accept_visit(parts: Parts, visit: Visit) -> Header | None:
    """Store what was done before a WebSocket is accepted, as ``commit_visit`` does, and go on.

    The ticket turns if the application asked for it; a turn that is due waits for a request.
    """
    done = visit.session.intent
    cookie = await commit_visit(parts, visit, turn=False)
    _go_on(parts, visit, done)
    return cookie


async def save_visit(parts: Parts, visit: Visit) -> bool:
    """Store what has been done so far, where no cookie can be sent, and go on: a WebSocket.

    Return False when the session has ended or locked meanwhile: its changes were dropped, and it is
    nobody's from now on.

    Raises:
        ConfigError: something that would take a cookie: a login, a rotation, a new session.
        LostRace: rivals won every one of many attempts.
        StoreUnavailable: nothing was stored, or nobody can tell.
    """
    session, now, done = visit.session, parts.clock(), visit.session.intent
    had = visit.record is not None
    if _takes_cookie(visit):
        raise ConfigError(
            "no cookie can be set once a WebSocket is accepted, so it cannot start or rotate a "
            "session: log in, rotate, or store the first value before accept, or in a request"
        )
    if session.intent is Intent.LOGOUT:
        await _log_out(parts, visit, now)
    elif visit.lock is not None:
        drop(parts, visit, now)
        return False
    elif visit.record is not None:
        if visit.turn:  # a move that takes a new ticket waits for a request that can bring it
            visit.moved = visit.turn = False
        await save(parts, visit, now, plan(parts, visit, now, turn=False))
    _go_on(parts, visit, done)
    return visit.record is not None or not had


async def still_lives(parts: Parts, visit: Visit) -> bool:
    """Tell whether the session of a visit is still there for its client; nobody's never is.

    Raises:
        StoreUnavailable: the store did not answer, so nobody can tell.
    """
    if visit.record is None or visit.lock is not None:
        return False
    now, known = parts.clock(), visit.record
    record = await parts.store.read(Key(known.key), now)
    if record is None or record.over:
        return False
    return record.owner == known.owner and not parts.policy.locked(record, now)


def _takes_cookie(visit: Visit) -> bool:
    """Tell whether what was done must be answered with a ticket."""
    session = visit.session
    if session.intent is Intent.KEEP and visit.record is not None:
        return False
    delta = session.delta()
    starts = session.intent in STARTING or session.intent is Intent.ROTATE
    return starts or bool(delta.set or delta.added)


def _go_on(parts: Parts, visit: Visit, done: Intent) -> None:
    """Take what is stored now as what the session was opened with."""
    visit.moved = visit.turn = False
    if visit.lock is None:
        visit.stored = {} if visit.record is None else parts.sealer.unseal(visit.record)
        visit.values = visit.stored
    visit.session.resume(visit.record, visit.values, done)


async def _create(parts: Parts, visit: Visit, now: Instant) -> Ticket | None:
    """Store an anonymous session, if there is anything to store."""
    session, delta = visit.session, visit.session.delta()
    if not (delta or session.kept or session.notes):
        return None
    if visit.late:
        drop(parts, visit, now)
        return None
    ticket, client = session.fresh(), glimpsed(parts, visit.request)
    trail = extend_trail((), now, client, *session.notes)
    values = applied(parts, {}, {}, delta)
    record = born(parts, session, ticket, now, values, trail=trail)
    await parts.store.create(record)
    parts.tell(Created(now, ticket.key, client=client))
    await tidy(parts, now)
    visit.record = record
    return ticket


async def _log_out(parts: Parts, visit: Visit, now: Instant) -> Header | None:
    """End the session on the server, then the cookie. What was set after it begins a new one."""
    old, visit.record, visit.lock = visit.record, None, None
    visit.stored = visit.values = {}
    if old is None and visit.heir is not None:
        old = await parts.store.read(visit.heir, now)
    if old is not None:
        await end_one(parts, Key(old.key), old.owner, End.LOGOUT, now, client=visit.client)
    session, delta = visit.session, visit.session.delta()
    again = delta.set or delta.added or session.kept
    ticket = await _create(parts, visit, now) if again else None
    if ticket is None:
        return visit.carrier.expire() if visit.carried and not visit.late else None
    return _issued(parts, visit, ticket, now)


def _issued(parts: Parts, visit: Visit, ticket: Ticket | None, now: Instant) -> Header | None:
    if ticket is None or visit.record is None:
        return None
    return visit.carrier.issue(ticket.reveal(), parts.policy.max_age(visit.record, now))
