"""A site over real HTTP whose requests can be held in the middle. ASGI and WSGI, one behaviour."""

import asyncio
import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from harness.reply import Reply
from harness.servers import serve_asgi, serve_wsgi
from sessile import Cookie, Sessions
from sessile.service.sessions import context_of
from sessile.stores.contract import Capability
from sessile.testing.clock import FakeClock
from sessile.testing.world import SECRET
from sessile.web import asgi, wsgi

PATIENCE = 20
MOST_HELD = 64
TICKET = re.compile(r"=([\w-]{20})[\w-]{40}(?:;|$)", re.ASCII | re.MULTILINE)
WAITS = dict.fromkeys(("connect", "read", "write", "pool"), PATIENCE)


class Gate:
    """Holds a request between the loading of its session and its handler."""

    def __init__(self):
        self.entered, self.released = threading.Event(), threading.Event()

    def wait(self):
        self.entered.set()
        assert self.released.wait(PATIENCE), "nobody let this request go on"


class HttpClient:
    """Requests to an address.

    Attributes:
        address: where, as ``http://127.0.0.1:8000``; set when it is served.
        transport: what sends them; set when it is served.
        handlers: what handles a request, by its path.
        statuses: those of all answers so far.
        begun: the ids of the sessions whose tickets they carried, in that order.
        sessions: those that are asked about them; a subclass has them.
    """

    def __init__(self):
        self.address = ""
        self.transport = None
        self.handlers = {}
        self.statuses = []
        self.begun = {}

    def path(self, act, *, under=""):
        """Return the path whose handler is ``act``, below a prefix."""
        path = f"{under}/{id(act)}"
        self.handlers[path] = act
        return path

    def ask(
        self, act, cookie="", *, held=False, method="GET", headers=(), body=b"", source="",
        under="", query="",
    ):  # fmt: skip
        """Make one request whose handler is ``act``; ``source`` is another loopback address."""
        asked = "held" if held else query
        url = self.address + self.path(act, under=under) + (f"?{asked}" if asked else "")
        headers = [*headers, *([("Cookie", cookie)] if cookie else [])]
        extensions = {"timeout": WAITS}
        request = httpx.Request(method, url, headers=headers, content=body, extensions=extensions)
        with self.client(source) as client:
            response = client.handle_request(request)  # httpx.Client would keep cookies of its own
            response.read()
        self.statuses.append(response.status_code)
        reply = Reply(response.status_code, response.headers, response.content)
        self.begun |= dict.fromkeys(TICKET.findall("\n".join(reply.all("set-cookie"))))
        return reply

    @contextmanager
    def client(self, source):
        """Give what sends requests from that address."""
        if not source:
            yield self.transport
            return
        with httpx.HTTPTransport(local_address=source) as elsewhere:
            yield elsewhere

    def talk(self, act, cookie="", headers=()):
        """Open a WebSocket whose handler is ``act``; return what it says, or the refusal."""
        address = self.address.replace("http", "ws", 1) + self.path(act)
        headers = [*headers, *([("Cookie", cookie)] if cookie else [])]
        try:
            with connect(address, additional_headers=headers, open_timeout=PATIENCE) as socket:
                return json.loads(socket.recv(PATIENCE))
        except InvalidStatus as refused:
            self.statuses.append(refused.response.status_code)
            return refused.response.status_code

    def raw(self, message):
        """Send bytes, which ask for ``Connection: close``; return all that comes back."""
        host, _, port = self.address.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), PATIENCE) as link:
            link.sendall(message)
            return b"".join(iter(lambda: link.recv(65536), b""))

    def of(self, user):
        """Return a user's sessions; without an index, of those whose tickets were handed out."""
        shown = self.sessions.sync
        if self._knows_users:
            return shown.of(user)
        infos = [shown.show(key) for key in self.begun]
        return [info for info in infos if info is not None and info.user == user]

    def end_all(self, user):
        """End all sessions of a user, or of everybody where the store knows no users."""
        ends = self.sessions.sync
        return ends.end_all(user) if self._knows_users else ends.end_everybody()

    @property
    def _knows_users(self):
        return Capability.OWNERS in context_of(self.sessions).store.capabilities

    def crowd(self, act, cookie, number):
        """Make that many requests at once."""
        with ThreadPoolExecutor(number) as pool:
            return list(pool.map(lambda _: self.ask(act, cookie), range(number)))


