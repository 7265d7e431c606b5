"""One connection of the crowd to a worker, and the sessions whose cookies are sent over it."""

import asyncio
import json
from enum import StrEnum

PATIENCE = 120.0
"""Seconds after which an answer is given up."""


class Wish(StrEnum):
    """What somebody asks for."""

    LOOK = ""
    PUT = "put"
    COUNT = "count"
    LOGIN = "login"
    ROTATE = "rotate"
    LOGOUT = "logout"


class Visitor:
    """Somebody with a session, or without one.

    Args:
        user: whom it logs in.
        wishes: what it will ask for, the last one first.

    Attributes:
        cookies: by name.
    """

    __slots__ = ("cookies", "user", "wishes")

    def __init__(self, user="", wishes=()):
        self.user = user
        self.wishes = list(wishes)
        self.cookies = {}

    def request(self, wish):
        """Return the bytes of a request."""
        method = "POST" if wish else "GET"
        lines = [f"{method} /{wish}?user={self.user} HTTP/1.1", "Host: soak", "Content-Length: 0"]
        lines += ["User-Agent: Mozilla/5.0 (X11; Linux) Firefox/140.0"]
        lines += [f"Cookie: {'; '.join(self.cookies.values())}"] if self.cookies else []
        return "\r\n".join([*lines, "", ""]).encode()

    def keep(self, head):
        """Keep the cookies that an answer sets."""
        for line in head.split("\r\n"):
            name, _, value = line.partition(": ")
            if name.lower() == "set-cookie":
                pair = value.partition(";")[0]
                self.cookies[pair.partition("=")[0]] = pair


class Connection:
    """A connection to one worker, opened when it is needed.

    Args:
        port: the worker's.
    """

    def __init__(self, port):
        self._port = port
        self._reader = self._writer = None

    async def ask(self, visitor, wish):
        """Return the status that was answered, and keep the cookies.

        Raises:
            OSError: the connection broke.
            TimeoutError: there was no answer.
        """
        head, _ = await self._exchange(visitor.request(wish))
        visitor.keep(head)
        return int(head[9:12])

    async def read_figures(self):
        """Return what the worker tells of itself."""
        _, body = await self._exchange(b"GET /figures HTTP/1.1\r\nHost: soak\r\n\r\n")
        return json.loads(body)

    async def hang_up(self, visitor, wish):
        """Ask, and do not wait for the answer."""
        await self._send(visitor.request(wish))
        self.close()

    async def _exchange(self, request):
        async with asyncio.timeout(PATIENCE):
            await self._send(request)
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
            return head, await self._reader.readexactly(int(length))

    async def _send(self, request):
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(request)

    def close(self):
        """Close it; the next request opens another one."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None
