"""Starlette and FastAPI: their own errors and threads, the typed accessor, the lazy dependency."""

import importlib
import sys
from contextlib import asynccontextmanager

import pytest
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from harness.browsers import AsgiBrowser
from harness.imports import forget_modules
from harness.recording_store import fresh_sessions, take_commands
from sessile import Cookie, Session, Sessions
from sessile.errors import ConfigError, MissingExtra, NotLoaded, StoreClosed, TooLate
from sessile.stores.memory import MemoryStore
from sessile.testing.world import SECRET
from sessile.web.asgi import SessionMiddleware
from sessile.web.fastapi import SessionDep, load
from sessile.web.starlette import get_session, load_session


def starlette(endpoint, sessions, **options):
    """A browser before a Starlette application of one endpoint, as people set it up."""
    middleware = [Middleware(SessionMiddleware, sessions=sessions, **options)]
    return AsgiBrowser(Starlette(routes=[Route("/", endpoint)], middleware=middleware))


def values(sessions, cookie):
    """Return what the session of that cookie holds."""

    async def tell(request):
        return JSONResponse(dict(request.session))

    browser = starlette(tell, sessions)
    browser.cookie = cookie
    return browser.get().body


def test_error_of_the_application_saves_nothing():
    """A handler's bug is a 500 without a cookie, and what it did is not kept."""
    sessions = fresh_sessions()

    async def fail(request):
        request.session["half"] = "done"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        starlette(fail, sessions).get()

    assert take_commands(sessions) == []


def test_http_exception_is_an_answer():
    """A 404 that the application chose to give keeps what was done before it."""
    sessions = fresh_sessions()

    async def missing(request):
        request.session["looked for"] = "socks"
        raise HTTPException(404)

    browser = starlette(missing, sessions)
    reply = browser.get()

    assert reply.status == 404
    assert values(sessions, browser.cookie) == b'{"looked for":"socks"}'


def test_blocking_handler_uses_the_session_in_its_thread():
    """A plain function, which Starlette runs in a thread, finds the same session."""
    sessions = fresh_sessions()

    def add(request):
        request.session.setdefault("cart", []).append("socks")
        return PlainTextResponse("ok")

    browser = starlette(add, sessions)
    browser.get()

    assert values(sessions, browser.cookie) == b'{"cart":["socks"]}'


def test_stream_is_saved_when_it_starts():
    """What was changed before a stream is kept; what changes in the middle of it raises."""
    sessions = fresh_sessions()

    async def stream(request):
        request.session["page"] = 1

        async def chunks():
            yield "one"
            request.session["page"] = 2

        return StreamingResponse(chunks())

    with pytest.raises(TooLate):
        starlette(stream, sessions).get()
    assert take_commands(sessions) == ["create"]


def test_background_task_may_not_write():
    """A task that runs after the answer is too late to change the session, and is told so."""

    async def later(request):
        def write():
            request.session["later"] = 1

        return PlainTextResponse("ok", background=BackgroundTask(write))

    with pytest.raises(TooLate):
        starlette(later, fresh_sessions()).get()


def test_mounted_application_has_the_same_session():
    """An application below a mount works on the session of the request."""
    sessions = fresh_sessions()

    async def add(request):
        request.session["from"] = request.url.path
        return PlainTextResponse("ok")

    inner = Starlette(routes=[Route("/add", add)])
    app = Starlette(routes=[Mount("/shop", inner)])
    app.add_middleware(SessionMiddleware, sessions=sessions)
    browser = AsgiBrowser(app)
    browser.get("/shop/add")

    assert values(sessions, browser.cookie) == b'{"from":"/shop/add"}'


def test_accessor_returns_the_session_with_its_type():
    """``get_session`` is ``request.session``, for type checkers."""

    async def tell(request: Request):
        session = get_session(request)
        assert session is request.session
        return PlainTextResponse(str(session.new))

    assert starlette(tell, fresh_sessions()).get().body == b"True"


def test_accessor_says_what_is_missing():
    """Without a middleware, or before a lazy session is loaded, the error names what to write."""
    with pytest.raises(ConfigError, match="add_middleware"):
        get_session(Request({"type": "http"}))

    async def tell(request):
        with pytest.raises(NotLoaded, match="load_session"):
            get_session(request)
        session = await load_session(request)
        assert session is get_session(request)
        return PlainTextResponse("ok")

    assert starlette(tell, fresh_sessions(), load="lazy").get().status == 200


