"""Open a transaction: find the ticket, read the record, act on the verdict. ``commit`` ends it."""

from enum import Enum
from functools import partial
from typing import Any, Final

import msgspec

from sessile.core.binding import OnMismatch
from sessile.core.carrier import Carrier
from sessile.core.flow import Flow
from sessile.core.identity import Lock
from sessile.core.policy import OnReplay
from sessile.core.record import SESSION, Record, retry_of
from sessile.core.request import Request
from sessile.core.ticket import Key, NoTicket, Ticket
from sessile.core.trail import TURNED_AWAY, extend_trail, has_entry, pack_trail
from sessile.core.value import Instant
from sessile.core.verdict import Verdict, judge, judge_retry
from sessile.errors import LostRace, StoreUnavailable
from sessile.service.context import Context
from sessile.service.end import end_stolen
from sessile.service.events import (
    End,
    Locked,
    Mismatched,
    RefusalReason,
    Work,
)
from sessile.service.housekeeping import try_housekeeping
from sessile.service.instrument import instrument
from sessile.service.lock import lock_stolen
from sessile.service.near import note_outage, open_copy, open_last_copy
from sessile.service.stale import is_own_client, serve_late, tell_stale
from sessile.service.tombstones import follow_retries
from sessile.service.transaction import Opened, Standing, Transaction
from sessile.service.visitor import absent, begin_after_end, close_expired, refuse
from sessile.stores.contract import Change, Committed

ATTEMPTS: Final = 128
"""Commits tried before ``LostRace``. Of rivals one always wins, so this many may run at once."""

_MOST_TURNED_AWAY: Final = 8  # lines of that kind, so that a thief cannot push out the others


class _Act(Enum):
    """What is left to be done before the application sees a session."""

    __hash__ = object.__hash__  # members are singletons; Enum's own is slow, and asked per request

    CONFIRM = "note in the store that the client has shown the ticket"
    RETURN = "note in the store that the ticket is shown anew, and tell"
    SERVE_LATE = "serve with a stale ticket, and hand over none"
    REFUSE = "nothing: whoever came is a visitor"
    TURN_AWAY = "leave a line in the trail"
    END_REPLAYED = "end a session whose used ticket came back"
    LOCK_REPLAYED = "lock it instead, as the policy says"
    END_MISMATCHED = "end a session whose ticket came from another client"


_ACTS: Final = {
    Verdict.ANONYMOUS: _Act.REFUSE,
    Verdict.CONFIRM: _Act.CONFIRM,
    Verdict.RETURN: _Act.RETURN,
    Verdict.LATE: _Act.SERVE_LATE,
    Verdict.REPLAY: _Act.END_REPLAYED,
}
"""What a verdict asks for; those that are not here ask for nothing."""

_LIVE: Final = Standing.LIVE
_NOTING: Final = frozenset((_Act.CONFIRM, _Act.RETURN))
_USED: Final = frozenset((_Act.RETURN, _Act.SERVE_LATE, _Act.END_REPLAYED))
_FINAL: Final = frozenset((_Act.REFUSE, _Act.END_REPLAYED, _Act.LOCK_REPLAYED))


def open_transaction(
    context: Context, request: Request, *, passive: bool = False, unrotated: bool = False
) -> Flow[Transaction]:
    """Return the flow to the transaction of a request, with its session.

    Whatever is not the ticket of a live session is an anonymous visitor, never an error.

    Args:
        context: the collaborators.
        request: what it says.
        passive: whether it counts as no activity, as a poll by a page that nobody looks at.
        unrotated: whether it turns no ticket and is handed none, as that of a video player, which
            keeps its copy of the cookie; an old one of the session's own client is as good.

    Raises:
        StoreUnavailable: the store did not answer, so nobody can say who this is.
    """
    transaction = Transaction(
        context, request, context.clock(), passive=passive, unrotated=unrotated
    )
    if context.has_hooks:
        return instrument(context, Work.OPEN, request, _open(transaction))
    return _open(transaction)


