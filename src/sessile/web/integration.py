"""All that it takes to give another framework sessions. docs/frameworks.md shows how.

``web.wsgi`` stands on these names, and ``web.flask`` on these and ``web.wsgi``, on no other of
``web``. ASGI frameworks take ``web.asgi.SessionMiddleware`` as it is.
"""

from wsgiref.types import WSGIEnvironment

from sessile.codecs.agent import get_ready
from sessile.core.flow import run
from sessile.core.request import PlainRequest
from sessile.core.value import Seconds
from sessile.service import require
from sessile.service.sessions import Sessions, context_of
from sessile.web.answers import ERROR, check_answers, find_answer
from sessile.web.cross_site import refuse_cross_site
from sessile.web.csrf import CSRF_FIELD, CSRF_HEADER, needs_csrf_token
from sessile.web.foreign import advise
from sessile.web.lazy import LazySession, RequestSession, life_of
from sessile.web.readiness import ReadinessPage, readiness_page
from sessile.web.refusal import REFUSED, Refusal, refusal
from sessile.web.request import EnvironRequest, peek_environ_form

__all__ = [
    "CSRF_FIELD",
    "CSRF_HEADER",
    "ERROR",
    "REFUSED",
    "EnvironRequest",
    "LazySession",
    "PlainRequest",
    "ReadinessPage",
    "Refusal",
    "RequestSession",
    "advise",
    "authorize",
    "check_answers",
    "check_sessions",
    "environ_request",
    "find_answer",
    "get_ready",
    "life_of",
    "needs_csrf_token",
    "readiness_page",
    "refusal",
    "refuse_cross_site",
    "requests_under_way",
]


def check_sessions(sessions: Sessions) -> None:
    """Refuse what is no ``Sessions`` when a middleware is made, and not with its first request.

    Raises:
        ConfigError: it is something else, as a URL.
    """
    context_of(sessions)


def requests_under_way(sessions: Sessions) -> set[int] | None:
    """Return the set to which a request adds a number of its own, as its ``id``, while it is there.

    None where the server has no name: then nobody asks.
    """
    worker = context_of(sessions).worker
    return None if worker is None else worker.under_way()


def environ_request(sessions: Sessions, environ: WSGIEnvironment) -> EnvironRequest:
    """Return the request that a WSGI environ holds, before the application reads its body.

    A form is read where a carrier looks into forms, and put back for the application.
    """
    request = EnvironRequest(environ)
    if context_of(sessions).carriers.in_body:
        peek_environ_form(request, environ)
    return request


def authorize(
    session: LazySession,
    *,
    assurance: int = 1,
    fresh: Seconds | None = None,
    purpose: str | None = None,
) -> None:
    """Return if the session's user may go on: what a framework's ``require`` is made of.

    Args:
        session: the request's.
        assurance: the lowest level that will do.
        fresh: the login must be this recent, in seconds.
        purpose: use up a grant of ``session.step_up`` for it.

    Raises:
        LoginNeeded: nobody is logged in.
        StepUpNeeded: somebody is, not well or recently enough, or without a grant.
        StoreUnavailable: nobody can tell whether there is a grant.
        TooLate: the answer has left, or the handler has failed.
    """
    life = life_of(session)
    context, request = context_of(life.sessions), life.request
    run(
        require.authorize(
            context, request, session, assurance=assurance, fresh=fresh, purpose=purpose
        )
    )