@pytest.fixture
def lazy():
    """A FastAPI application in which two of three operations take the session, and its sessions."""
    app, sessions = FastAPI(), fresh_sessions()
    app.add_middleware(SessionMiddleware, sessions=sessions, load="lazy")

    @app.get("/")
    async def page():
        return "a page for everybody"

    @app.get("/cart")
    async def cart(session: SessionDep):
        session.setdefault("cart", []).append("socks")
        return session["cart"]

    @app.get("/look")
    def look(session: Session = Depends(load)):  # noqa: B008, FAST002  (the older way works too)
        return session.get("cart")

    return AsgiBrowser(app), sessions


def test_operations_that_take_no_session_cost_nothing(lazy):
    """With the dependency only those who ask for a session have one read."""
    browser, sessions = lazy
    browser.get("/cart")
    take_commands(sessions)

    browser.get("/")
    assert take_commands(sessions) == []
    assert browser.get("/look").body == b'["socks"]'
    assert take_commands(sessions) == ["read"]


def test_dependency_gives_the_session_to_write(lazy):
    """What an operation does to its dependency is saved with the answer."""
    browser, _ = lazy

    browser.get("/cart")

    assert browser.get("/cart").body == b'["socks","socks"]'


@pytest.mark.parametrize("extra", ["starlette", "fastapi"])
def test_missing_framework_names_the_extra(extra, monkeypatch):
    """Without the framework its module says what to install."""
    for name in ("requests", "websockets"):
        monkeypatch.setitem(sys.modules, f"{extra}.{name}", None)
    monkeypatch.setitem(sys.modules, extra, None)
    forget_modules(monkeypatch, f"sessile.web.{extra}")

    with pytest.raises(MissingExtra, match=rf"pip install 'sessile\[{extra}\]'"):
        importlib.import_module(f"sessile.web.{extra}")


@asynccontextmanager
async def closing(app):
    """A lifespan as people write it."""
    yield
    await app.state.sessions.close()


async def count(request):
    return JSONResponse(request.session.increment("n"))


def closing_app(sessions):
    app = Starlette(routes=[Route("/", count)], lifespan=closing)
    app.state.sessions = sessions
    app.add_middleware(SessionMiddleware, sessions=sessions)
    return app


@pytest.mark.parametrize("url", ["memory://", "sqlite:///{}/shop.db"])
def test_application_that_starts_again_opens_its_sessions_again(tmp_path, url):
    """Several ``with TestClient(app)``, each of which closes the sessions at its end."""
    app = closing_app(Sessions(url.format(tmp_path), cookie=Cookie(secure=False)))
    for _ in range(3):
        with TestClient(app) as client:
            assert [client.get("/").json(), client.get("/").json()] == [1, 2]


def test_login_outlives_the_restart_of_an_application(tmp_path):
    """What a store keeps is there when it was closed and opened again."""
    app = closing_app(Sessions(f"sqlite:///{tmp_path}/shop.db", cookie=Cookie(secure=False)))
    with TestClient(app) as client:
        client.get("/")
        cookies = dict(client.cookies)
    with TestClient(app, cookies=cookies) as client:
        assert client.get("/").json() == 2


def test_redis_is_opened_again(redis_server):
    """A client of Redis that was closed is made anew."""
    sessions = Sessions(redis_server.url, secrets=[SECRET], cookie=Cookie(secure=False))
    app = closing_app(sessions)
    for _ in range(2):
        with TestClient(app) as client:
            assert [client.get("/").json(), client.get("/").json()] == [1, 2]


def test_store_of_ones_own_is_not_opened_again():
    """The application is told where to make it."""
    app = closing_app(Sessions(store=MemoryStore(), cookie=Cookie(secure=False)))
    with TestClient(app):
        pass

    with pytest.raises(ConfigError, match="where the application starts"), TestClient(app):
        pass


def test_closed_sessions_say_so_outside_of_a_lifespan():
    """Nobody starts again: a request is told that the store was closed, and by what."""
    sessions = Sessions("memory://", cookie=Cookie(secure=False))
    sessions.sync.close()

    with pytest.raises(StoreClosed, match=r"as by sessions\.close"):
        TestClient(closing_app(sessions), cookies={"sid": "A" * 60}).get("/")
