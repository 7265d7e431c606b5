"""WebSockets over real HTTP and in process: the handshake and its answer."""

import json

import httpx
import pytest
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from harness.recording_store import fresh_sessions, take_commands
from harness.servers import serve_asgi
from sessile import Policy
from sessile.core.policy import minutes
from sessile.errors import NotLoaded
from sessile.service.sessions import context_of
from sessile.web.asgi import SessionMiddleware
from sessile.web.starlette import get_session
from sessile.web.websocket import WebSocketSession
from web.asgi_chat import accept, begin, cookies_set, held, stored, talk


def chat(sessions):
    """A FastAPI application whose WebSocket puts what it hears into the cart."""
    app = FastAPI()
    app.add_middleware(SessionMiddleware, sessions=sessions)

    @app.post("/login")
    async def login(request: Request):
        request.session.login("alice")

    @app.get("/cart")
    async def cart(request: Request):
        return request.session.get("cart")

    @app.websocket("/live")
    async def live(websocket: WebSocket):
        await websocket.accept()
        session = get_session(websocket)
        basket = session.setdefault("cart", [])
        try:
            while True:
                basket.append(await websocket.receive_text())
                await session.save()
                await websocket.send_json([session.user, basket])
        except WebSocketDisconnect:
            pass

    return app


@pytest.fixture
def served():
    """The address of a served chat, its sessions, and a browser that is logged in."""
    sessions = fresh_sessions()
    with serve_asgi(chat(sessions)) as address, httpx.Client(base_url=address) as browser:
        browser.post("/login")
        cookie = f"sid={browser.cookies['sid']}"
        yield f"{address.replace('http', 'ws', 1)}/live", sessions, browser, {"Cookie": cookie}


def test_socket_and_requests_share_one_session(served):
    """What a WebSocket saves, a request finds; both know who it is."""
    address, _, browser, headers = served

    with connect(address, additional_headers=headers) as socket:
        socket.send("socks")
        first = json.loads(socket.recv())
        meanwhile = browser.get("/cart").json()
        socket.send("hat")
        second = json.loads(socket.recv())

    assert (first, meanwhile) == (["alice", ["socks"]], ["socks"])
    assert second == ["alice", ["socks", "hat"]]
    assert browser.get("/cart").json() == ["socks", "hat"]


def test_outage_at_the_handshake_is_503(served):
    """A server that can refuse a WebSocket with an answer refuses it with the honest one."""
    address, sessions, _, headers = served
    context_of(sessions).store.down = True

    with pytest.raises(InvalidStatus) as refused, connect(address, additional_headers=headers):
        pass

    assert refused.value.response.status_code == 503
    assert refused.value.response.headers["Retry-After"] == "1"
    assert "Set-Cookie" not in refused.value.response.headers


def test_stranger_costs_nothing():
    """A WebSocket without the cookie has an empty session and asks no store."""
    sessions, seen = fresh_sessions(), []

    async def act(session, send):
        seen.append((session.new, type(session)))
        await accept(send)

    talk(act, sessions)

    assert (seen, take_commands(sessions)) == ([(True, WebSocketSession)], [])


def test_lazy_middleware_loads_a_socket_at_the_handshake():
    """Laziness is for requests; a WebSocket is read once and lives long."""
    sessions, seen = fresh_sessions(), []
    cookie = stored(sessions, begin)

    async def act(session, send):
        seen.extend(session["cart"])
        await accept(send)

    talk(act, sessions, cookie, load="lazy")

    assert seen == ["socks"]


def test_excluded_socket_has_no_session():
    """A prefix excludes WebSockets as it does requests."""

    async def act(session, send):
        session["a"] = 1

    with pytest.raises(NotLoaded):
        talk(act, fresh_sessions(), exclude=("/",))


def test_outage_closes_where_no_answer_can_be_given():
    """Without the extension for answers the connection is declined: try again later."""
    sessions = fresh_sessions()
    cookie = stored(sessions, begin)
    context_of(sessions).store.down = True

    (said,) = talk(None, sessions, cookie)

    assert (said["type"], said["code"]) == ("websocket.close", 1013)


def test_change_before_accept_is_saved_with_it():
    """The handshake is answered like a request: stored first, with the cookie in its headers."""
    sessions = fresh_sessions()

    async def act(session, send):
        session.login("alice")
        session["cart"] = ["socks"]
        await accept(send)
        assert session.user == "alice"

    (said,) = talk(act, sessions)
    (cookie,) = cookies_set(said)

    assert held(sessions, cookie.partition(";")[0]) == {"cart": ["socks"]}


def test_accept_keeps_the_headers_of_the_application():
    """The cookie comes after what the application says; its message stays as it is."""
    message = {"type": "websocket.accept", "headers": [(b"x", b"y")], "subprotocol": "chat"}

    async def act(session, send):
        session["a"] = 1
        await send(message)

    (said,) = talk(act, fresh_sessions())

    assert said["headers"][0] == (b"x", b"y")
    assert said["subprotocol"] == "chat"
    assert message["headers"] == [(b"x", b"y")]


def test_outage_at_accept_is_told_before_it():
    """A handshake whose changes cannot be stored is refused, and the application hears of it."""
    sessions = fresh_sessions()

    async def act(session, send):
        session["a"] = 1
        context_of(sessions).store.down = True
        await accept(send)

    start, body = talk(act, sessions, extensions=["websocket.http.response"])

    assert (start["type"], start["status"]) == ("websocket.http.response.start", 503)
    assert body["type"] == "websocket.http.response.body"


def rotating():
    """Sessions whose ticket turns each minute, and a cookie that is due."""
    sessions = fresh_sessions(policy=Policy(rotate=minutes(1)))
    cookie = stored(sessions, begin)
    context_of(sessions).clock.advance(minutes(2))
    return sessions, cookie


async def only_accept(session, send):
    await accept(send)


def test_handshake_does_not_turn_the_ticket():
    """A ticket that is due turns in the next request, whose answer every client reads."""
    sessions, cookie = rotating()

    (said,) = talk(only_accept, sessions, cookie)

    assert cookies_set(said) == []


def test_handshake_turns_the_ticket_when_asked():
    """``rotate`` before ``accept`` is carried out, and the new ticket opens the session."""
    sessions = fresh_sessions()
    cookie = stored(sessions, begin)

    async def act(session, send):
        session.rotate()
        await accept(send)

    (said,) = talk(act, sessions, cookie)
    (turned,) = cookies_set(said)

    assert turned.partition(";")[0] != cookie
    assert held(sessions, turned.partition(";")[0]) == {"cart": ["socks"]}


def test_handshake_hands_over_a_lost_successor():
    """A client that never received its new ticket gets it in the answer to the handshake."""
    sessions, cookie = rotating()
    successor = stored(sessions, dict, cookie)  # and let us say that this answer was lost

    (said,) = talk(only_accept, sessions, cookie)

    assert [line.partition(";")[0] for line in cookies_set(said)] == [successor]
