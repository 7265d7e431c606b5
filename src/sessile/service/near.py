"""Open a session from the near cache, where its copy leaves nothing to do and nothing to doubt.

And tell the client what version it has seen, so that no copy older than that serves it.

A copy only says yes. Whatever would end, lock, move or rotate a session, or take it for nobody's,
is decided by what the store has: ``service.open`` asks it then.
"""

from typing import Final

from sessile.core.carrier import Carrier, SessionHeaders
from sessile.core.changes import UNCHANGED
from sessile.core.identity import Intent
from sessile.core.outage import Outage
from sessile.core.record import Record
from sessile.core.ticket import Key, Ticket
from sessile.core.value import Instant
from sessile.core.verdict import Verdict, judge
from sessile.core.version_hint import VersionHints
from sessile.errors import StoreUnavailable
from sessile.service.context import Context
from sessile.service.housekeeping import PAUSE
from sessile.service.instrument import emit_failure
from sessile.service.transaction import CommitOutcome, Opened, Standing, Transaction
from sessile.stores.near import NearStore


def open_copy(
    transaction: Transaction, near: NearStore, carrier: Carrier, ticket: Ticket, *, unrotated: bool
) -> bool:
    """Begin with the copy of a session; False where the store has to be asked.

    A client that does not say what version it has seen is never served from a copy: it could miss
    what it did itself a moment ago, on another server.
    """
    seen = _find_seen(transaction, carrier, ticket)
    if seen is None:
        return False
    record = near.peek(ticket.key, seen)
    if record is None:  # while the store fails, nobody waits to be told so again
        is_away = near.follower.is_store_away()
        is_served = (is_away or _rests(transaction.context)) and open_last_copy(
            transaction, near, carrier, ticket, unrotated=unrotated
        )
        if is_served and is_away and transaction.context.timer() >= transaction.context.rests_until:
            _tell_outage(transaction, StoreUnavailable(near.name, _SILENT))
        return is_served
    is_served = _open_record(transaction, record, carrier, ticket, _FRESH, unrotated=unrotated)
    near.hits += is_served
    return is_served


def open_last_copy(
    transaction: Transaction, near: NearStore, carrier: Carrier, ticket: Ticket, *, unrotated: bool
) -> bool:
    """Begin with the copy of a session as the store was last heard of, where the policy says so.

    For readers. What a writer does is refused by the store, or merged by it.
    """
    context = transaction.context
    seen = _find_seen(transaction, carrier, ticket)
    if seen is None or context.policy.outage is not Outage.READ:
        return False
    record = near.peek_last(ticket.key, seen, context.policy.outage_reads)
    is_served = record is not None and _open_record(
        transaction, record, carrier, ticket, _GENUINE, unrotated=unrotated
    )
    near.hits += is_served
    return is_served


_SILENT: Final = "it answers neither its feed nor a probe"


def _rests(context: Context) -> bool:
    """Tell whether a request is to do without a store that has failed a reader.

    The store answers a follower all the while, or nobody follows it. Once the pause is over the
    first one is not to do without, and has the pause begin anew: it may wait for the store's whole
    time limit, and nobody else is to wait with it.
    """
    if context.reads_from_copies_until == 0.0:
        return False
    now = context.timer()
    if now < context.reads_from_copies_until:
        return True
    context.reads_from_copies_until = now + PAUSE
    return False


def note_outage(transaction: Transaction, error: StoreUnavailable) -> None:
    """Tell of a failure that a request is spared; for a while the store is asked less."""
    transaction.context.reads_from_copies_until = transaction.context.timer() + PAUSE
    _tell_outage(transaction, error)


def _tell_outage(transaction: Transaction, error: StoreUnavailable) -> None:
    """Tell of it, and have nothing that may wait be tried for a while."""
    context = transaction.context
    context.rests_until = context.timer() + PAUSE
    context.log.tell_readers_served(context.policy.outage_reads)
    emit_failure(context, transaction.now, transaction.request, error)


def _open_record(
    transaction: Transaction,
    record: Record,
    carrier: Carrier,
    ticket: Ticket,
    enough: frozenset[Verdict],
    *,
    unrotated: bool,
) -> bool:
    """Begin with a record if nothing speaks against it, nor asks for an act."""
    context, now = transaction.context, transaction.now
    if record.replayed is not None or not context.policy.lives(record, now):
        return False
    if judge(ticket, record, context.ring, now, context.policy)[0] not in enough:
        return False
    if context.policy.is_locked(record, now):
        return False
    if record.bound and transaction.client_beside(record) is not record.client:
        return False
    values = context.unseal(record, now)
    if values is None:
        return False
    opened = Opened(
        Standing.LIVE, carrier, record=record, values=values, ticket=ticket, unrotated=unrotated
    )
    transaction.begin(opened)
    return True


_FRESH: Final = frozenset((Verdict.ACCEPT,))
_GENUINE: Final = _FRESH | {Verdict.CONFIRM, Verdict.HAND_OVER}  # what they ask for can wait


def version_hint(
    transaction: Transaction, hints: VersionHints, outcome: CommitOutcome, now: Instant
) -> SessionHeaders:
    """Return the header that says what version the client has seen now, if it has to know.

    It need not where no more than the clocks of its session moved: a reader is sent no cookie.
    """
    context, opened, state, record = (
        transaction.context, transaction.opened, transaction.state, outcome.record,
    )  # fmt: skip
    version = state.saved_version
    if record is None and not version:
        if state.intent is not Intent.LOGOUT or opened.standing is Standing.STALE:
            return ()
        return hints.expire(opened.carrier, transaction.request)
    is_told = outcome.ticket or state.notes or state.values.delta() is not UNCHANGED
    if record is not None and is_told:
        version = max(version, record.version)
    record = record or opened.record
    if record is None or not version:
        return ()
    max_age = context.policy.max_age(record, now)
    return hints.issue(opened.carrier, Key(record.key), version, max_age)


def _find_seen(transaction: Transaction, carrier: Carrier, ticket: Ticket) -> int | None:
    """Return the version that a client has seen of the session of its ticket, if it says so."""
    hints = transaction.context.hints
    return None if hints is None else hints.find(carrier, transaction.request, ticket.key)
