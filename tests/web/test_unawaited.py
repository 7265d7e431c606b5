"""``check_csrf`` that somebody forgot to await: nothing was checked, so nothing leaves."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from harness.browsers import AsgiBrowser
from harness.recording_store import fresh_sessions, take_commands
from harness.servers import serve_asgi
from sessile.errors import ConfigError, NotLoaded, TokenNeeded
from sessile.web import fastapi as on_fastapi
from sessile.web.starlette import SessionMiddleware, check_csrf, load_session

pytestmark = pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
AWAIT = r"write await check_csrf\(request\)"


async def pay(request):
    """Forget the one word."""
    (await load_session(request)).update(paid=True)
    check_csrf(request)
    return PlainTextResponse("paid")


POST = Route("/", pay, methods=["POST"])


def starlette(sessions, endpoint, **options):
    middleware = [Middleware(SessionMiddleware, sessions=sessions, **options)]
    route = Route("/", endpoint, methods=["GET", "POST"])
    return Starlette(routes=[route], middleware=middleware)


def fastapi(sessions):
    app = FastAPI()
    app.add_middleware(SessionMiddleware, sessions=sessions)

    @app.post("/")
    async def send(request: Request):
        request.session["paid"] = True
        on_fastapi.check_csrf(request)
        return "paid"

    return app


@pytest.mark.parametrize(
    "make",
    [
        lambda sessions: starlette(sessions, pay),
        lambda sessions: starlette(sessions, pay, load="lazy"),
        lambda sessions: SessionMiddleware(Starlette(routes=[POST]), sessions),
        fastapi,
    ],
    ids=["starlette", "lazy", "outermost", "fastapi"],
)
def test_check_that_nobody_awaits_lets_nothing_leave(make):
    """The application gets an error that names the word; nothing is saved, no cookie is set."""
    sessions = fresh_sessions()
    with pytest.raises(ConfigError, match=AWAIT):
        AsgiBrowser(make(sessions)).get(method="POST")

    assert take_commands(sessions) == []


def test_browser_sees_an_error():
    """What the server makes of it leaves, as of any error."""
    with serve_asgi(starlette(fresh_sessions(), pay)) as address:
        assert httpx.post(address).status_code == 500
        assert "set-cookie" not in httpx.post(address).headers


def test_it_is_found_by_safe_methods_too():
    """Whoever tries the page with GET learns it."""
    with pytest.raises(ConfigError, match=AWAIT):
        AsgiBrowser(starlette(fresh_sessions(), pay)).get()


def test_check_in_another_task_is_awaited():
    """It need not be awaited where it was called."""

    async def both(request):
        done = await asyncio.gather(check_csrf(request), return_exceptions=True)
        return PlainTextResponse(type(done[0]).__name__)

    reply = AsgiBrowser(starlette(fresh_sessions(), both)).get(method="POST")
    assert reply.body == b"TokenNeeded"


def test_error_of_the_handler_comes_first():
    """Who forgot to await and failed besides is told the failure."""

    async def fail(request):
        check_csrf(request)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        AsgiBrowser(starlette(fresh_sessions(), fail)).get(method="POST")


def test_check_that_refuses_has_been_awaited():
    """A page of the application's own for ``TokenNeeded`` leaves."""

    async def excuse(request):
        try:
            await check_csrf(request)
        except TokenNeeded:
            return PlainTextResponse("again, please", 418)
        return PlainTextResponse("paid")

    reply = AsgiBrowser(starlette(fresh_sessions(), excuse)).get(method="POST")
    assert reply.status == 418


def test_check_without_a_session_raises_at_once():
    """Where no answer of ours follows, the call itself says so."""
    excluded = starlette(fresh_sessions(), pay_plainly, exclude=("/",))
    with pytest.raises(NotLoaded, match="exclude="):
        AsgiBrowser(excluded).get(method="POST")
    with pytest.raises(ConfigError, match="has no session"):
        AsgiBrowser(Starlette(routes=[Route("/", pay_plainly, methods=["POST"])])).get(
            method="POST"
        )


async def pay_plainly(request):
    """The same, without a session."""
    check_csrf(request)
    return PlainTextResponse("paid")
