"""``require`` in Starlette, FastAPI and Flask: who may go on, what anybody else meets."""

import threading
from typing import Annotated

import flask
import httpx
import pytest
from fastapi import Depends, FastAPI, Request, WebSocket
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from harness.browsers import AsgiBrowser
from harness.recording_store import fresh_sessions, take_commands
from harness.servers import serve_asgi, serve_wsgi
from sessile import Session
from sessile.core.policy import minutes
from sessile.errors import ConfigError, LoginNeeded, StepUpNeeded
from sessile.service.events import Denied, Need
from sessile.service.sessions import context_of
from sessile.web import fastapi as on_fastapi
from sessile.web import flask as on_flask
from sessile.web import starlette as on_starlette
from sessile.web.asgi import SessionMiddleware
from sessile.web.flask import Sessile
from web.asgi_chat import accept, stored

ASKED = {
    "anybody": {},
    "well": {"assurance": 2},
    "fresh": {"fresh": minutes(5)},
    "granted": {"purpose": "pay"},
}


def act(session, deed):
    """Do to a session what a test asks for."""
    if deed == "login":
        session.login("alice", factors=("password",))
    elif deed == "half":
        session.begin_login("alice", factors=("password",))
    elif deed == "raise":
        session.step_up(factors=("totp",), assurance=2)
    elif deed == "grant":
        session.step_up("pay", factors=("totp",))
    return session.user or "nobody"


def starlette(sessions, **options):
    """Doors with decorators, of async handlers, plain ones, and a class's."""

    async def do(request):
        return PlainTextResponse(act(request.session, request.path_params["deed"]))

    def guarded(asked_for):
        @on_starlette.require(**asked_for)
        async def room(request):
            return PlainTextResponse(f"welcome {request.session.user}")

        return room

    @on_starlette.require(otherwise="/login?next=/room")
    def plain(request):
        return PlainTextResponse(f"welcome {request.session.user}")

    class Rooms(HTTPEndpoint):
        @on_starlette.require(otherwise="/login")
        async def get(self, request):
            return PlainTextResponse(f"welcome {request.session.user}")

    routes = [
        Route("/do/{deed}", do, methods=["POST"]),
        *(Route(f"/{name}", guarded(what)) for name, what in ASKED.items()),
        Route("/sent", plain),
        Route("/class", Rooms),
    ]
    middleware = [Middleware(SessionMiddleware, sessions=sessions, **options)]
    return serve_asgi(Starlette(routes=routes, middleware=middleware))


def lazily(sessions):
    return starlette(sessions, load="lazy")


def fastapi(sessions):
    """Doors with dependencies."""
    app = FastAPI()
    app.add_middleware(SessionMiddleware, sessions=sessions)

    @app.post("/do/{deed}")
    async def do(request: Request, deed: str):
        return PlainTextResponse(act(request.session, deed))

    def guarded(asked_for):
        async def room(session: Annotated[Session, Depends(on_fastapi.require(**asked_for))]):
            return PlainTextResponse(f"welcome {session.user}")

        return room

    for name, what in ASKED.items():
        app.get(f"/{name}")(guarded(what))

    sender = Depends(on_fastapi.require(otherwise="/login?next=/room"))

    @app.get("/sent")
    def plain(session: Annotated[Session, sender]):
        return PlainTextResponse(f"welcome {session.user}")

    return serve_asgi(app)


def shop(sessions):
    """Doors with Flask's decorator, of a plain view and an async one."""
    app = flask.Flask("flask shop")
    app.logger.disabled = True
    Sessile(app, sessions)
    app.add_url_rule("/do/<deed>", "do", lambda deed: act(on_flask.session, deed), methods=["POST"])

    def guarded(asked_for):
        return on_flask.require(**asked_for)(lambda: f"welcome {flask.session.user}")

    for name, what in ASKED.items():
        app.add_url_rule(f"/{name}", name, guarded(what))

    @app.get("/sent")
    @on_flask.require(otherwise="/login?next=/room")
    def sent():
        return f"welcome {flask.session.user}"

    return serve_wsgi(app)


@pytest.fixture
def told():
    """What the hook was told."""
    return []


