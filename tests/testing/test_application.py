"""What an application is tested with, behind the test clients of Starlette and Flask."""

import json

import flask
import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from harness.examples import run_example
from sessile import Bearer, Binding, Cookie, OnMismatch, Policy, Sessions, days, hours, minutes
from sessile.errors import ConfigError
from sessile.service.events import Ended, Expired, LoggedIn, Rotated
from sessile.service.sessions import context_of
from sessile.testing.application import SessionTester
from sessile.web.asgi import SessionMiddleware
from sessile.web.flask import Sessile
from sessile.web.wsgi import SessionMiddleware as WsgiMiddleware


@pytest.fixture
def sessions():
    return Sessions("memory://", cookie=Cookie(secure=False))


def starlette_client(sessions):
    """Give a client of a Starlette application, and what asks it ``/me`` and ``/out``."""

    def me(request):
        return JSONResponse([request.session.user, dict(request.session)])

    def out(request):
        request.session.logout()
        return JSONResponse([None, {}])

    routes = [Route("/me", me), Route("/out", out)]
    app = Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, sessions=sessions)])
    client = TestClient(app)
    return client, lambda path: client.get(path).json()


def flask_client(sessions):
    """Give the same of a Flask application."""
    app = flask.Flask(__name__)
    Sessile(app, sessions)

    @app.get("/me")
    def me():
        return flask.jsonify([flask.session.user, dict(flask.session)])

    @app.get("/out")
    def out():
        flask.session.logout()
        return flask.jsonify([None, {}])

    client = app.test_client()
    return client, lambda path: client.get(path).json


def wsgi_client(sessions):
    """Give the same of an application of no framework, as docs/testing-your-application.md says."""

    def application(environ, start_response):
        session = environ["sessile.session"]
        if environ["PATH_INFO"] == "/out":
            session.logout()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps([session.user, dict(session)]).encode()]

    transport = httpx.WSGITransport(WsgiMiddleware(application, sessions))
    client = httpx.Client(transport=transport, base_url="https://testserver")
    return client, lambda path: client.get(path).json()


@pytest.fixture(params=[starlette_client, flask_client, wsgi_client])
def client_of(request):
    return request.param


def test_user_is_logged_in_without_a_login_page(session_tester, sessions, client_of):
    """With the values that the test needs; the application cannot tell it from its own login."""
    tester = session_tester(sessions)
    client, ask = client_of(sessions)
    tester.log_in("alice", values={"cart": ["hat"]}, client=client)

    assert ask("/me") == ["alice", {"cart": ["hat"]}]
    assert [event.owner for event in tester.events_of(LoggedIn)] == ["alice"]
    ask("/out")
    assert ask("/me") == [None, {}]
    assert [event.owner for event in tester.events_of(Ended)] == ["alice"]


def test_clock_moves_when_it_is_told_to(session_tester, sessions, client_of):
    """An idle session ends in no time; before, its ticket turns, and the client has one cookie."""
    tester = session_tester(sessions)
    client, ask = client_of(sessions)
    tester.log_in("alice", client=client)
    tester.clock.advance(minutes(29))
    assert ask("/me")[0] == "alice"
    tester.clock.advance(minutes(31))

    assert ask("/me")[0] is None
    assert len(tester.events_of(Expired)) == 1


def test_login_says_what_a_login_says(session_tester):
    """Levels, factors and remembering; and a visitor has values too."""
    sessions = Sessions("memory://", policy=Policy(remember_idle=days(9)))
    tester = session_tester(sessions)
    cookie = tester.log_in("alice", assurance=2, factors=("password", "totp"), remember=True)
    (info,) = sessions.sync.of("alice")

    assert (info.assurance, info.presented) == (2, True)
    tester.clock.advance(days(8))
    assert tester.user(cookie) == "alice"
    visitor = tester.begin({"cart": ["hat"]})
    assert (tester.user(visitor), tester.values(visitor)) == (None, {"cart": ["hat"]})


def test_afterwards_all_is_as_before(sessions):
    """The clock is the application's own again, and nobody listens."""
    context = context_of(sessions)
    before = (context.clock, context.timer, context.has_hooks)
    with SessionTester(sessions) as tester:
        cookie = tester.log_in("alice")
        assert context.has_hooks
        tester.clock.advance(5.0)
    told = len(tester.events)
    sessions.sync.end_all("alice")

    assert (context.clock, context.timer, context.has_hooks) == before
    assert (len(tester.events), len(cookie)) == (told, 1)


def test_page_for_applications_is_true(session_tester):
    """The example of the documentation, whole."""
    name = "test_account_is_hers_until_she_is_idle"
    example = run_example("testing-your-application.md", name)
    example.test_account_is_hers_until_she_is_idle(session_tester)


@pytest.mark.parametrize("reaction", list(OnMismatch))
def test_look_changes_nothing(reaction):
    """Whatever the policy says of another client, who tests is none: the session goes on."""
    binding = Binding(on_mismatch=reaction)
    sessions = Sessions(
        "memory://", cookie=Cookie(secure=False), policy=Policy(binding=binding, idle=hours(1))
    )

    def count(request):
        return JSONResponse([request.session.user, request.session.increment("n")])

    middleware = [Middleware(SessionMiddleware, sessions=sessions)]
    app = Starlette(routes=[Route("/", count)], middleware=middleware)
    firefox = {
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    }
    client = TestClient(app, headers=firefox, client=("192.0.2.7", 4711))
    with SessionTester(sessions) as tester:
        cookie = tester.log_in("alice", client=client)
        client.get("/")
        (before,) = sessions.sync.of("alice")
        tester.clock.advance(minutes(20))
        assert (tester.user(cookie), tester.values(cookie)) == ("alice", {"n": 1})
        assert sessions.sync.of("alice") == [before]

        assert client.get("/").json() == ["alice", 2]
        assert [type(event) for event in tester.events] == [LoggedIn, Rotated]


def test_cookie_is_found_beside_another_carrier():
    """An answer to nobody goes the first way; what it carries is as good in the cookie."""
    sessions = Sessions("memory://", carriers=[Bearer(), Cookie(secure=False)])
    with SessionTester(sessions) as tester:
        assert tester.user(tester.log_in("alice")) == "alice"
        assert tester.values(tester.begin({"cart": ["hat"]})) == {"cart": ["hat"]}


def test_sessions_without_a_cookie_are_refused():
    """A tester hands out cookies, and would log nobody in."""
    with pytest.raises(ConfigError, match="no cookie"):
        SessionTester(Sessions("memory://", carriers=[Bearer()]))
