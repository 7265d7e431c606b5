"""WSGI: a lazy session in ``environ["sessile.session"]``. ``web.answer`` saves it in time."""

from collections.abc import Iterable
from typing import ClassVar, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sessile.codecs.agent import get_ready
from sessile.service.sessions import Sessions
from sessile.web.answer import Answer, Body
from sessile.web.deferred import Deferred
from sessile.web.exchange import prefixes
from sessile.web.form import read_before
from sessile.web.gate import shut
from sessile.web.requests import EnvironRequest
from sessile.web.unloaded import excluded

KEY: Final = "sessile.session"
"""Where the session stands in the environ."""


class SessionMiddleware:
    """Give every request a session, and save it before the headers of the answer leave.

    Nothing is asked of the store until the application touches the session.

    Args:
        app: the application.
        sessions: where sessions live.
        exclude: path prefixes without sessions, as in ``("/static/",)``. The cross-site check is
            not made there either.
        passive: path prefixes whose requests use the session and are no sign of life, as the polls
            of a page that nobody looks at: ``("/poll",)``. They do not move the idle clock.

    Raises:
        ConfigError: a prefix is no path.
    """

    session_type: ClassVar[type[Deferred]] = Deferred

    def __init__(
        self,
        app: WSGIApplication,
        sessions: Sessions,
        *,
        exclude: Iterable[str] = (),
        passive: Iterable[str] = (),
    ) -> None:
        self._app = app
        self._parts = sessions.parts
        get_ready()
        named = prefixes("exclude", exclude)
        self._exclude = _as_told(named)
        self._passive = _as_told(prefixes("passive", passive))
        self._no_session = excluded(named)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Be the application."""
        if self._exclude and environ.get("PATH_INFO", "").startswith(self._exclude):
            environ[KEY] = self._no_session
            return self._app(environ, start_response)
        parts, request = self._parts, EnvironRequest(environ)
        if parts.carriers.in_body:
            read_before(request, environ)
        refused = shut(parts, request)
        if refused is not None:
            start_response(f"{refused.status} {refused.reason}", list(refused.headers))
            return [refused.body]
        session = self.session_type(parts, request, passive=self._is_passive(environ))
        return self._serve(session, environ, start_response)

    def _is_passive(self, environ: WSGIEnvironment) -> bool:
        return bool(self._passive) and environ.get("PATH_INFO", "").startswith(self._passive)

    def _serve(
        self, session: Deferred, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        environ[KEY] = session
        answer = Answer(session, environ, start_response)
        chunks = answer.attempt(self._app, environ, answer.start)
        body = Body(answer, () if chunks is None else chunks)
        over = session.closed or _inert(chunks, environ)
        return body.settled() if over else body


def _as_told(named: tuple[str, ...]) -> tuple[str, ...]:
    """Return paths as an environ tells them: bytes, told as Latin-1 (PEP 3333)."""
    return tuple(prefix.encode().decode("latin-1") for prefix in named)


def _inert(chunks: object, environ: WSGIEnvironment) -> bool:
    """Tell whether none of the application's code runs while the server sends this body."""
    if type(chunks) is list or type(chunks) is tuple:
        return True
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(chunks, wrapper)
