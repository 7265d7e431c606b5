"""Sessions of other code, in our place or around it, and ours where a dict is expected."""

import flask
import pytest
from flask.sessions import SecureCookieSessionInterface
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.sessions import SessionMiddleware as Theirs
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

from harness.applications import wsgi_app
from harness.browsers import AsgiBrowser, WsgiBrowser
from harness.recording_store import fresh_sessions, take_commands
from sessile.errors import ConfigError
from sessile.web.asgi import SessionMiddleware, load_session
from sessile.web.flask import Sessile, session
from sessile.web.starlette import get_session
from sessile.web.wsgi import SessionMiddleware as WsgiMiddleware
from sessile.wire.log import log_second_middleware


def starlette(endpoint, sessions, **options):
    app = Starlette(routes=[Route("/", endpoint)])
    app.add_middleware(SessionMiddleware, sessions=sessions, **options)
    return app


async def ok(request):
    return PlainTextResponse("ok")


@pytest.mark.parametrize("load", ["eager", "lazy"])
@pytest.mark.parametrize("other", [{}, {"user": "alice"}, None, object()])
def test_session_that_is_replaced_is_refused(other, load):
    """``scope["session"] = {}`` is told with what to write, and nothing is saved."""
    sessions = fresh_sessions()

    async def replace(request):
        session = await load_session(request)
        session["n"] = 1
        request.scope["session"] = other
        return PlainTextResponse("never")

    with pytest.raises(ConfigError, match=r"write session\.clear\(\)"):
        AsgiBrowser(starlette(replace, sessions, load=load)).get()

    assert "create" not in take_commands(sessions)


def test_other_middleware_inside_is_found_at_the_first_request():
    """Starlette's own ``SessionMiddleware`` inside of ours would take every value to its cookie."""
    app = Starlette(routes=[Route("/", ok)])
    app.add_middleware(Theirs, secret_key="x" * 40)
    app.add_middleware(SessionMiddleware, sessions=fresh_sessions())

    with pytest.raises(ConfigError, match="stands inside"):
        AsgiBrowser(app).get()


@pytest.mark.parametrize("exclude", [(), ("/",)])
def test_other_middleware_outside_is_found_at_the_first_request(exclude):
    """Outside of ours it would take our session for its dict."""
    app = starlette(ok, fresh_sessions(), exclude=exclude)
    app.add_middleware(Theirs, secret_key="x" * 40)

    with pytest.raises(ConfigError, match="stands outside"):
        AsgiBrowser(app).get()


def test_mounted_application_may_have_sessions_of_its_own():
    """A session of ours in the place of ours is no mistake."""
    app = Starlette(routes=[Mount("/in", starlette(ok, fresh_sessions()))])
    app.add_middleware(SessionMiddleware, sessions=fresh_sessions())

    assert AsgiBrowser(app).get("/in/").body == b"ok"


@pytest.fixture
def lines(caplog):
    """What the log says of two middlewares; it says so once in a process."""
    log_second_middleware.cache_clear()
    return lambda: [one.getMessage() for one in caplog.records if "two Session" in one.getMessage()]


async def count(request):
    return PlainTextResponse(str(get_session(request).increment("n")))


@pytest.mark.parametrize("inner", ["eager", "lazy"])
@pytest.mark.parametrize("outer", ["eager", "lazy"])
def test_second_middleware_of_the_same_sessions_does_nothing(outer, inner, lines):
    """One session, opened and saved once; a line in the log says which one to take out."""
    sessions = fresh_sessions()

    async def load_and_count(request):
        await load_session(request)
        return await count(request)

    app = starlette(count if inner == "eager" else load_and_count, sessions, load=inner)
    app.add_middleware(SessionMiddleware, sessions=sessions, load=outer)
    browser = AsgiBrowser(app)

    assert [browser.get().body for _ in range(2)] == [b"1", b"2"]
    assert take_commands(sessions) == ["create", "read", "commit"]
    assert len(lines()) == 1
    assert "take one of them out" in lines()[0]


def test_second_middleware_of_other_sessions_is_found_at_the_first_request():
    """Where both have one cookie each would undo the other's."""
    app = starlette(ok, fresh_sessions())
    app.add_middleware(SessionMiddleware, sessions=fresh_sessions())

    with pytest.raises(ConfigError, match="two SessionMiddleware with different Sessions"):
        AsgiBrowser(app).get()


