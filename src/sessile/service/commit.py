"""Commit a transaction: what the application did is stored before the answer's headers leave.

Theory. What a commit does follows from two things: where the request stands (``Standing``, found
when it was opened) and what the application asked for (``Intent``). Values that it changed are part
of every act.

Rules for editing. All acts stand in ``ACTS``; code below only carries them out. The table in
docs/how-it-works.md is drawn from it.
"""

from enum import Enum
from functools import partial
from typing import Final, TypeVar

from sessile.core.carrier import SessionHeaders
from sessile.core.changes import UNCHANGED
from sessile.core.flow import Flow
from sessile.core.identity import Intent
from sessile.core.merge import Delta
from sessile.core.state import SessionState
from sessile.core.ticket import Key
from sessile.core.trail import extend_trail
from sessile.core.value import Instant
from sessile.errors import ConfigError, LostRace, StoreUnavailable
from sessile.service.clients import peek_client
from sessile.service.end import end_one
from sessile.service.events import Created, End, Malformed, Work
from sessile.service.housekeeping import try_housekeeping
from sessile.service.instrument import instrument
from sessile.service.near import version_hint
from sessile.service.new_record import new_record, sweep_sometimes
from sessile.service.principal import follow_principal
from sessile.service.regenerate import merge_values, regenerate
from sessile.service.routing import is_moved, route_headers
from sessile.service.save import Attempt, discard_changes, plan, save
from sessile.service.shadows import SHADOWING, warn_of_shadows
from sessile.service.transaction import CommitOutcome, Standing, Transaction
from sessile.wire.log import log_ambiguous, log_withheld

R = TypeVar("R")


class Act(Enum):
    """What a commit does."""

    CREATE = "store an anonymous session, if there is anything to store"
    SAVE = "merge the changes into the stored session; rotate if it is time"
    DISCARD = "drop the changes; an event says so"
    REGENERATE = "store a new session in the place of the old one"
    LOG_OUT = "end the session on the server, then the cookie"


_SAVE: Final = Act.SAVE
_ANY: Final = tuple(Standing)
_STARTING: Final = (Intent.BEGIN, Intent.LOGIN, Intent.STEP_UP, Intent.UNLOCK)

ACTS: Final[dict[tuple[Standing, Intent], Act]] = {
    (Standing.ANONYMOUS, Intent.KEEP): Act.CREATE,
    (Standing.ANONYMOUS, Intent.ROTATE): Act.CREATE,
    (Standing.STALE, Intent.KEEP): Act.DISCARD,  # its cookie could replace a newer login's
    (Standing.STALE, Intent.ROTATE): Act.DISCARD,
    (Standing.LIVE, Intent.KEEP): Act.SAVE,
    (Standing.LIVE, Intent.ROTATE): Act.SAVE,
    (Standing.LOCKED, Intent.KEEP): Act.DISCARD,  # else a thief could write into it
    (Standing.LOCKED, Intent.ROTATE): Act.DISCARD,
    **{(standing, intent): Act.REGENERATE for standing in _ANY for intent in _STARTING},
    **{(standing, Intent.LOGOUT): Act.LOG_OUT for standing in _ANY},
}


async def commit(transaction: Transaction) -> SessionHeaders:
    """Store what a request did; return the headers of its answer. ``begin_commit`` has the rest."""
    flow = begin_commit(transaction)
    return () if flow is None else await flow


def begin_commit(transaction: Transaction) -> Flow[SessionHeaders] | None:
    """Return the flow that stores what a request did; None where that is nothing, as of most.

    The flow's result is the headers of the answer: the ticket, if there is one. It raises as this
    does.

    Args:
        transaction: what ``open_transaction`` returned.

    Raises:
        TooManySessions: a login beyond the owner's limit.
        LostRace: rivals won every one of many attempts.
        StoreUnavailable: nothing was stored, or nobody can tell.
        UnsupportedValue: a nested change put something in that cannot be kept; nothing was stored.
        SessionTooLarge: with a nested change, or a rival's, it is more than a session may hold.
    """
    context, now = transaction.context, transaction.context.clock()
    follow_principal(transaction)
    if context.has_hooks:
        flow = _carry_out(transaction, now, rotate=True)
        return _answer(transaction, now, instrument(context, Work.SAVE, transaction.request, flow))
    act = _begin_act(transaction, now, rotate=True)
    if act is None and not _has_headers(transaction):
        return None
    return _answer(transaction, now, act)


