"""Which server a client comes back to: the cookie that a sticky balancer obeys. ``core.route``."""

from sessile.core.carrier import CookieCarrier, SessionHeaders
from sessile.core.identity import Intent
from sessile.core.value import Instant
from sessile.service.transaction import CommitOutcome, Standing, Transaction

_KEPT = (Standing.LIVE, Standing.LOCKED)


def is_moved(transaction: Transaction) -> bool:
    """Tell whether a request came to this server with a session and without its route.

    Then its own was down, or drained, or it has none yet.
    """
    context, opened = transaction.context, transaction.opened
    return (
        context.route is not None
        and opened.standing in _KEPT
        and isinstance(opened.carrier, CookieCarrier)
        and not context.route.has(transaction.request)
    )


def route_headers(transaction: Transaction, outcome: CommitOutcome, now: Instant) -> SessionHeaders:
    """Return the header with the route, where a session was made or moved, or has ended."""
    context, opened, request = transaction.context, transaction.opened, transaction.request
    route, record = context.route, outcome.record or opened.record
    if route is None or not isinstance(opened.carrier, CookieCarrier):
        return ()
    has_route = route.has(request)
    if outcome.record is None and transaction.state.intent is Intent.LOGOUT:
        return route.expire() if has_route and opened.standing in _KEPT else ()
    is_kept = outcome.ticket is not None or opened.standing in _KEPT
    if record is None or has_route or not is_kept:
        return ()
    return route.issue(context.policy.max_age(record, now))
