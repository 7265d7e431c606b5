"""Real servers on 127.0.0.1: uvicorn in a thread for the good, asyncio streams for the bad."""

import asyncio
import json
import socket
import threading
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn

from sessile.balance import BackendServer, Balancer, HealthCheck

PATIENCE = 10.0


class App:
    """An ASGI application that tells what reached it, and under which server's name."""

    def __init__(self, name):
        self.name = name

    async def __call__(self, scope, receive, send):
        if scope["type"] == "websocket":
            await self.chat(scope, receive, send)
        elif scope["type"] == "http":
            await self.tell(scope, receive, send)

    async def tell(self, scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        heard = {
            "server": self.name,
            "method": scope["method"],
            "path": scope["raw_path"].decode(),
            "query": scope["query_string"].decode(),
            "headers": [[k.decode("latin-1"), v.decode("latin-1")] for k, v in scope["headers"]],
            "body": body.decode("latin-1"),
        }
        headers = [(b"content-type", b"application/json"), (b"x-server", self.name.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(heard).encode()})

    async def chat(self, scope, receive, send):
        await receive()
        await send({"type": "websocket.accept", "headers": [(b"x-server", self.name.encode())]})
        while (message := await receive())["type"] == "websocket.receive":
            echo = {key: message[key] for key in ("text", "bytes") if message.get(key) is not None}
            await send({"type": "websocket.send", **echo})


@pytest.fixture(scope="session")
def servers():
    """Two uvicorn servers, named a and b, each in a thread of its own."""
    running = [_uvicorn(name) for name in "ab"]
    yield [server for server, _, _ in running]
    for _, uvicorn_server, thread in running:
        uvicorn_server.should_exit = True
        thread.join()


def _uvicorn(name):
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        App(name), log_level="error", lifespan="off", ws="websockets-sansio", http="h11"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    return BackendServer(name, *listener.getsockname()), server, thread


class Raw:
    """A server, or a client, that says exactly what a test wants it to say."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def head(self):
        """Read a head, up to the empty line; empty at the end of the connection."""
        try:
            return await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as end:
            return end.partial

    async def say(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def rest(self):
        """Read to the end of the connection."""
        return await self.reader.read()

    async def close(self):
        with suppress(OSError):
            self.writer.close()
            await self.writer.wait_closed()


@asynccontextmanager
async def _raw_server(play, name="a"):
    """Serve every connection by ``await play(Raw)``; a play's own mistakes fail the test."""
    tasks, mistakes = set(), []

    def accept(reader, writer):
        task = asyncio.ensure_future(perform(Raw(reader, writer)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def perform(raw):
        try:
            await play(raw)
        except OSError:
            pass
        except Exception as mistake:  # noqa: BLE001  (raised when the server closes)
            mistakes.append(mistake)
        finally:
            await raw.close()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield BackendServer(name, *listener.sockets[0].getsockname())
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()
    if mistakes:
        raise mistakes[0]


@asynccontextmanager
async def _raw_client(balancer):
    raw = Raw(*await asyncio.open_connection(*balancer.address))
    try:
        yield raw
    finally:
        await raw.close()


async def _ask(balancer, data):
    """Send bytes and return everything that comes back until the connection closes."""
    async with _raw_client(balancer) as client:
        await client.say(data)
        return await client.rest()


@asynccontextmanager
async def _behind(play, **settings):
    """A balancer before one raw server, with checks too rare to matter."""
    async with (
        _raw_server(play) as server,
        Balancer([server], **{"check": HealthCheck(interval=600, fall=99), **settings}) as balancer,
    ):
        yield balancer


async def _until(condition):
    """Wait for a condition, as long as it takes and no longer than patience lasts."""
    while not condition():  # noqa: ASYNC110  (the code under test has no event to wait for)
        await asyncio.sleep(0.005)


@pytest.fixture
def run():
    """Run a coroutine to its end; one that hangs fails."""

    def run(coroutine):
        async def patiently():
            async with asyncio.timeout(PATIENCE):
                return await coroutine

        return asyncio.run(patiently())

    return run


@pytest.fixture
def raw_server():
    return _raw_server


@pytest.fixture
def raw_client():
    return _raw_client


@pytest.fixture
def ask():
    return _ask


@pytest.fixture
def behind():
    return _behind


@pytest.fixture
def until():
    return _until


@pytest.fixture
def dead_port():
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def url():
    return lambda balancer: "http://{}:{}".format(*balancer.address)