def test_second_middleware_of_wsgi_does_nothing(lines):
    """As under ASGI."""
    sessions = fresh_sessions()
    once = WsgiMiddleware(wsgi_app(lambda session: str(session.increment("n")).encode()), sessions)
    browser = WsgiBrowser(WsgiMiddleware(once, sessions))

    assert [browser.get().body for _ in range(2)] == [b"1", b"2"]
    assert take_commands(sessions) == ["create", "read", "commit"]
    assert len(lines()) == 1


def test_middleware_around_flask_is_found_at_the_first_request():
    """``Sessile(app)`` needs no second one, whose session is not Flask's."""
    sessions = fresh_sessions()
    app = flask.Flask("flask shop")
    Sessile(app, sessions)
    app.wsgi_app = WsgiMiddleware(app.wsgi_app, sessions)

    with pytest.raises(ConfigError, match="take the SessionMiddleware out"):
        WsgiBrowser(app).get()


def test_middleware_that_asks_too_early_is_told_the_order():
    """One that was added after ours comes before it, and finds no session."""

    async def look(request, call_next):
        get_session(request)
        return await call_next(request)

    app = starlette(ok, fresh_sessions())
    app.add_middleware(BaseHTTPMiddleware, dispatch=look)
    with pytest.raises(ConfigError, match="the one added last comes first"):
        AsgiBrowser(app).get()

    app = Starlette(routes=[Route("/", ok)])
    app.add_middleware(BaseHTTPMiddleware, dispatch=look)
    app.add_middleware(SessionMiddleware, sessions=fresh_sessions())
    assert AsgiBrowser(app).get().body == b"ok"


async def dumps(request):
    request.session["n"] = 1
    return JSONResponse({"session": request.session})


def test_json_of_a_session_says_what_to_write():
    """The encoder's error has a note: ``dict(session)``."""
    with pytest.raises(TypeError, match="JSON") as refused:
        AsgiBrowser(starlette(dumps, fresh_sessions())).get()

    assert "dict(session)" in refused.value.__notes__[0]


def test_json_of_a_session_says_so_in_flask_and_wsgi():
    """Both have the note as well; another ``TypeError`` has none."""
    app = flask.Flask("flask shop")
    Sessile(app, fresh_sessions())
    app.testing = True
    app.add_url_rule("/", "/", lambda: flask.jsonify(session=flask.session._get_current_object()))
    app.add_url_rule("/typed", "/typed", lambda: flask.jsonify(session))
    app.add_url_rule("/other", "/other", lambda: flask.jsonify(other=object()))
    plain = WsgiMiddleware(
        wsgi_app(lambda session: flask.json.dumps({"s": session}).encode()), fresh_sessions()
    )
    for path, browser, notes in (
        ("/", WsgiBrowser(app), 1),
        ("/typed", WsgiBrowser(app), 1),
        ("/", WsgiBrowser(plain), 1),
        ("/other", WsgiBrowser(app), 0),
    ):
        with pytest.raises(TypeError, match="JSON") as refused:
            browser.get(path)
        told = getattr(refused.value, "__notes__", [])
        assert ["dict(session)" in note for note in told] == [True] * notes


class Extension(SecureCookieSessionInterface):
    """An extension's sessions."""


def test_other_sessions_of_flask_are_found_at_start():
    """What set ``app.session_interface`` before, even ourselves, is named."""
    app = flask.Flask("flask shop")
    app.session_interface = Extension()
    with pytest.raises(ConfigError, match="Extension already"):
        Sessile(app, fresh_sessions())

    app = flask.Flask("flask shop")
    Sessile(app, fresh_sessions())
    with pytest.raises(ConfigError, match="Sessile already"):
        Sessile(app, fresh_sessions())


def test_other_sessions_of_flask_that_come_later_are_found_at_the_first_request():
    """What sets it after us would leave ours unused, in silence."""
    app = flask.Flask("flask shop")
    Sessile(app, fresh_sessions())
    app.session_interface = Extension()
    app.add_url_rule("/", "/", lambda: "ok")

    with pytest.raises(ConfigError, match="Extension after Sessile"):
        WsgiBrowser(app).get()
