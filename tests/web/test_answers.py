"""Errors of the save are answered by the application, in each framework's own way."""

import flask
import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from harness.applications import PLAIN, asgi_app, wsgi_app
from harness.browsers import AsgiBrowser, WsgiBrowser
from harness.recording_store import fresh_sessions
from harness.servers import serve_asgi
from sessile import OnLimit, Policy
from sessile.errors import (
    ConfigError,
    LostRace,
    SessionTooLarge,
    StoreUnavailable,
    TooManySessions,
    UnsupportedValue,
)
from sessile.service.sessions import context_of
from sessile.web import asgi, wsgi
from sessile.web.flask import Sessile

REFUSE = Policy(limit=1, on_limit=OnLimit.REFUSE, max_bytes=2_000)
KINDS = ["starlette", "fastapi", "asgi", "wsgi", "flask", "stream"]


def log_in(session):
    session.login("alice")


def grow(session):
    session["notes"] = []
    session["notes"].append("x" * 3_000)


def spoil(session):
    session["cart"] = []
    session["cart"].append(object())


def flashing(session, error):
    """The page: it uses the session it finds."""
    name = type(error).__name__
    session.flash(f"{name} of {getattr(error, 'user', None)}")
    return f"{name}, {session.user}"


def starlette(act, sessions, kinds, page, kind=Starlette):
    """A Starlette application that does that at ``/`` and takes flashes at ``/take``."""

    async def view(request):
        act(request.session)
        return PlainTextResponse("done")

    async def take(request):
        return JSONResponse(request.session.flashes())

    async def answer(request, error):
        return PlainTextResponse(page(request.scope["session"], error), 409)

    app = kind()
    app.add_route("/", view, methods=["GET"])
    app.add_route("/take", take, methods=["GET"])
    app.add_middleware(asgi.SessionMiddleware, sessions=sessions)
    for one in kinds:
        app.add_exception_handler(one, answer)
    return AsgiBrowser(app)


def plain_asgi(act, sessions, kinds, page):
    async def answer(scope, receive, send):
        said = page(scope["session"], scope["sessile.error"])
        await send({"type": "http.response.start", "status": 409, "headers": []})
        await send({"type": "http.response.body", "body": said.encode()})

    async def app(scope, receive, send):
        if scope["path"] == "/take":
            body = repr(scope["session"].flashes()).encode()
            await asgi_app(lambda _: None, body=body)(scope, receive, send)
        else:
            await asgi_app(act)(scope, receive, send)

    answers = dict.fromkeys(kinds, answer)
    return AsgiBrowser(asgi.SessionMiddleware(app, sessions, answers=answers))


def plain_wsgi(act, sessions, kinds, page):
    def answer(environ, start_response):
        said = page(environ[wsgi.KEY], environ["sessile.error"])
        start_response("409 Conflict", list(PLAIN))
        return [said.encode()]

    def app(environ, start_response):
        take = environ["PATH_INFO"] == "/take"
        handle = (lambda session: repr(session.flashes()).encode()) if take else act
        return wsgi_app(handle)(environ, start_response)

    return WsgiBrowser(wsgi.SessionMiddleware(app, sessions, answers=dict.fromkeys(kinds, answer)))


def in_flask(act, sessions, kinds, page, *, streamed=False):
    app = flask.Flask("flask shop")
    app.logger.disabled = True
    Sessile(app, sessions)

    @app.get("/")
    def view():
        act(flask.session)
        return flask.stream_with_context(iter(["done"])) if streamed else "done"

    @app.get("/take")
    def take():
        return str(flask.get_flashed_messages())

    for one in kinds:
        app.register_error_handler(one, lambda error: (page(flask.session, error), 409))
    return WsgiBrowser(app)


MAKERS = {
    "starlette": starlette,
    "fastapi": lambda *args: starlette(*args, kind=FastAPI),
    "asgi": plain_asgi,
    "wsgi": plain_wsgi,
    "flask": in_flask,
    "stream": lambda *args: in_flask(*args, streamed=True),
}


@pytest.fixture(params=KINDS)
def make(request):
    """Make a browser before an application with a page for these errors."""
    return lambda act, sessions, *kinds, page=flashing: MAKERS[request.param](
        act, sessions, kinds, page
    )


def test_page_of_a_refused_login_says_who_and_uses_the_session(make):
    """``TooManySessions`` reaches the application: nobody is logged in, and a message is left."""
    sessions = fresh_sessions(policy=REFUSE)
    make(log_in, sessions).get()
    browser = make(log_in, sessions, TooManySessions)

    reply = browser.get()

    assert (reply.status, reply.body) == (409, b"TooManySessions, None")
    assert b"TooManySessions of alice" in browser.get("/take").body
    assert len(sessions.sync.of("alice")) == 1


@pytest.mark.parametrize(("act", "kind"), [(grow, SessionTooLarge), (spoil, UnsupportedValue)])
def test_value_that_is_refused_at_the_save_is_answered(make, act, kind):
    """What grew in place beyond the limit, or cannot be kept, is the application's to answer."""
    reply = make(act, fresh_sessions(policy=REFUSE), kind).get()

    assert (reply.status, reply.body) == (409, f"{kind.__name__}, None".encode())


