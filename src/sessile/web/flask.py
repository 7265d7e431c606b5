"""Flask: ``flask.session`` itself. ``web.wsgi`` makes it and sends its cookie."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, Final, ParamSpec, cast

from sessile.core.options import suggest_options
from sessile.core.session import Session
from sessile.core.value import Seconds
from sessile.errors import ConfigError, LoginNeeded, MissingExtra, StepUpNeeded
from sessile.service.sessions import Sessions
from sessile.web.integration import (
    CSRF_FIELD,
    CSRF_HEADER,
    REFUSED,
    LazySession,
    RequestSession,
    authorize,
    environ_request,
    life_of,
    needs_csrf_token,
    refusal,
)
from sessile.web.wsgi import KEY, SessionMiddleware

try:
    import flask
    from flask.sessions import SessionInterface, SessionMixin
    from werkzeug.exceptions import HTTPException
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.web.flask", "flask") from error

P = ParamSpec("P")

session: Final = cast("Session", flask.session)
"""``flask.session``, typed as what it is."""


class FlaskSession(LazySession, SessionMixin):  # type: ignore[override]  # plain attributes there
    """A session as Flask expects it.

    Attributes:
        alone: there is no middleware to send its cookie, because no server made the request.
    """

    alone = False

    @property
    def accessed(self) -> bool:
        """Whether the answer depends on it, so that it says ``Vary``. Setting it does nothing.

        Flask sets it whenever somebody names ``flask.session``, who may not look into it then.
        """
        return life_of(self).touched

    @accessed.setter
    def accessed(self, _: bool) -> None:
        pass

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


@suggest_options
class Sessile(SessionInterface):
    """Make ``flask.session`` a session of sessile.

    ``Policy`` and ``Cookie`` take the place of Flask's ``SESSION_...`` and ``SECRET_KEY`` settings.

    Args:
        app: the application; None leaves it to ``init_app``.
        sessions: where sessions live; None is ``Sessions()``.
        passive: path prefixes whose requests are no sign of life; see ``web.wsgi``.
        unrotated: path prefixes whose requests turn no ticket; see there.
    """

    def __init__(
        self,
        app: flask.Flask | None = None,
        sessions: Sessions | None = None,
        *,
        passive: Iterable[str] = (),
        unrotated: Iterable[str] = (),
    ) -> None:
        self._sessions = Sessions() if sessions is None else sessions
        self._passive, self._unrotated = passive, unrotated
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask) -> None:
        """Take over the sessions of an application. Its templates get ``{{ csrf_token() }}``.

        They get it when Flask makes their environment, which may still be configured until then.
        A ``csrf_token`` of somebody else, as Flask-WTF's, stays.
        """
        app.session_interface = self
        middleware = _Middleware(
            app.wsgi_app, self._sessions, passive=self._passive, unrotated=self._unrotated
        )
        app.wsgi_app = middleware  # type: ignore[method-assign]  # Flask's own advice
        _give_templates_token(app)
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
            life = RequestSession(self._sessions, environ_request(self._sessions, request.environ))
            found = FlaskSession(life)
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
        life = life_of(mine)
        try:
            life.commit()
        except REFUSED as error:
            if mine.alone:
                raise
            life.restart()
            _turn_into(response, app.make_response(app.handle_user_exception(error)))
        if mine.alone:
            response.headers = type(response.headers)(life.add_headers(list(response.headers)))


def csrf_token() -> str:
    """Return a CSRF token for a page, to be sent back by its forms as the field ``csrf_token``.

    Raises:
        ConfigError: ``flask.session`` is none of ours.
        TooLate: the answer's headers have left, and there is no session.
    """
    mine = _current_session()
    return life_of(mine).sessions.csrf_token(mine)


def check_csrf() -> None:
    """Make sure that a request that may change something brought a token of its session.

    It is looked for in the header ``X-CSRF-Token``, then in the form field ``csrf_token``. To look
    at every request: ``app.before_request(check_csrf)``.

    Raises:
        ConfigError: ``flask.session`` is none of ours.
        TokenNeeded: there is none, or another session's; left alone, it becomes a 403.
    """
    request = flask.request
    if needs_csrf_token(request.method):
        mine = _current_session()
        given = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD, "")
        life_of(mine).sessions.check_csrf(mine, given)


def require(
    *,
    assurance: int = 1,
    fresh: Seconds | None = None,
    purpose: str | None = None,
    otherwise: str | None = None,
) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """Let a view, plain or async, run for those alone who are logged in. Below ``@app.route``.

    Args:
        assurance: the lowest level that will do.
        fresh: the login must be this recent, in seconds.
        purpose: spend a grant of ``session.step_up`` for it.
        otherwise: where to send the browser of anybody else, as in ``"/login"``; None raises
            ``LoginNeeded`` or ``StepUpNeeded``, which become a 401 and a 403 unless the application
            has a handler for them.
    """

    def decorate(view: Callable[P, Any]) -> Callable[P, Any]:
        @functools.wraps(view)
        def guard(*args: P.args, **kwargs: P.kwargs) -> Any:
            mine = _current_session()
            try:
                authorize(mine, assurance=assurance, fresh=fresh, purpose=purpose)
            except (LoginNeeded, StepUpNeeded):
                if otherwise is None:
                    raise
                return flask.redirect(otherwise, 303)
            return flask.current_app.ensure_sync(view)(*args, **kwargs)

        return guard

    return decorate


def _current_session() -> LazySession:
    found = flask.session._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  (a proxy's own way)
    if isinstance(found, LazySession):
        return found
    raise ConfigError("flask.session is none of sessile's: write Sessile(app, sessions)")


class _TemplateToken:
    """``csrf_token`` of templates.

    Templates of extensions ask ``{% if csrf_token %}`` before they put it into their own forms. Yes
    where the application checks all requests with ``check_csrf``; else the forms' own tokens count,
    as those of Flask-Admin's ``SecureForm``, whose field has the same name.
    """

    def __call__(self) -> str:
        return csrf_token()

    def __bool__(self) -> bool:
        return any(check_csrf in done for done in flask.current_app.before_request_funcs.values())


def _give_templates_token(app: flask.Flask) -> None:
    if "jinja_env" in vars(app):  # made already; until then it is the application's to configure
        app.jinja_env.globals.setdefault("csrf_token", _TemplateToken())
        return
    create = app.create_jinja_environment

    def create_with_token() -> flask.templating.Environment:
        made = create()
        made.globals.setdefault("csrf_token", _TemplateToken())
        return made

    app.create_jinja_environment = create_with_token  # type: ignore[method-assign]  # once, by Flask


def _turn_into(response: flask.Response, other: flask.Response) -> None:
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
        life_of(found).restart()