class Site(HttpClient):
    """Handlers by path, and requests to them.

    A handler takes the session and returns what JSON can say. Every answer has ``headers``.

    Args:
        url: where sessions are kept.
        middleware: options of ``SessionMiddleware``.
        options: those of ``Sessions``.

    Attributes:
        body: what the last request brought.
    """

    def __init__(self, url, *, middleware=None, **options):
        super().__init__()
        self.clock = FakeClock()
        self.events = []
        usual = {"secrets": [SECRET], "cookie": Cookie(secure=False), "clock": self.clock}
        self.sessions = Sessions(url, hooks=[self.events.append], **(usual | options))
        self.middleware = middleware or {}
        self.gate = None
        self.waiting = ThreadPoolExecutor(MOST_HELD)
        self.headers = []
        self.body = b""

    def handle(self, path, session):
        return json.dumps(self.handlers[path](session)).encode()

    async def asgi(self, scope, receive, send):
        session = scope["session"]
        if scope["type"] == "websocket":
            await self._talk(scope, receive, send)
            return
        if scope["query_string"] == b"held":
            session.get("anything")
            await asyncio.get_running_loop().run_in_executor(self.waiting, self.gate.wait)
        self.body = await _whole(receive)
        body = self.handle(scope["path"], session)
        headers = [(name.encode(), value.encode()) for name, value in self.headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _talk(self, scope, receive, send):
        await receive()
        said = self.handle(scope["path"], scope["session"]).decode()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": said})
        await send({"type": "websocket.close"})

    def wsgi(self, environ, start_response):
        session = environ["sessile.session"]
        if environ["QUERY_STRING"] == "held":
            session.get("anything")
            self.gate.wait()
        self.body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = self.handle(environ["PATH_INFO"], session)
        start_response("200 OK", [("Content-Type", "application/json"), *self.headers])
        return [body]

    @contextmanager
    def held(self, act, cookie):
        """Hold a request after it loaded its session; give its future, let it go on at the end."""
        self.gate = Gate()
        with ThreadPoolExecutor(1) as pool:
            request = pool.submit(self.ask, act, cookie, held=True)
            try:
                assert self.gate.entered.wait(PATIENCE), "the held request did not arrive"
                yield request
            finally:
                self.gate.released.set()

    def overlap(self, a, b, cookie):
        """Let A load its session and wait there, run B whole, and let A finish."""
        with self.held(a, cookie) as first:
            second = self.ask(b, cookie)
        return first.result(), second

    def rush(self, act, cookie, number):
        """Make that many requests at once; no handler begins before all sessions are loaded."""
        self.gate = threading.Barrier(number, timeout=PATIENCE)
        with ThreadPoolExecutor(number) as pool:
            return list(pool.map(lambda _: self.ask(act, cookie, held=True), range(number)))

    def values(self, cookie):
        """Return the values in the session of that cookie."""
        return self.ask(dict, cookie).json


async def _whole(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


_SERVERS = {
    "asgi": (asgi.SessionMiddleware, serve_asgi),
    "wsgi": (wsgi.SessionMiddleware, serve_wsgi),
}
INTERFACES = tuple(_SERVERS)


@contextmanager
def serve(interface, url, kind=Site, **options):
    """Serve a site; give it with its address and a client. The options are those of its kind."""
    site = kind(url, **options)
    middleware, start = _SERVERS[interface]
    app = middleware(getattr(site, interface), site.sessions, **site.middleware)
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=0)
    try:
        with start(app) as address, httpx.HTTPTransport(limits=limits) as transport:
            site.address, site.transport = address, transport
            yield site
    finally:
        site.waiting.shutdown()
        site.sessions.sync.close()
