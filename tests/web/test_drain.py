"""What clients have open at a server that drains is closed, so that they come back elsewhere."""

import asyncio

import pytest

from harness.recording_store import fresh_sessions
from sessile.core.route import ROUTE_COOKIE, route_token
from sessile.service.sessions import context_of
from sessile.testing.world import SECRET
from sessile.web.asgi import SessionMiddleware
from web.asgi_chat import cookies_set, held, stored
from web.asgi_line import PATIENCE, connected, done, let_run, stream
from web.session_ends import begins

RESTART = {"code": 1012, "reason": "server drains"}
EVENTS = [(b"content-type", b"text/event-stream")]


class Chat:
    """An application that has something open, and writes down what it receives."""

    def __init__(self):
        self.received = []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": EVENTS})
            await send({"type": "http.response.body", "body": b"data: 1", "more_body": True})
        else:
            await receive()
            await send({"type": "websocket.accept"})
        self.received.append(await receive())


@pytest.fixture
def chat():
    return Chat()


def test_websocket_of_a_drained_server_is_closed(sessions, cookie, chat):
    """With 1012, by which its client knows that it may come back; the session lives on."""

    async def scene():
        async with connected(SessionMiddleware(chat, sessions), cookie) as line:
            await line.hear("websocket.accept")
            await let_run()
            sessions.drain()
            assert await line.hear("websocket.close") == {"type": "websocket.close", **RESTART}
            await done(line.app)
        assert chat.received == [{"type": "websocket.disconnect", **RESTART}]

    asyncio.run(scene())
    assert held(sessions, cookie) == {"cart": ["socks"]}


def test_stream_of_a_drained_server_ends(sessions, cookie, chat):
    """The answer is whole, and the browser asks again by itself."""

    async def scene():
        async with stream(SessionMiddleware(chat, sessions), cookie) as line:
            await line.hear("http.response.body")
            await let_run()
            sessions.drain()
            await done(line.app)
            assert line.heard[-1]["more_body"] is False
        assert chat.received == [{"type": "http.disconnect"}]

    asyncio.run(scene())


def test_websocket_that_comes_to_a_drained_server_is_sent_elsewhere(chat):
    """By its route cookie, which the handshake takes back; it is closed a moment later."""
    former = fresh_sessions(secrets=[SECRET])
    cookie = stored(former, begins)
    store = context_of(former).store
    sessions = fresh_sessions(secrets=[SECRET], server="a", store=store)
    context_of(sessions).worker.rounds.start = lambda: None
    sessions.drain()

    async def scene():
        both = f"{cookie}; {ROUTE_COOKIE}={route_token('a', SECRET.encode())}"
        async with connected(SessionMiddleware(chat, sessions), both) as line:
            (told,) = cookies_set(await line.hear("websocket.accept"))
            assert told.startswith(f"{ROUTE_COOKIE}=;")
            await line.hear("websocket.close")
            await done(line.app)

    asyncio.run(scene())


@pytest.mark.parametrize("options", [{}, {"ended_code": None}], ids=["nobody's", "left alone"])
def test_websocket_that_no_end_closes_stays_open(sessions, cookie, chat, options):
    """That of nobody, or where the application asked for it: it is counted, and no more."""
    named = cookie if options else ""

    async def scene():
        async with (
            connected(SessionMiddleware(chat, sessions, **options), named) as line,
            connected(SessionMiddleware(Chat(), sessions), cookie) as other,
        ):
            await line.hear("websocket.accept")
            sessions.drain()
            await other.hear("websocket.close")  # so that it had its turn
            await let_run()
            assert [message["type"] for message in line.heard] == ["websocket.accept"]

    asyncio.run(scene())


def test_application_that_watches_by_itself_goes_on(sessions, cookie):
    """``session.watch()`` is told of the end of a session, and this is none."""
    go_on = asyncio.Event()

    async def app(scope, receive, send):
        async with scope["session"].watch():
            await go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def scene():
        async with (
            stream(SessionMiddleware(app, sessions), cookie) as line,
            connected(SessionMiddleware(Chat(), sessions), cookie) as other,
        ):
            await other.hear("websocket.accept")
            sessions.drain()
            await other.hear("websocket.close")
            await let_run()
            go_on.set()
            assert (await line.hear("http.response.start"))["status"] == 200

    async def main():
        async with asyncio.timeout(PATIENCE):
            await scene()

    asyncio.run(main())