async def _answer(
    transaction: Transaction, now: Instant, act: Flow[CommitOutcome | None] | None
) -> SessionHeaders:
    """Carry out an act, if there is one; return the headers that follow from it."""
    log, outcome = transaction.context.log, None if act is None else await act
    if outcome is None and not _has_headers(transaction):
        return ()
    if outcome is not None and log.failing:
        log.tell_recovery(Work.SAVE)
    return _headers(transaction, outcome or CommitOutcome(None), now)


def _has_headers(transaction: Transaction) -> bool:
    """Tell whether an answer has something to tell a client though nothing was stored."""
    return bool(
        transaction.opened.is_ambiguous or transaction.state.saved_version or is_moved(transaction)
    )


async def accept(transaction: Transaction) -> SessionHeaders:
    """Store what was done before a WebSocket is accepted, as ``commit`` does, and go on.

    The ticket is replaced if the application asked for it; one that is due waits for a request.
    """
    follow_principal(transaction)
    context, now, done = transaction.context, transaction.context.clock(), transaction.state.intent
    flow = _carry_out(transaction, now, rotate=False)
    if context.has_hooks:
        flow = instrument(context, Work.SAVE, transaction.request, flow)
    outcome = await flow or CommitOutcome(transaction.opened.record)
    headers = _headers(transaction, outcome, now, stays=True)
    transaction.resume(outcome, done)
    return headers


async def save_midway(transaction: Transaction) -> bool:
    """Store what has been done so far, where no cookie can be sent, and go on: a WebSocket.

    Return False when the session has ended or locked meanwhile: its changes were dropped, and it is
    nobody's from now on.

    Raises:
        ConfigError: something that would take a cookie: a login, a rotation, a new session.
        LostRace: rivals won every one of many attempts.
        StoreUnavailable: nothing was stored, or nobody can tell.
    """
    follow_principal(transaction)
    opened, now, done = transaction.opened, transaction.context.clock(), transaction.state.intent
    if _takes_cookie(transaction):
        raise ConfigError(
            "no cookie can be set once a WebSocket is accepted, so it cannot start or rotate a "
            "session: log in, rotate, or store the first value before accept, or in a request"
        )
    outcome = CommitOutcome(opened.record)
    if done is not Intent.LOGOUT and opened.standing is Standing.LOCKED:
        discard_changes(transaction, now)
        return False
    try:
        if done is Intent.LOGOUT:
            outcome = await _log_out(transaction, now)
        elif opened.record is not None:
            # a new client that takes a new ticket waits for a request that can bring it
            note_client = not opened.rotate_now
            attempt = plan(transaction, now, rotate=False, note_client=note_client)
            outcome = await _save(transaction, now, attempt) or outcome
    except (StoreUnavailable, LostRace) as error:
        transaction.context.log.tell_failure(Work.SAVE, error)
        raise
    transaction.resume(outcome, done)
    return outcome.record is not None or opened.record is None


async def _carry_out(
    transaction: Transaction, now: Instant, *, rotate: bool
) -> CommitOutcome | None:
    """Carry out the act; None where there was nothing to do."""
    act = _begin_act(transaction, now, rotate=rotate)
    return None if act is None else await act


def _begin_act(
    transaction: Transaction, now: Instant, *, rotate: bool
) -> Flow[CommitOutcome | None] | None:
    """Return the flow that carries out the act; None where there is nothing to do."""
    opened, state = transaction.opened, transaction.state
    if state.values.corrupt and opened.record is not None:
        key = Key(opened.record.key)
        transaction.context.emit(Malformed(now, key, state.values.corrupt))
    act = ACTS[opened.standing, state.intent]
    flow: Flow[CommitOutcome | None]
    if act is _SAVE:
        attempt = plan(transaction, now, rotate=rotate)
        if attempt is None and opened.reissue is None:
            return None  # what most requests come to
        flow = _save(transaction, now, attempt)
    elif act is Act.CREATE:
        delta = state.values.delta()
        if not _is_wanted(state, delta):
            return None
        flow = _create(transaction, now, delta)
    elif act is Act.REGENERATE:
        flow = regenerate(transaction, now)
    elif act is Act.LOG_OUT:
        flow = _log_out(transaction, now)
    else:
        discard_changes(transaction, now)
        return None
    return _tell_failure(transaction, flow)


async def _tell_failure(transaction: Transaction, act: Flow[R]) -> R:
    """Carry out an act; the log is told when the store fails it."""
    try:
        return await act
    except (StoreUnavailable, LostRace) as error:
        transaction.context.log.tell_failure(Work.SAVE, error)
        raise


