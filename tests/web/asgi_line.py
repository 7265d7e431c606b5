"""A client in process that stays: it says what a test has it say, and hears what it is told."""

import asyncio
from contextlib import asynccontextmanager

from harness.browsers import request_scope

PATIENCE = 30.0


class Line:
    """The two ends of one connection.

    Attributes:
        heard: the messages that the client got.
        takes: cleared by a client that takes nothing more.
        quick: the types of messages that are heard whether it takes anything or not.
        has_left: whether the server says to whoever sends that it has.
    """

    def __init__(self):
        self.said = asyncio.Queue()
        self.heard = []
        self.news = asyncio.Condition()
        self.takes = asyncio.Event()
        self.takes.set()
        self.quick = frozenset()
        self.has_left = False

    async def receive(self):
        return await self.said.get()

    async def send(self, message):
        if self.has_left:
            raise OSError("the client has left")
        if message["type"] not in self.quick:
            await self.takes.wait()
        self.heard.append(message)
        async with self.news:
            self.news.notify_all()

    def say(self, kind, **more):
        """Let the client say something."""
        self.said.put_nowait({"type": kind, **more})

    async def hear(self, kind):
        """Wait for a message of that kind, and return it."""
        async with asyncio.timeout(PATIENCE), self.news:
            await self.news.wait_for(lambda: any(one["type"] == kind for one in self.heard))
        return next(one for one in self.heard if one["type"] == kind)


@asynccontextmanager
async def connected(app, cookie="", *, kind="websocket", spec="2.3", said=None):
    """Connect to an application; give the line, and in it, as ``app``, the application's task."""
    line = Line()
    scope = request_scope(kind=kind, cookies=[cookie] if cookie else [])
    scope["asgi"] = {"version": "3.0", "spec_version": spec}
    line.say(**(said or {"kind": "websocket.connect"}))
    line.app = asyncio.create_task(app(scope, line.receive, line.send))
    try:
        yield line
    finally:
        line.app.cancel()
        await asyncio.wait((line.app,))


def stream(cookie_app, cookie="", *, spec="2.3"):
    """Ask for a stream."""
    said = {"kind": "http.request", "body": b"", "more_body": False}
    return connected(cookie_app, cookie, kind="http", spec=spec, said=said)


async def let_run(turns=50):
    """Let all tasks go on until each of them waits for something."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def done(task):
    """Return what a task returns, or raise what it raises."""
    async with asyncio.timeout(PATIENCE):
        return await task
