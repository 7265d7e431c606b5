"""Flask: ``flask.session`` itself. ``web.wsgi`` makes it and sends its cookie."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, Final, ParamSpec, cast
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sessile.core.options import suggest_options
from sessile.core.require import check_requirement
from sessile.core.session_values import FLASHES
from sessile.core.state import SessionState
from sessile.core.value import Seconds
from sessile.errors import (
    ConfigError,
    LoginNeeded,
    MissingExtra,
    SessileError,
    StepUpNeeded,
    TooLate,
)
from sessile.service.sessions import Sessions
from sessile.web.flask_settings import check_settings
from sessile.web.integration import (
    CSRF_FIELD,
    CSRF_HEADER,
    ERROR,
    REFUSED,
    LazySession,
    RequestSession,
    advise,
    authorize,
    check_sessions,
    environ_request,
    find_answer,
    life_of,
    needs_csrf_token,
    refusal,
)
from sessile.web.wsgi import KEY, SessionMiddleware

try:
    import flask
    from flask.sessions import SecureCookieSessionInterface, SessionInterface, SessionMixin
    from werkzeug.exceptions import HTTPException

    from sessile.web.flask_templates import TemplateSession
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.web.flask", "flask") from error

P = ParamSpec("P")

session: Final = cast("LazySession", flask.session)
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
        """Whether the cookie outlives the browser.

        Set it in the request that logs somebody in, or that begins a session: then it says what
        ``login(remember=...)`` does not. Later it changes nothing, and a log line says so.
        """
        wish = life_of(self).remember
        return self.persistent if wish is None else wish

    @permanent.setter
    def permanent(self, value: bool) -> None:
        life_of(self).wish_remembered(bool(value))

    @property
    def _state(self) -> SessionState:
        life = life_of(self)
        try:
            return life.open()
        except TooLate:
            if not life.over:
                raise
        # the answer is complete: in teardown, or in a test that kept the context
        return life.look_back(environ_request(life.sessions, flask.request.environ))

    def pop(self, key: str, *default: Any) -> Any:
        """Remove and return a value. Of a complete answer messages can be read, and stay."""
        if key == FLASHES and life_of(self).over and key in self:
            return list(self[key])
        return super().pop(key, *default)


class _LoneSession(FlaskSession):
    alone = True


class _Middleware(SessionMiddleware):
    session_type = FlaskSession
    app: flask.Flask
    checked = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        found = self.app.session_interface
        if not isinstance(found, Sessile):
            raise ConfigError(
                f"app.session_interface was set to {type(found).__name__} after Sessile(app): take "
                "out the line that sets it, as Session(app) of Flask-Session"
            )
        if not self.checked:
            check_settings(self.app.config, self._sessions)
            self.checked = True
        return super().__call__(environ, start_response)


@suggest_options
class Sessile(SessionInterface):
    """Make ``flask.session`` a session of sessile.

    ``Policy`` and ``Cookie`` take the place of Flask's ``SESSION_...`` and ``SECRET_KEY`` settings;
    those that say otherwise are refused with what to write.

    Args:
        app: the application; None leaves it to ``init_app``.
        sessions: where sessions live; None is ``Sessions()``.
        passive: path prefixes whose requests are no sign of life; see ``web.wsgi``.
        unrotated: path prefixes whose requests turn no ticket; see there.
        readiness: a path that tells a balancer whether this server takes clients; see there.
    """

    def __init__(
        self,
        app: flask.Flask | None = None,
        sessions: Sessions | None = None,
        *,
        passive: Iterable[str] = (),
        unrotated: Iterable[str] = (),
        readiness: str | None = None,
    ) -> None:
        self._sessions = Sessions() if sessions is None else sessions
        self._passive, self._unrotated, self._readiness = passive, unrotated, readiness
        if app is not None:
            self.init_app(app)

    def init_app(self, app: flask.Flask, sessions: None = None) -> None:
        """Take over the sessions of an application. Its templates get ``{{ csrf_token() }}``.

        They get it when Flask makes their environment, which may still be configured until then.
        A ``csrf_token`` of somebody else, as Flask-WTF's, stays.

        Args:
            app: the application.
            sessions: nothing: ``Sessile`` takes them.

        Raises:
            ConfigError: it is no Flask application, has sessions of another kind already, or has
                settings of Flask's that would be passed over.
        """
        if sessions is not None:
            raise ConfigError(
                "init_app takes no sessions: write sessile = Sessile(sessions=sessions) beside the "
                "function that makes the application, and sessile.init_app(app) in it"
            )
        _check_app(app)
        check_sessions(self._sessions)
        check_settings(app.config, self._sessions)
        app.session_interface = self
        answers: dict[type[Exception], WSGIApplication] = {SessileError: _page(app)}
        middleware = _Middleware(
            app.wsgi_app,
            self._sessions,
            passive=self._passive,
            unrotated=self._unrotated,
            readiness=self._readiness,
            answers=answers,
        )
        middleware.app = app
        app.wsgi_app = middleware  # type: ignore[method-assign]  # Flask's own advice
        _give_templates_token(app)
        app.context_processor(lambda: {"session": TemplateSession()})
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
            found = _LoneSession(life)
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
            life.over = True
        except SessileError as error:
            if mine.alone:
                raise
            life.restart()
            flask.request.environ[ERROR] = error
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
    check_requirement(assurance, fresh, purpose)

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
        _fill(app.jinja_env)
        return
    create = app.create_jinja_environment

    def create_with_token() -> flask.templating.Environment:
        made = create()
        _fill(made)
        return made

    app.create_jinja_environment = create_with_token  # type: ignore[method-assign]  # once, by Flask


def _fill(templates: flask.templating.Environment) -> None:
    templates.globals.setdefault("csrf_token", _TemplateToken())
    templates.globals["session"] = TemplateSession()  # of macros that are imported without context


def _check_app(app: object) -> None:
    if not isinstance(app, flask.Flask):
        raise ConfigError(
            f"a {type(app).__name__} is no Flask application: write Sessile(app, sessions)"
        )
    found = app.session_interface
    if type(found) is not SecureCookieSessionInterface:
        raise ConfigError(
            f"app.session_interface is {type(found).__name__} already: take out the line that sets "
            "it, as Session(app) of Flask-Session or a second Sessile(app)"
        )


def _page(app: flask.Flask) -> WSGIApplication:
    """Return the application's error handlers as a page, for a stream that could not be saved.

    An error for which there is none is raised again.
    """

    def page(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with app.request_context(environ):
            response = app.make_response(app.handle_user_exception(environ[ERROR]))
            return response(environ, start_response)

    return page


def _turn_into(response: flask.Response, other: flask.Response) -> None:
    """Turn an answer that is already on its way into another one."""
    response.status, response.headers = other.status, other.headers
    response.response = other.response


def _refuse(error: Exception) -> Any:
    """Answer 503 or 403, unless the application has a handler: of that error or of a kind above."""
    app = flask.current_app
    handlers = (app.error_handler_spec[name][None] for name in (*flask.request.blueprints, None))
    for own in handlers:
        found = find_answer({kind: own[kind] for kind in own if own[kind] is not _refuse}, error)
        if found is not None:
            return app.ensure_sync(found)(error)
    refused = refusal(error)
    return app.response_class(refused.body, refused.status, refused.headers)


def _forget(_app: flask.Flask, exception: BaseException, **_: Any) -> None:
    """Drop what a handler did before it failed. The page that says so may use the session anew.

    An ``abort`` is no failure, though some extensions announce it as one.
    """
    advise(exception)
    found = flask.request.environ.get(KEY)
    if found is not None and not isinstance(exception, HTTPException):
        life_of(found).restart()