@pytest.fixture
def sessions(told):
    return fresh_sessions(hooks=[told.append])


@pytest.fixture(params=[starlette, lazily, fastapi, shop])
def browser(request, sessions):
    """A browser before the doors; it keeps cookies."""
    with request.param(sessions) as address, httpx.Client(base_url=address) as client:
        if request.param is lazily:
            client.post = _lazy_post(client, sessions)
        yield client


def _lazy_post(client, sessions):
    """Act in a request of its own kind: a lazy handler would have to load the session first."""

    def post(path):
        cookie = f"sid={client.cookies['sid']}" if "sid" in client.cookies else ""
        deed = path.rpartition("/")[2]
        new = stored(sessions, lambda session: act(session, deed), cookie)
        client.cookies.set("sid", new.partition("=")[2])

    return post


def meets(browser, name):
    return browser.get(f"/{name}").status_code


def test_who_is_turned_away_is_told(browser, told):
    """Each refusal is an event: what was lacking, who it was, and from where."""
    for deed in (None, "login"):
        if deed:
            browser.post(f"/do/{deed}")
        for name in ASKED:
            meets(browser, name)
    denied = [event for event in told if isinstance(event, Denied)]

    assert [(event.need, event.owner) for event in denied] == [
        *[(Need.LOGIN, None)] * 4,
        (Need.ASSURANCE, "alice"),
        (Need.GRANT, "alice"),
    ]
    assert {event.client.address for event in denied} == {"127.0.0.1"}
    assert [event.session is None for event in denied] == [True] * 4 + [False] * 2


def test_nobody_meets_401(browser):
    """Without a login every door is shut, with a challenge and no cookie."""
    replies = [browser.get(f"/{name}") for name in ASKED]

    assert {reply.status_code for reply in replies} == {401}
    assert {reply.headers["www-authenticate"] for reply in replies} == {"Session"}
    assert {reply.headers["cache-control"] for reply in replies} == {"no-store"}
    assert {reply.text for reply in replies} == {"Log in first.\n"}


def test_half_a_login_is_none(browser):
    """Somebody whose second factor is missing is nobody to every door."""
    browser.post("/do/half")

    assert {meets(browser, name) for name in ASKED} == {401}


def test_user_goes_in_and_no_further(browser):
    """A login opens what asks for one; for more there is a 403 without a challenge."""
    browser.post("/do/login")
    open_door, well = browser.get("/anybody"), browser.get("/well")

    assert (open_door.text, meets(browser, "fresh")) == ("welcome alice", 200)
    assert (well.status_code, meets(browser, "granted")) == (403, 403)
    assert "www-authenticate" not in well.headers
    assert well.text == "Prove once more that it is you, then try again.\n"


def test_second_factor_opens_what_asks_for_it(browser):
    """A rise of assurance is enough for the door that asks for the level."""
    browser.post("/do/login")
    browser.post("/do/raise")

    assert browser.get("/well").text == "welcome alice"


def test_login_grows_stale(browser, sessions):
    """What asks for a fresh login shuts after its time."""
    browser.post("/do/login")
    context_of(sessions).clock.advance(minutes(5) + 1)

    assert (meets(browser, "fresh"), meets(browser, "anybody")) == (403, 200)


def test_grant_opens_once(browser):
    """The door of a purpose takes the grant: a second request has none."""
    browser.post("/do/login")
    browser.post("/do/grant")

    assert [meets(browser, "granted") for _ in range(2)] == [200, 403]


def test_nobody_is_sent_elsewhere(browser):
    """With ``otherwise`` a browser is sent there by a GET, and a user goes in."""
    away = browser.get("/sent")
    browser.post("/do/login")

    assert (away.status_code, away.headers["location"]) == (303, "/login?next=/room")
    assert browser.get("/sent").text == "welcome alice"


def test_plain_handler_blocks_no_loop(sessions):
    """It runs in a thread of its own, as Starlette runs any plain handler."""
    ran = []

    @on_starlette.require()
    def room(request):
        ran.append(threading.current_thread())
        return PlainTextResponse("welcome")

    cookie = stored(sessions, lambda session: session.login("alice"))
    app = Starlette(routes=[Route("/", room)])
    reply = AsgiBrowser(SessionMiddleware(app, sessions), cookie).get()

    assert reply.status == 200
    assert ran != [threading.current_thread()]


