"""Which server a client comes back to: the cookie that a sticky balancer obeys. ``core.route``."""

from typing import Final

from sessile.core.carrier import CookieCarrier, SessionHeaders
from sessile.core.identity import Intent
from sessile.core.route import ServerRoute
from sessile.core.ticket import Key
from sessile.core.value import Instant
from sessile.service.bounded_load import BoundedLoad
from sessile.service.context import Context
from sessile.service.transaction import CommitOutcome, Standing, Transaction

_KEPT: Final = (Standing.LIVE, Standing.LOCKED)


def is_moved(transaction: Transaction) -> bool:
    """Tell whether a client is to go to another server than its route says.

    One with a session has none yet, or its own was down, and it stays here; or it has this one's,
    which is drained, or has too many. A client that keeps the cookies it has is told of a drain
    alone: it may be a page that asks again and again, or holds a WebSocket.
    """
    route = _route(transaction)
    if route is None:
        return False
    if transaction.context.is_drained:
        return route.has(transaction.request)
    if transaction.opened.standing not in _KEPT or transaction.opened.unrotated:
        return False
    return not route.has(transaction.request) or _is_excess(transaction)


def route_headers(
    transaction: Transaction, outcome: CommitOutcome, now: Instant, *, stays: bool = False
) -> SessionHeaders:
    """Return the header with the route, where a session was made or moved, or has ended.

    A server that is drained takes back its own, so that the balancer finds the client another one.
    With a new ticket goes a new route, which lasts as long. One that has too many clients takes it
    back from a few.

    Args:
        transaction: the request.
        outcome: of its commit.
        now: the time.
        stays: whether the client is about to stay here, with a WebSocket, however many there are.
    """
    context, opened, route = transaction.context, transaction.opened, _route(transaction)
    if route is None or (opened.unrotated and not context.is_drained):
        return ()
    if context.is_drained:
        return route.expire() if is_moved(transaction) else ()
    if outcome.record is None and transaction.state.intent is Intent.LOGOUT:
        is_freed = opened.standing in _KEPT and route.has_any(transaction.request)
        return route.expire() if is_freed else ()
    record = outcome.record or opened.record
    if record is None or not (outcome.ticket is not None or is_moved(transaction)):
        return ()
    if outcome.ticket is None and route.has(transaction.request):
        return route.expire() if not stays and _move(transaction) else ()
    _welcome(transaction, route, Key(record.key))
    return route.issue(context.policy.max_age(record, now))


def _move(transaction: Transaction) -> bool:
    """Count a client that is sent to another server; False where it is one too many no more."""
    load, record = _load(transaction.context), transaction.opened.record
    if load is None or record is None or not _is_excess(transaction):
        return False
    load.move(Key(record.key))
    return True


def _welcome(transaction: Transaction, route: ServerRoute, key: Key) -> None:
    """Note a client that came here from elsewhere."""
    load = _load(transaction.context)
    if load is not None and not route.has(transaction.request):
        load.welcome(key)


def _is_excess(transaction: Transaction) -> bool:
    """Tell whether a client of this server is one too many, and may as well be another one's.

    One with a WebSocket here stays with it, if somebody watches that.
    """
    load, opened = _load(transaction.context), transaction.opened
    if load is None or opened.standing is not Standing.LIVE or opened.record is None:
        return False
    key = Key(opened.record.key)
    if not load.may_move(key):
        return False
    return not any(watchers.has(key) for watchers in transaction.context.watchers.all())


def _load(context: Context) -> BoundedLoad | None:
    return None if context.worker is None else context.worker.load


def _route(transaction: Transaction) -> ServerRoute | None:
    """Return this server's route, where it has one that a client could bring."""
    route, opened = transaction.context.route, transaction.opened
    if route is None or not isinstance(opened.carrier, CookieCarrier):
        return None
    return route
