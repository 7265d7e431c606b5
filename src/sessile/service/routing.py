"""Which server a client comes back to: the cookie that a sticky balancer obeys. ``core.route``."""

from typing import Final

from sessile.core.carrier import CookieCarrier, SessionHeaders
from sessile.core.identity import Intent
from sessile.core.route import ServerRoute
from sessile.core.value import Instant
from sessile.service.transaction import CommitOutcome, Standing, Transaction

_KEPT: Final = (Standing.LIVE, Standing.LOCKED)


def is_moved(transaction: Transaction) -> bool:
    """Tell whether a client is to go to another server than its route says.

    One with a session has none yet, or its own was down, and it stays here; or it has this one's,
    which is drained. A client that keeps the cookies it has is told nothing.
    """
    route = _route(transaction)
    if route is None:
        return False
    if transaction.context.is_drained:
        return route.has(transaction.request)
    return transaction.opened.standing in _KEPT and not route.has(transaction.request)


def route_headers(transaction: Transaction, outcome: CommitOutcome, now: Instant) -> SessionHeaders:
    """Return the header with the route, where a session was made or moved, or has ended.

    A server that is drained takes back its own, so that the balancer finds the client another one.
    With a new ticket goes a new route, which lasts as long.
    """
    context, opened, route = transaction.context, transaction.opened, _route(transaction)
    if route is None:
        return ()
    if context.is_drained:
        return route.expire() if is_moved(transaction) else ()
    if outcome.record is None and transaction.state.intent is Intent.LOGOUT:
        is_freed = opened.standing in _KEPT and route.has_any(transaction.request)
        return route.expire() if is_freed else ()
    record = outcome.record or opened.record
    if record is None or not (outcome.ticket is not None or is_moved(transaction)):
        return ()
    return route.issue(context.policy.max_age(record, now))


def _route(transaction: Transaction) -> ServerRoute | None:
    """Return this server's route, where it has one that a client could bring."""
    route, opened = transaction.context.route, transaction.opened
    if route is None or opened.unrotated or not isinstance(opened.carrier, CookieCarrier):
        return None
    return route