def test_method_of_a_class_is_a_handler_too(sessions):
    """The request is found wherever it stands among the arguments."""
    with starlette(sessions) as address:
        assert httpx.get(f"{address}/class").headers["location"] == "/login"


def test_handler_without_a_request_is_told_so(sessions):
    """The decorator cannot guess whose session it is."""

    async def room():
        raise AssertionError("nobody is to get here")

    import asyncio

    with pytest.raises(ConfigError, match="take the request"):
        asyncio.run(on_starlette.require()(room)())


def test_applications_handlers_come_first(sessions):
    """What the application says about a missing login or factor is what leaves."""
    app = FastAPI()
    app.add_middleware(SessionMiddleware, sessions=sessions)

    @app.exception_handler(LoginNeeded)
    async def login_first(request, error):
        return PlainTextResponse("please", 418)

    @app.get("/", dependencies=[Depends(on_fastapi.require())])
    async def room():
        return "welcome"

    with serve_asgi(app) as address:
        assert httpx.get(f"{address}/").status_code == 418


def test_flask_handlers_come_first(sessions):
    """An errorhandler of the application takes the place of ours."""
    app = flask.Flask("flask shop")
    Sessile(app, sessions)

    @app.errorhandler(StepUpNeeded)
    def more(error):
        return f"level {error.assurance}", 418

    @app.get("/")
    @on_flask.require(assurance=3)
    def room():
        return "welcome"

    @app.post("/login")
    def login():
        flask.session.login("alice")
        return "done"

    client = app.test_client()
    before = client.get("/").status_code
    client.post("/login")
    after = client.get("/")

    assert (before, after.status_code, after.text) == (401, 418, "level 3")


def chat(sessions):
    app = FastAPI()
    app.add_middleware(SessionMiddleware, sessions=sessions)

    @app.websocket("/decorated")
    @on_starlette.require(otherwise="/login")
    async def decorated(websocket: WebSocket):
        await websocket.accept()
        await websocket.send_text(websocket.session.user)
        await websocket.close()

    @app.websocket("/depending")
    async def depending(
        websocket: WebSocket,
        session: Annotated[Session, Depends(on_fastapi.require(otherwise="/login"))],
    ):
        await websocket.accept()
        await websocket.send_text(session.user)
        await websocket.close()

    return app


@pytest.mark.parametrize("door", ["decorated", "depending"])
def test_sockets_have_doors_too(sessions, door):
    """Nobody's WebSocket is declined with a 401, a user's is accepted."""
    cookie = stored(sessions, lambda session: session.login("alice"))
    with serve_asgi(chat(sessions)) as address:
        url = f"{address.replace('http', 'ws', 1)}/{door}"
        with pytest.raises(InvalidStatus) as refused, connect(url):
            pass
        with connect(url, additional_headers={"Cookie": cookie}) as socket:
            said = socket.recv()

    assert refused.value.response.status_code == 401
    assert said == "alice"


def test_check_asks_no_store(sessions):
    """Whoever has been loaded is judged by what was read; a grant is one commit."""
    with starlette(sessions) as address, httpx.Client(base_url=address) as browser:
        browser.post("/do/login")
        browser.post("/do/grant")
        browser.get("/anybody")  # shows the ticket
        take_commands(sessions)
        browser.get("/anybody")
        plain = take_commands(sessions)
        browser.get("/granted")

    assert (plain, take_commands(sessions)) == (["read"], ["read", "commit"])


def test_accepting_is_not_ours_to_forget():
    """A declined WebSocket of a server without answers is closed for policy, not for later."""
    from web.asgi_chat import talk

    async def act_(session, send):
        if session.user is None:
            raise LoginNeeded
        await accept(send)

    (said,) = talk(act_, fresh_sessions())

    assert (said["type"], said["code"], said["reason"]) == ("websocket.close", 1008, "Unauthorized")
