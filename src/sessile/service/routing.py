"""Which server a client comes back to: the cookie that a sticky balancer obeys. ``core.route``."""

from sessile.core.carrier import CookieCarrier, SessionHeaders
from sessile.core.identity import Intent
from sessile.core.value import Instant
from sessile.service.transaction import CommitOutcome, Standing, Transaction

_KEPT = (Standing.LIVE, Standing.LOCKED)


def is_moved(transaction: Transaction) -> bool:
    """Tell whether a client with a session is to go to another server than its route says.

    It has none yet, or its own was down, and it stays here; or it has this one's, which is drained.
    """
    context, opened = transaction.context, transaction.opened
    return (
        context.route is not None
        and opened.standing in _KEPT
        and isinstance(opened.carrier, CookieCarrier)
        and context.route.has(transaction.request) is context.is_drained
    )


def route_headers(transaction: Transaction, outcome: CommitOutcome, now: Instant) -> SessionHeaders:
    """Return the header with the route, where a session was made or moved, or has ended.

    A server that is drained takes back its own, so that the balancer finds the client another one.
    """
    context, opened, request = transaction.context, transaction.opened, transaction.request
    route, record = context.route, outcome.record or opened.record
    if route is None or not isinstance(opened.carrier, CookieCarrier):
        return ()
    has_route = route.has(request)
    if context.is_drained:
        return route.expire() if has_route else ()
    if outcome.record is None and transaction.state.intent is Intent.LOGOUT:
        return route.expire() if has_route and opened.standing in _KEPT else ()
    is_kept = outcome.ticket is not None or opened.standing in _KEPT
    if record is None or has_route or not is_kept:
        return ()
    return route.issue(context.policy.max_age(record, now))
