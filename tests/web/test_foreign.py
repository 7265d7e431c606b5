"""Sessions of other code, in our place or around it, and ours where a dict is expected."""

import flask
import pytest
from flask.sessions import SecureCookieSessionInterface
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware as Theirs
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

from harness.applications import wsgi_app
from harness.browsers import AsgiBrowser, WsgiBrowser
from harness.recording_store import fresh_sessions, take_commands
from sessile.errors import ConfigError
from sessile.web.asgi import SessionMiddleware, load_session
from sessile.web.flask import Sessile
from sessile.web.wsgi import SessionMiddleware as WsgiMiddleware


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
    app.add_url_rule("/other", "/other", lambda: flask.jsonify(other=object()))
    plain = WsgiMiddleware(
        wsgi_app(lambda session: flask.json.dumps({"s": session}).encode()), fresh_sessions()
    )
    for path, browser, notes in (
        ("/", WsgiBrowser(app), 1),
        ("/", WsgiBrowser(plain), 1),
        ("/other", WsgiBrowser(app), 0),
    ):
        with pytest.raises(TypeError, match="JSON") as refused:
            browser.get(path)
        assert bool(getattr(refused.value, "__notes__", [])) is bool(notes)


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
