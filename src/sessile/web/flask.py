"""Flask: ``flask.session`` itself. ``web.wsgi`` makes it and sends its cookie."""

from typing import Any, Final, cast

from sessile.core.session import Session
from sessile.errors import ConfigError, MissingExtra
from sessile.service.sessions import Sessions
from sessile.web.deferred import Deferred
from sessile.web.exchange import REFUSED, TEXT, marked, refusal
from sessile.web.requests import EnvironRequest
from sessile.web.wsgi import KEY, SessionMiddleware

try:
    import flask
    from flask.sessions import SessionInterface, SessionMixin
    from werkzeug.exceptions import HTTPException
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.web.flask", "flask") from error

session: Final = cast("Session", flask.session)
"""``flask.session``, typed as what it is."""


class FlaskSession(Deferred, SessionMixin):  # type: ignore[override]  # plain attributes there
    """A session as Flask expects it.

    Attributes:
        alone: there is no middleware to send its cookie, because no server made the request.
    """

    alone = False

    @property
    def permanent(self) -> bool:
        """Whether the cookie outlives the browser. ``login(remember=True)`` decides it."""
        return self.persistent

    @permanent.setter
    def permanent(self, value: bool) -> None:
        if bool(value) is not self.persistent:
            raise ConfigError(
                f"session.permanent = {value!r}: how long a session is remembered is decided at "
                "the login; write session.login(user, remember=True)"
            )


class _Middleware(SessionMiddleware):
    session_type = FlaskSession


class Sessile(SessionInterface):
    """Make ``flask.session`` a session of sessile.

    ``Policy`` and ``Cookie`` take the place of Flask's ``SESSION_...`` and ``SECRET_KEY`` settings.

    Args:
        app: the application; None leaves it to ``init_app``.
        sessions: where sessions live; None is ``Sessions()``.
    """

    def __init__(self, app: flask.Flask | None = None, sessions: Sessions | None = None) -> None:
        self._sessions = Sessions() if sessions is None else sessions
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Take over the sessions of an application."""
        app.session_interface = self
        app.wsgi_app = _Middleware(app.wsgi_app, self._sessions)  # type: ignore[method-assign]  # Flask's own advice
        for kind in REFUSED:
            app.register_error_handler(kind, _refuse)
        flask.got_request_exception.connect(_forget, app)

    def open_session(
        self,
        app: flask.Flask,  # noqa: ARG002  (Flask's signature)
        request: flask.Request,
    ) -> FlaskSession:
        """Return the request's session; it asks the store when it is touched."""
        found = request.environ.get(KEY)
        if found is None:  # a test_request_context, or a session_transaction
            found = FlaskSession(self._sessions.parts, EnvironRequest(request.environ))
            found.alone = True
        return cast("FlaskSession", found)

    def save_session(
        self, app: flask.Flask, session: SessionMixin, response: flask.Response
    ) -> None:
        """Save the session once the answer is made; the middleware sends its cookie.

        A streamed answer may go on using it until its first byte, when the middleware saves it.
        """
        if response.is_streamed:
            return
        mine = cast("FlaskSession", session)
        try:
            mine.commit()
        except REFUSED as error:
            if mine.alone:
                raise
            mine.restart()
            _become(response, app.make_response(app.handle_user_exception(error)))
        if mine.alone and mine.touched:
            headers = marked(response.headers, mine.commit(), TEXT)
            response.headers = type(response.headers)(headers)


def _become(response: flask.Response, other: flask.Response) -> None:
    """Turn an answer that is already on its way into another one."""
    response.status, response.headers = other.status, other.headers
    response.response = other.response


def _refuse(error: Exception) -> flask.Response:
    """Answer 503 or 403; an application's own handler of the error comes before this one."""
    refused = refusal(error)
    return flask.current_app.response_class(refused.body, refused.status, refused.headers)


def _forget(_app: flask.Flask, exception: BaseException, **_: Any) -> None:
    """Drop what a handler did before it failed. The page that says so may use the session anew.

    An ``abort`` is no failure, though some extensions announce it as one.
    """
    found = flask.request.environ.get(KEY)
    if found is not None and not isinstance(exception, HTTPException):
        found.restart()