async def _open(  # noqa: C901, PLR0911, PLR0912  (one return for each thing that may have come)
    transaction: Transaction,
) -> Transaction:
    # One piece, in the order in which a request goes: every request takes this way.
    context, now = transaction.context, transaction.now
    carrier, found = context.carriers.find(transaction.request)
    if not isinstance(found, str):
        if found is NoTicket.ABSENT:
            return transaction.begin(Opened(Standing.ANONYMOUS, carrier, presented=False))
        return refuse(transaction, carrier, None, RefusalReason.AMBIGUOUS)
    ticket = Ticket.parse(found)
    del found  # the secret itself, and a traceback shows locals: none holds it at a wait
    if ticket is None:
        return refuse(transaction, carrier, None, RefusalReason.SHAPE)
    unrotated = transaction.unrotated or carrier in context.carriers.unrotated
    near = context.near
    if near is not None and open_copy(transaction, near, carrier, ticket, unrotated=unrotated):
        return transaction
    try:
        record = await context.store.read(ticket.key)
    except StoreUnavailable as error:
        context.log.tell_failure(Work.OPEN, error)
        if near is not None and open_last_copy(
            transaction, near, carrier, ticket, unrotated=unrotated
        ):
            note_outage(transaction, error)
            return transaction
        raise
    if context.log.failing:
        context.log.tell_recovery(Work.OPEN)
    if near is not None:
        near.misses += 1
        context.reads_from_copies_until = 0.0
    told = False  # of a mismatch; a rival's commit makes us look again
    for _ in range(ATTEMPTS):
        if not isinstance(record, Record) or not context.policy.lives(record, now):
            newer = await close_expired(transaction, ticket, record)
            if newer is None:
                return absent(transaction, carrier, ticket, record)
            record = newer
        if record.kind is not SESSION:
            return await _open_after_end(transaction, carrier, ticket, record)
        # In this order, because a look at the clocks and the ticket's chain is cheaper than the
        # values; nothing is done about either before the record's proof has held.
        verdict, successor, since = judge(ticket, record, context.ring, now, context.policy)
        is_idle, is_bound = context.policy.is_locked(record, now), record.bound
        values = context.unseal(record, now)
        if values is None:
            return transaction.begin(Opened(Standing.ANONYMOUS, carrier))
        opened = Opened(
            _LIVE, carrier, record=record, values=values, ticket=ticket,
            reissue=None if unrotated else successor, unrotated=unrotated,
        )  # fmt: skip
        del values  # in plain; as above
        opened, act = _examine(
            transaction, opened, record, verdict, since,
            is_idle=is_idle, is_bound=is_bound, told=told,
        )  # fmt: skip
        if act is None:
            return transaction.begin(opened)
        if act not in _NOTING:
            return await _settle(transaction, opened, record, act)
        change = _confirm(transaction, record)
        result = await try_housekeeping(transaction, partial(context.store.commit, change))
        if result is None or isinstance(result, Committed):
            if act is _Act.RETURN:
                tell_stale(transaction, record, returned=True)
            newest = record if result is None else change.record
            return transaction.begin(msgspec.structs.replace(opened, record=newest))
        told = opened.client_changed
        record = context.newest(result)
    raise LostRace(ticket.key, attempts=ATTEMPTS)


def _examine(
    transaction: Transaction,
    opened: Opened,
    record: Record,
    verdict: Verdict,
    since: Instant,
    *,
    is_idle: bool,
    is_bound: bool,
    told: bool,
) -> tuple[Opened, _Act | None]:
    """Judge the client as well; return what is left of what was opened, and what is to be done."""
    act = _ACTS.get(verdict)
    if act in _USED:
        act = _weigh(transaction, opened, record, act, since)
    if act in _FINAL:
        return opened, act
    if record.replayed is not None:
        return _lock_out(transaction, opened, record, Lock.REPLAY), None
    if is_bound and transaction.client_beside(record) is not record.client:
        is_used = verdict is Verdict.HAND_OVER or act in _USED
        reaction = _reaction(transaction, record, is_used=is_used)
        if reaction is OnMismatch.END:
            return opened, _Act.END_MISMATCHED
        if reaction is OnMismatch.STEP_UP:
            return _lock(opened, Lock.MISMATCH), _Act.TURN_AWAY
        if reaction is not None and not is_idle:
            newest = verdict is not Verdict.HAND_OVER or record.confirmed is None
            opened = _move(opened, record, reaction, newest=newest)
            told = told or (is_used and _reaction(transaction, record, is_used=False) is None)
            if not told:
                _emit_mismatch(transaction, record)
    if is_idle:
        return _lock_out(transaction, opened, record, Lock.IDLE), None
    return opened, act


