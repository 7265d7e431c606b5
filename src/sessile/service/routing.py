"""Which server a client comes back to: the cookie that a sticky balancer obeys. ``core.route``."""

from sessile.core.carrier import CookieCarrier, SessionHeaders
from sessile.core.identity import Intent
from sessile.core.value import Instant
from sessile.service.transaction import CommitOutcome, Standing, Transaction

_KEPT = (Standing.LIVE, Standing.LOCKED)


def is_moved(transaction: Transaction) -> bool:
    """Tell whether a client is to go to another server than its route says.

    One with a session has none yet, or its own was down, and it stays here; or it has this one's,
    which is drained. A client that keeps the cookies it has is told nothing.
    """
    context, opened = transaction.context, transaction.opened
    route = context.route
    if route is None or opened.unrotated or not isinstance(opened.carrier, CookieCarrier):
        return False
    if context.is_drained:
        return route.has(transaction.request)
    return opened.standing in _KEPT and not route.has(transaction.request)


def route_headers(transaction: Transaction, outcome: CommitOutcome, now: Instant) -> SessionHeaders:
    """Return the header with the route, where a session was made or moved, or has ended.

    A server that is drained takes back its own, so that the balancer finds the client another one.
    """
    context, opened, request = transaction.context, transaction.opened, transaction.request
    route, record = context.route, outcome.record or opened.record
    if route is None or opened.unrotated or not isinstance(opened.carrier, CookieCarrier):
        return ()
    has_route = route.has(request)
    if context.is_drained:
        return route.expire() if has_route else ()
    if outcome.record is None and transaction.state.intent is Intent.LOGOUT:
        return route.expire() if route.has_any(request) and opened.standing in _KEPT else ()
    is_kept = opened.standing in _KEPT and not has_route
    if record is None or not (is_kept or outcome.ticket is not None):  # with which it lasts as long
        return ()
    return route.issue(context.policy.max_age(record, now))