@pytest.mark.parametrize("act", [log_in, grow])
def test_page_for_all_of_the_family(make, act):
    """A page for a class above answers for those below it."""
    sessions = fresh_sessions(policy=REFUSE)
    make(log_in, sessions).get()

    assert make(act, sessions, TooManySessions.__base__, UnsupportedValue).get().status == 409


def test_outage_is_answered_without_a_session(make):
    """A page of the application's own answers for a store that is down."""
    sessions = fresh_sessions()

    def fail(session):
        session["n"] = 1
        context_of(sessions).store.down = True

    page = lambda _, error: type(error).__name__  # noqa: E731
    reply = make(fail, sessions, StoreUnavailable, page=page).get()

    assert (reply.status, reply.body) == (409, b"StoreUnavailable")


def test_outage_before_the_handler_is_answered_too():
    """Starlette's exception handler answers, though the session is read before any handler."""
    sessions = fresh_sessions()
    browser = starlette(grow, sessions, [StoreUnavailable], lambda _, error: error.why)
    browser.cookie = "sid=" + "a" * 60
    context_of(sessions).store.down = True

    assert browser.get().status == 409


def test_session_of_an_outage_says_why_there_is_none():
    """A page for an outage that uses the session is told that nobody knows whose it is."""
    sessions, said = fresh_sessions(), []

    def page(session, error):
        with pytest.raises(Exception, match="nobody can tell whose session") as refused:
            session["n"] = 1
        said.append(refused.type.__name__)
        return ""

    def fail(session):
        session["n"] = 1
        context_of(sessions).store.down = True

    starlette(fail, sessions, [StoreUnavailable], page).get()

    assert said == ["NotLoaded"]


def test_page_that_fails_alike_is_answered_by_us(make):
    """A page that logs in once more is not asked again and again: the second answer is ours."""
    sessions = fresh_sessions(policy=REFUSE)
    make(log_in, sessions).get()
    asked = []

    def stubborn(session, error):
        asked.append(error)
        session.login("alice")
        return "never shown"

    reply = make(log_in, sessions, TooManySessions, page=stubborn).get()

    assert (reply.status, b"never" in reply.body) == (403, False)
    assert len(asked) == 1


def test_errors_without_a_page_are_ours_to_answer(make):
    """Nobody has to say anything: a refused login is a 403 as it was."""
    sessions = fresh_sessions(policy=REFUSE)
    make(log_in, sessions).get()

    assert make(log_in, sessions, LostRace).get().status == 403


def test_blocking_handler_and_one_of_an_outer_application():
    """A plain function is a handler too, and the outer application's serves a mounted one."""
    sessions = fresh_sessions(policy=REFUSE)

    async def view(request):
        request.session.login("alice")
        return StreamingResponse(iter([b"done"]))

    def answer(request, error):
        return PlainTextResponse(f"end one of {error.limit}?", 409)

    inner = Starlette(routes=[Route("/", view)])
    app = Starlette(routes=[Mount("/in", inner)], exception_handlers={TooManySessions: answer})
    app.add_middleware(asgi.SessionMiddleware, sessions=sessions)
    AsgiBrowser(app).get("/in/")

    reply = AsgiBrowser(app).get("/in/")

    assert (reply.status, reply.body) == (409, b"end one of 1?")


def test_user_ends_the_other_session_and_goes_on():
    """Over HTTP: "you are logged in elsewhere; end it?", yes, and the login goes on."""
    sessions = fresh_sessions(policy=REFUSE)
    app = FastAPI()
    app.add_middleware(asgi.SessionMiddleware, sessions=sessions)

    @app.post("/login")
    async def login(request: Request):
        request.session.login("alice")

    @app.exception_handler(TooManySessions)
    async def ask(request: Request, error: TooManySessions):
        request.session.begin_login(error.user, factors=("password",))
        return JSONResponse("elsewhere", 409)

    @app.post("/end-others")
    async def end_others(request: Request):
        await sessions.end_all(request.session.pending.user)
        request.session.finish_login(factors=("password",), assurance=1)

    @app.get("/me")
    async def me(request: Request):
        return request.session.user

    with serve_asgi(app) as address, httpx.Client(base_url=address) as client:
        httpx.post(f"{address}/login")
        asked = client.post("/login")
        client.post("/end-others")

        assert (asked.status_code, client.get("/me").json()) == (409, "alice")


@pytest.mark.parametrize("middleware", [asgi.SessionMiddleware, wsgi.SessionMiddleware])
@pytest.mark.parametrize(
    "answers", [[TooManySessions], {ValueError: print}, {403: print}, {TooManySessions: "page"}]
)
def test_answers_that_are_none_are_refused_at_start(middleware, answers):
    """A wrong ``answers=`` is told when the middleware is made."""
    with pytest.raises(ConfigError, match="answers"):
        middleware(print, fresh_sessions(), answers=answers)