def _weigh(
    transaction: Transaction, opened: Opened, record: Record, act: _Act | None, since: Instant
) -> _Act | None:
    """Weigh a used ticket: its own client's is late, anybody else's a replay."""
    if record.replayed is not None:
        return None  # it is locked already
    if opened.unrotated:
        act = _Act.SERVE_LATE
    if act is not _Act.END_REPLAYED and is_own_client(transaction, record, since):
        return act
    is_kept = transaction.context.policy.on_replay is OnReplay.LOCK and record.owner is not None
    return _Act.LOCK_REPLAYED if is_kept else _Act.END_REPLAYED


def _reaction(transaction: Transaction, record: Record, *, is_used: bool) -> OnMismatch | None:
    """Return the reaction to a client that the session is not bound to; None for its own.

    Who came lately from the other address family counts as another one with a used ticket.

    A login that is half finished does not move: where its owner would have to prove more, there is
    nobody yet who could.
    """
    binding = transaction.context.policy.binding
    other = record.settled_address if is_used else record.other_address
    if binding.holds(record.client, transaction.client_beside(record), other):
        return None
    if binding.on_mismatch is OnMismatch.STEP_UP and record.owner is None:
        return OnMismatch.END
    return binding.on_mismatch


def _move(opened: Opened, record: Record, reaction: OnMismatch, *, newest: bool) -> Opened:
    """Let the session go on with another client, which is to be written down.

    Not by a predecessor's request, which is late, and is not handed a successor that the session's
    own client has shown already.
    """
    return msgspec.structs.replace(
        opened,
        reissue=opened.reissue if record.confirmed is None else None,
        client_changed=newest,
        rotate_now=newest and reaction is OnMismatch.ROTATE,
    )


def _lock_out(transaction: Transaction, opened: Opened, record: Record, lock: Lock) -> Opened:
    """Return it locked, and tell so."""
    now, key, client = transaction.now, Key(record.key), transaction.client_beside(record)
    transaction.context.emit(Locked(now, key, lock, record.owner, client=client))
    return _lock(opened, lock)


def _lock(opened: Opened, lock: Lock) -> Opened:
    return msgspec.structs.replace(opened, standing=Standing.LOCKED, lock=lock, reissue=None)


async def _settle(
    transaction: Transaction, opened: Opened, record: Record, act: _Act
) -> Transaction:
    """Return the transaction of a request that is late, or not served as the session's owner's."""
    if act is _Act.SERVE_LATE:
        return serve_late(transaction, opened, record)
    if act is _Act.REFUSE:
        return refuse(transaction, opened.carrier, Key(record.key), RefusalReason.STRANGER)
    if act is _Act.TURN_AWAY:
        return transaction.begin(await _turn_away(transaction, opened, record))
    if act is _Act.LOCK_REPLAYED:
        return transaction.begin(await _lock_replayed(transaction, opened, record))
    reason = End.REPLAY if act is _Act.END_REPLAYED else End.MISMATCH
    transaction.client_beside(record)
    await end_stolen(transaction, record, reason)
    return transaction.begin(Opened(Standing.ANONYMOUS, opened.carrier))


