"""A site whose sockets and streams stay open, served by processes of its own. ``test_ended_*``."""

import asyncio
import json
import os
from contextlib import ExitStack, contextmanager

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from websockets.sync.client import connect

from harness.programs import free_port
from harness.servers import SOURCE, serve_program
from sessile import Cookie, Policy, Sessions
from sessile.service.sessions import context_of
from sessile.stores.contract import Capability
from sessile.testing.world import SECRET
from sessile.web.starlette import SessionMiddleware, get_session

PATIENCE = 60.0
PROGRAM = """
import sys
sys.path.append({tests!r})
from web.open_site import make_app

app = make_app()
"""


def make_sessions(url, **policy):
    return Sessions(url, secrets=[SECRET], cookie=Cookie(secure=False), policy=Policy(**policy))


def make_app():
    """The site of the settings in the environment."""
    given = json.loads(os.environ["OPEN_SITE"])
    return make_site(make_sessions(given["url"], **given["policy"]), **given["middleware"])


def make_site(sessions, **middleware):
    """The site of those sessions."""

    async def act(request):
        """Do to the session what the body says: ``["login", ["alice"], {}]``."""
        verb, args, more = await request.json()
        result = getattr(request.session, verb)(*args, **more)
        return JSONResponse([request.session.user, result])

    async def echo(websocket):
        """Repeat what the client says, beside whose session it is."""
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(f"{get_session(websocket).user}: {text}")

    async def ticks(_):
        async def events():
            yield "data: 1\n\n"
            await asyncio.Event().wait()

        return StreamingResponse(events(), media_type="text/event-stream")

    routes = [Route("/act", act, methods=["POST"]), Route("/events", ticks)]
    routes.append(WebSocketRoute("/socket", echo))
    return Starlette(
        routes=routes, middleware=[Middleware(SessionMiddleware, sessions, **middleware)]
    )


class OpenSite:
    """Servers of one store, and whoever is their client.

    Args:
        addresses: of the servers.
        sessions: over the same store, for an operator.
    """

    def __init__(self, addresses, sessions):
        self.addresses, self.sessions = addresses, sessions

    def end_all(self, user):
        """End all sessions of a user, or of everybody where the store knows no users."""
        ends = self.sessions.sync
        knows_users = Capability.OWNERS in context_of(self.sessions).store.capabilities
        return ends.end_all(user) if knows_users else ends.end_everybody()

    def act(self, server, cookie, verb, *args, **more):
        """Do something to a session by a request; return the cookie that its client has then."""
        headers = {"Cookie": cookie} if cookie else {}
        with httpx.Client(base_url=self.addresses[server], timeout=PATIENCE) as client:
            reply = client.post("/act", headers=headers, json=[verb, args, more])
            assert reply.status_code == 200, reply.text
            return f"sid={client.cookies['sid']}" if "sid" in client.cookies else cookie

    @contextmanager
    def socket(self, server, cookie):
        """Open a WebSocket, and give it once it has answered."""
        address = self.addresses[server].replace("http", "ws", 1) + "/socket"
        headers = {"Cookie": cookie} if cookie else {}
        with connect(address, additional_headers=headers, open_timeout=PATIENCE) as socket:
            socket.send("hello")
            assert socket.recv(PATIENCE).endswith(": hello")
            yield socket

    @contextmanager
    def stream(self, server, cookie):
        """Open a stream of events, and give what is left of it after the first one."""
        headers = {"Cookie": cookie} if cookie else {}
        with (
            httpx.Client(base_url=self.addresses[server], timeout=PATIENCE) as client,
            client.stream("GET", "/events", headers=headers) as reply,
        ):
            pieces = reply.iter_text()
            assert next(pieces) == "data: 1\n\n"
            yield pieces


@contextmanager
def open_site(folder, url, *, servers=2, middleware=None, **policy):
    """Start servers on one store, each a process of its own."""
    given = {"url": url, "policy": policy, "middleware": middleware or {}}
    tests = str(SOURCE.parent / "tests")
    sessions = make_sessions(url, **policy)
    before = os.environ.get("OPEN_SITE")
    os.environ["OPEN_SITE"] = json.dumps(given)
    try:
        with ExitStack() as stack:
            addresses = []
            for number in range(servers):
                home = folder / f"server{number}"
                home.mkdir(parents=True)
                (home / "shop.py").write_text(PROGRAM.format(tests=tests))
                port = free_port()
                words = [
                    "-m",
                    "uvicorn",
                    "shop:app",
                    "--port",
                    str(port),
                    "--ws",
                    "websockets-sansio",
                ]
                process = stack.enter_context(serve_program(home, *words, port=port))
                assert process.poll() is None, (home / "said").read_text()
                addresses.append(f"http://127.0.0.1:{port}")
            yield OpenSite(addresses, sessions)
    finally:
        os.environ.pop("OPEN_SITE")
        if before is not None:
            os.environ["OPEN_SITE"] = before
        sessions.sync.close()