def _save(
    transaction: Transaction, now: Instant, attempt: Attempt | None
) -> Flow[CommitOutcome | None]:
    """Return the flow that carries out a plan; what nothing but the clock asks for may wait."""
    state = transaction.state
    asked_for = (
        attempt is None
        or attempt.delta is not UNCHANGED
        or attempt.client_changed
        or state.notes
        or state.intent is not Intent.KEEP
    )
    if asked_for:
        return save(transaction, now, attempt)
    return try_housekeeping(transaction, partial(save, transaction, now, attempt))


def _is_wanted(state: SessionState, delta: Delta) -> bool:
    """Tell whether there is anything to begin a session for."""
    return bool(delta or state.must_store or state.notes)


async def _create(transaction: Transaction, now: Instant, delta: Delta) -> CommitOutcome | None:
    context, state = transaction.context, transaction.state
    if not transaction.opened.presented and _is_withheld(transaction):
        discard_changes(transaction, now)
        return None
    ticket, client = state.new_ticket(), peek_client(context, transaction.request)
    trail = extend_trail((), now, client, *state.notes)
    merged = merge_values(context, {}, {}, delta)
    if not SHADOWING.isdisjoint(merged):
        warn_of_shadows(merged)
    record = new_record(context, state, ticket, now, merged, trail=trail)
    del merged  # in plain, and a traceback shows locals
    await context.store.create(record)
    context.emit(Created(now, ticket.key, client=client))
    await sweep_sometimes(context, now)
    return CommitOutcome(record, ticket)


def _is_withheld(transaction: Transaction) -> bool:
    """Tell, the log too, whether the client may have a ticket that it could not bring.

    The cookie of a new session would take the place of that of a login.
    """
    context, request = transaction.context, transaction.request
    if not context.carriers.is_withheld(transaction.opened.carrier, request):
        return False
    log_withheld(context.carriers.cookies)
    return True


async def _log_out(transaction: Transaction, now: Instant) -> CommitOutcome:
    """End the session. What was set after the logout begins a new one, unless it is stale."""
    context, state, opened = transaction.context, transaction.state, transaction.opened
    old = opened.record
    if old is None and opened.replaced_by is not None:
        found = context.intact(await context.store.read(opened.replaced_by))
        old = found if found is not None and context.policy.lives(found, now) else None
    if old is not None:
        client = transaction.client
        await end_one(context, Key(old.key), old.owner, End.LOGOUT, now, client=client)
    delta = state.values.delta()
    if not (delta.set or delta.added or state.must_store):
        return CommitOutcome(None)
    if opened.standing is Standing.STALE:
        discard_changes(transaction, now)
        return CommitOutcome(None)
    return await _create(transaction, now, delta) or CommitOutcome(None)


def _takes_cookie(transaction: Transaction) -> bool:
    """Tell whether what was done must be answered with a ticket."""
    state = transaction.state
    if state.intent is Intent.KEEP and transaction.opened.record is not None:
        return False
    delta = state.values.delta()
    starts = state.intent in _STARTING or state.intent is Intent.ROTATE
    return starts or bool(delta.set or delta.added)


def _headers(
    transaction: Transaction, outcome: CommitOutcome, now: Instant, *, stays: bool = False
) -> SessionHeaders:
    """Return the headers of the answer: the ticket, and the route to the server that has it."""
    told = _ticket_headers(transaction, outcome, now)
    return (*told, *route_headers(transaction, outcome, now, stays=stays))


def _ticket_headers(
    transaction: Transaction, outcome: CommitOutcome, now: Instant
) -> SessionHeaders:
    """Return the headers that hand over a ticket, or that take one back after a logout.

    With them, and where several came, go former cookies that a browser would send beside this one.
    """
    context, opened = transaction.context, transaction.opened
    record, ticket = outcome.record, outcome.ticket
    own: SessionHeaders = ()
    hints = context.hints
    hint = () if hints is None else version_hint(transaction, hints, outcome, now)
    if ticket is not None and record is not None:
        transaction.state.is_stored = True
        context.log.tell_if_lost(opened.carrier, transaction.request)
        own = (opened.carrier.issue(ticket.reveal(), context.policy.max_age(record, now)),)
    elif (
        transaction.state.intent is Intent.LOGOUT
        and opened.presented
        and opened.standing is not Standing.STALE
    ):
        own = (opened.carrier.expire(),)
    elif not opened.is_ambiguous:
        return hint
    former = context.carriers.expire_former(opened.carrier)
    if opened.is_ambiguous and not former:
        log_ambiguous(context.carriers.cookies)
    return (*hint, *former, *own)