async def _turn_away(transaction: Transaction, opened: Opened, record: Record) -> Opened:
    """Return it locked; the first request of its client leaves a line in the trail."""
    context, now, client = transaction.context, transaction.now, transaction.client_beside(record)
    context.emit(Locked(now, Key(record.key), Lock.MISMATCH, record.owner, client=client))
    lines = [line for line in record.trail if line.what == TURNED_AWAY]
    if has_entry(record.trail, TURNED_AWAY, client) or len(lines) >= _MOST_TURNED_AWAY:
        return opened
    _emit_mismatch(transaction, record)
    past = pack_trail(extend_trail(record.trail, now, client, TURNED_AWAY))
    version = record.version + 1
    draft, written = context.sealer.seal(record, {}, frozenset(), version=version, past=past)
    change = Change(draft, record.version, written)
    result = await try_housekeeping(transaction, partial(context.store.commit, change))
    if not isinstance(result, Committed):
        return opened
    return msgspec.structs.replace(opened, record=draft)


async def _lock_replayed(transaction: Transaction, opened: Opened, record: Record) -> Opened:
    """Return it locked, in the store as well; nobody's where it has ended meanwhile."""
    stored = await lock_stolen(transaction, record)
    values = None if stored is None else transaction.context.unseal(stored, transaction.now)
    if stored is None or values is None:
        return Opened(Standing.ANONYMOUS, opened.carrier)
    locked = msgspec.structs.replace(opened, record=stored, values=values)
    return _lock_out(transaction, locked, stored, Lock.REPLAY)


def _emit_mismatch(transaction: Transaction, record: Record) -> None:
    context, client = transaction.context, transaction.client_beside(record)
    reaction, key = context.policy.binding.on_mismatch, Key(record.key)
    context.emit(
        Mismatched(transaction.now, key, record.owner, record.client, reaction, client=client)
    )


async def _open_after_end(
    transaction: Transaction, carrier: Carrier, ticket: Ticket, record: Record
) -> Transaction:
    """Open the login that was made once more, with the ticket of the one that it was made for.

    That one's answer was not lost, but overtaken. Behind every other end there is a visitor. Where
    the login made once more has ended too, this ticket may be the newest that its client knows: it
    is that of an ended session, and not of a stale request.
    """
    opened = None
    if retry_of(record) is not None:
        after, newest = await follow_retries(transaction.context, ticket, record, transaction.now)
        if newest is None:
            return refuse(transaction, carrier, ticket.key, RefusalReason.OVER)
        opened = _open_retry(transaction, carrier, after, newest)
    if opened is None or opened.record is None:
        return begin_after_end(transaction, carrier, ticket, record)
    now, current = transaction.now, opened.record
    is_idle = transaction.context.policy.is_locked(current, now)
    opened, act = _examine(
        transaction, opened, current, Verdict.HAND_OVER, now,
        is_idle=is_idle, is_bound=current.bound, told=False,
    )  # fmt: skip
    if act is None:
        return transaction.begin(opened)
    return await _settle(transaction, opened, current, act)


def _open_retry(
    transaction: Transaction, carrier: Carrier, ticket: Ticket, found: Record
) -> Opened | None:
    """Open a login that was made once more; None where there is nothing to open."""
    context, now = transaction.context, transaction.now
    if found.kind is not SESSION:
        return None
    reissue = judge_retry(ticket, found, context.ring, now, context.policy)
    values = None if reissue is None else context.unseal(found, now)
    if values is None:
        return None
    unrotated = transaction.unrotated or carrier in context.carriers.unrotated
    return Opened(
        Standing.LIVE, carrier, record=found, values=values, ticket=ticket,
        reissue=None if unrotated else reissue, unrotated=unrotated,
    )  # fmt: skip


def _confirm(transaction: Transaction, record: Record) -> Change:
    """Note that the client has shown the current ticket: from here on its parent is in its grace.

    The same where it is handed over anew: a browser that starts again sends many requests at once,
    and the first of them must not make replays of the others.
    """
    context, now = transaction.context, transaction.now
    # not before it was made: the server that made it may have the faster clock
    confirmed = max(now, record.rotated)
    changes: dict[str, Any] = {"version": record.version + 1, "confirmed": confirmed}
    if not transaction.passive:
        changes |= context.policy.touch(record, now)
    draft, written = context.sealer.seal(record, {}, frozenset(), **changes)
    return Change(draft, record.version, written)
