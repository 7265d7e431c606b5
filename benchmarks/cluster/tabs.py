"""Those who ask one host or all, over connections that stay open, and count what they changed."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field

AGAIN, ATTEMPTS = 0.1, 300
"""Seconds until somebody who was refused asks again, and how often."""


@dataclass(frozen=True)
class Answer:
    """What was answered; a status of 0 is no answer at all."""

    status: int
    body: str = ""
    cookies: dict = field(default_factory=dict)

    @property
    def number(self):
        """The number that the page shows."""
        return int(self.body)


class Tab:
    """A connection to one place, for one request after the other.

    Args:
        port: where.
    """

    def __init__(self, port):
        self.port = port
        self._writer = None

    async def get(self, page, cookies=(), within=30.0):
        """Ask for a page with cookies; whoever hangs up or says nothing has not answered."""
        return await self._ask("GET", page, cookies, within)

    async def post(self, page, cookies=(), within=30.0):
        """Have something changed, which no balancer may ask for a second time."""
        return await self._ask("POST", page, cookies, within)

    async def _ask(self, method, page, cookies, within):
        try:
            async with asyncio.timeout(within):
                if self._writer is None:
                    self._reader, self._writer = await asyncio.open_connection(
                        "127.0.0.1", self.port
                    )
                brought = "; ".join(f"{name}={value}" for name, value in dict(cookies).items())
                head = f"{method} /{page} HTTP/1.1\r\nHost: shop\r\nCookie: {brought}\r\n"
                self._writer.write(f"{head}Content-Length: 0\r\n\r\n".encode())
                return await self._read()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            self.close()
            return Answer(0)

    async def _read(self):
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        cookies, length = {}, 0
        for line in head[1:]:
            name, _, value = line.partition(": ")
            if name.lower() == "content-length":
                length = int(value)
            if name.lower() == "set-cookie":
                key, _, kept = value.partition(";")[0].partition("=")
                cookies[key] = kept
        body = (await self._reader.readexactly(length)).decode()
        if "connection: close" in map(str.lower, head):
            self.close()
        return Answer(int(head[0].split(" ", 2)[1]), body, cookies)

    def close(self):
        """Close the connection; the next request opens another."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()
            self._writer = None


class Jar:
    """The cookies of one session, and what it has to show.

    Attributes:
        cookies: as a browser that has seen all answers brings them.
        early: as a browser brings them that has seen the first ones alone.
        number: what its page shows; None while nobody knows.
    """

    def __init__(self):
        self.cookies, self.early, self.number = {}, {}, None

    async def start(self, tab, size=1000):
        """Begin its session."""
        answer = await insist(tab.post, f"start?bytes={size}")
        self.cookies |= answer.cookies
        self.early, self.number = dict(self.cookies), 0
        return self

    async def write(self, tab):
        """Count on; return whether it was acknowledged."""
        answer = await tab.post("write", self.cookies)
        self.cookies |= answer.cookies
        self.number = answer.number if answer.status == 200 else None
        return answer.status == 200


async def insist(ask, page, cookies=()):
    """Return an answer that is none of an outage: a busy machine, too, may take too long for one.

    Args:
        ask: ``Tab.get`` or ``Tab.post``.
        page: what is asked for.
        cookies: what is brought.
    """
    for _ in range(ATTEMPTS):
        answer = await ask(page, cookies)
        if answer.status == 200:
            return answer
        await asyncio.sleep(AGAIN)
    raise SystemExit(f"{page}: refused again and again, the last time so: {answer}")


async def figures(port):
    """Return how many sessions a worker has in its memory, or None, and how often it used one."""
    tab = Tab(port)
    answer = await tab.get("figures")
    tab.close()
    return json.loads(answer.body) if answer.status == 200 else (None, 0)


async def share_out(items, tabs, act):
    """Have each tab take items in turn, until there are none, and await an act on each."""
    left = iter(items)

    async def take(tab):
        for item in left:
            await act(item, tab)

    await asyncio.gather(*map(take, tabs))
    for tab in tabs:
        tab.close()


async def start_jars(number, ports, size=1000, hands=24):
    """Begin so many sessions, by the workers in turn."""
    jars = [Jar() for _ in range(number)]
    tabs = [Tab(ports[n % len(ports)]) for n in range(hands)]
    await share_out(jars, tabs, lambda jar, tab: jar.start(tab, size))
    return jars
