"""What the ASGI tests stand on: a client in process, a real server, a store that is watched."""

import asyncio
import socket
import threading
from contextlib import contextmanager

import uvicorn

from sessile import Cookie, Sessions
from sessile.errors import StoreUnavailable
from sessile.stores.memory import MemoryStore
from sessile.testing.clock import FakeClock, SeededEntropy


class WatchedStore(MemoryStore):
    """A memory store that writes down what it is asked, and is down when told to."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self.down = False
        self._here = Watch(self, self._here)


class Watch:
    """In the way of a store's Asks."""

    def __init__(self, store, here):
        self.store, self.here = store, here

    def ask(self, what, call):
        self.store.asked.append(what.removeprefix("memory "))
        if self.store.down:
            raise StoreUnavailable("memory://host.of.secrets", "a test says so")
        return self.here.ask(what, call)


def fresh_sessions(**options):
    """Sessions over a watched store, for plain http."""
    given = {"clock": FakeClock(), "entropy": SeededEntropy()}
    if "carriers" not in options:
        given["cookie"] = Cookie(secure=False)
    return Sessions(**{"store": WatchedStore(), **given, **options})


def asked(sessions):
    """Return what the store was asked since the last time, and forget it."""
    store = sessions.parts.store
    seen, store.asked = store.asked, []
    return seen


def application(act, *, headers=(), body=b"done"):
    """An ASGI application that lets ``act`` handle the session, and then answers."""

    async def app(scope, receive, send):
        act(scope["session"])
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})

    return app


def request_scope(
    path="/", *, cookies=(), root="", kind="http", method="GET", query="", headers=None
):
    """The scope of one request, with that many Cookie fields."""
    more = [(k.encode(), v.encode("latin-1")) for k, v in (headers or {}).items()]
    return {
        "type": kind,
        "path": root + path,
        "root_path": root,
        "method": method,
        "query_string": query.encode(),
        "headers": [(b"host", b"shop"), *((b"cookie", value) for value in cookies), *more],
    }


class Reply:
    """An answer as the client sees it."""

    def __init__(self, messages):
        start, *rest = messages
        assert start["type"] == "http.response.start"
        self.messages = messages
        self.status = start["status"]
        self.headers = start["headers"]
        self.body = b"".join(message["body"] for message in rest)

    def all(self, name):
        """Return every value under that header's name."""
        return [value.decode() for key, value in self.headers if key.decode().lower() == name]

    def one(self, name):
        """Return the only value under that name, or None."""
        assert len(self.all(name)) < 2, self.headers
        return next(iter(self.all(name)), None)


class Browser:
    """A client of an application in process, who keeps the session cookie."""

    def __init__(self, app, cookie=b""):
        self.app = app
        self.cookie = cookie

    def get(self, path="/", **scope):
        """Ask once, in an event loop of its own."""
        return asyncio.run(self.ask(path, **scope))

    async def ask(self, path="/", *, body=(b"",), **scope):
        """Ask once; the body arrives in these pieces."""
        scope.setdefault("cookies", [self.cookie] if self.cookie else [])
        messages, left = [], list(body)

        async def receive():
            if not left:
                await asyncio.Event().wait()  # this client never leaves
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

        async def send(message):
            messages.append(message)

        await self.app(request_scope(path, **scope), receive, send)
        reply = Reply(messages)
        for line in reply.all("set-cookie"):
            self.cookie = b"" if "Max-Age=0" in line else line.partition(";")[0].encode()
        return reply


@contextmanager
def serving(app):
    """Serve an application over real HTTP and WebSockets; gives host and port as text."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="websockets-sansio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield "{}:{}".format(*listener.getsockname())
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
