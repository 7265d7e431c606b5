"""The clients, in a process of their own: ``python -m benchmarks.balancing.crowd JSON``.

Each logs in with its first request, and makes as many as its draw says. Those at one address share
connections, as the pages of a browser do. It prints when it began, and in the end a row for each
request, as ``Row`` reads it.
"""

import asyncio
import json
import random
import ssl
import sys
import time
from enum import IntEnum
from typing import NamedTuple

import uvloop

HOST = "shop.example"
PATIENCE = 10.0
"""Seconds after which a request has failed."""

FRESH = 3.0
"""Seconds for which an idle connection is used again: less than any server keeps it."""

OPENING = 32
"""Connections that are opened at once."""

ADDRESSES = 50
"""Of all clients, unevenly: at the largest, as a mobile network's, is one in six."""

TAIL = 1.15
"""Of the requests of a client: of 100 clients 55 make one, 7 make ten or more, and one makes 55."""


class Outcome(IntEnum):
    """What became of a request."""

    ANSWERED = 0
    FAILED = 1  # an error of the balancer, or a connection that broke
    LOST = 2  # an answer to nobody, or one that has forgotten something


class Row(NamedTuple):
    """One request: whose, when it was asked, for how long, who answered, and how."""

    client: int
    asked: float
    took: float
    server: str
    outcome: int


class Head:
    """The head of an answer."""

    def __init__(self, text):
        first, *lines = text.rstrip().split("\r\n")
        self.status = int(first.split(" ", 2)[1])
        self._lines = [line.partition(": ") for line in lines]

    def all(self, name):
        return [value for key, _, value in self._lines if key.lower() == name]

    def first(self, name, otherwise=""):
        return next(iter(self.all(name)), otherwise)


class Connections:
    """Those of one address.

    Args:
        address: whose.
        port: the balancer's.
        tls: how it is spoken; None for not at all.
        opening: lets in a few at a time: a crowd that all connect anew has no time for else.
    """

    def __init__(self, address, port, tls, opening):
        self._opening = opening
        self._place = {"host": "127.0.0.1", "port": port, "local_addr": (address, 0)}
        if tls is not None:
            self._place |= {"ssl": tls, "server_hostname": HOST}
        self._idle = []

    async def ask(self, words):
        """Return head and body of the answer.

        One of its connections that the other side has closed meanwhile is nobody's failure.
        """
        while self._idle and self._idle[-1][0] > time.monotonic() - FRESH:
            _, reader, writer = self._idle.pop()
            if not reader.at_eof():
                break
            writer.close()
        else:
            self._close()
            async with self._opening:
                reader, writer = await asyncio.open_connection(**self._place)
        try:
            writer.write(words)
            head = Head((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
            body = await reader.readexactly(int(head.first("content-length", "0")))
        except BaseException:
            writer.transport.abort()
            raise
        if head.first("connection").lower() == "close":
            writer.close()
        else:
            self._idle.append((time.monotonic(), reader, writer))
        return head, body.decode()

    def _close(self):
        for _, _, writer in self._idle:
            writer.close()
        self._idle.clear()


class Client:
    """One client, with its cookies.

    Args:
        number: which.
        connections: those of its address.
        rows: of all requests.
    """

    def __init__(self, number, connections, rows):
        self._number, self._connections, self._rows = number, connections, rows
        self._cookies, self._visits = {}, 0

    async def live(self, starts, pauses):
        """Come at a time, and again after each pause."""
        await asyncio.sleep(starts - time.monotonic())
        await self.ask()
        for pause in pauses:
            await asyncio.sleep(pause)
            await self.ask()

    async def ask(self):
        """Make a request, which logs in where there is no session."""
        asked = time.monotonic()
        server, outcome = "", Outcome.FAILED
        try:
            async with asyncio.timeout(PATIENCE):
                head, body = await self._connections.ask(self._words())
            if head.status == 200:
                server, outcome = head.first("x-server"), self._judge(body)
                self._keep(head.all("set-cookie"))
        except (OSError, EOFError, RuntimeError):  # uvloop's where a connection is gone
            pass
        self._rows.append(Row(self._number, asked, time.monotonic() - asked, server, outcome))

    def _words(self):
        what = "GET /" if self._visits else f"POST /login?{self._number}"
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return (
            f"{what} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: bench\r\nContent-Length: 0\r\n"
            f"Cookie: {cookies or 'first=1'}\r\n\r\n"
        ).encode()

    def _judge(self, body):
        """Tell whether the session is its own still; one that lost its answer may have counted."""
        user, visits = body.split(" ")
        is_own = user == str(self._number) and int(visits) > self._visits
        self._visits = int(visits) if is_own else 0
        return Outcome.ANSWERED if is_own else Outcome.LOST

    def _keep(self, told):
        for cookie in told:
            name, _, value = cookie.partition(";")[0].partition("=")
            if "max-age=0" in cookie.lower():
                self._cookies.pop(name, None)
            else:
                self._cookies[name] = value


class Draw:
    """By chance, but the same with the same seed: who comes when, how often, and from where."""

    def __init__(self, seed, seconds, pause, newest):
        self._chance, self._seconds, self._pause = random.Random(seed), seconds, pause
        self._newest = newest

    def starts(self):
        """Return when one comes: at first many do, as in the morning, and in the end few."""
        if self._newest is not None:
            return self._chance.uniform(0, self._newest)
        return self._chance.triangular(0, self._seconds, 0)

    def pauses(self):
        """Return the pauses before each request but the first: how many has a long tail."""
        requests = min(int(self._chance.paretovariate(TAIL)), 1000)
        return [self._chance.expovariate(1 / self._pause) for _ in range(requests - 1)]

    def address(self):
        number = int((ADDRESSES + 1) ** self._chance.random())
        return f"127.0.1.{number}"


async def main(*, port, authority, clients, seconds, pause, seed, newest):
    """Have all of them live for some seconds; print what they saw."""
    tls = ssl.create_default_context(cafile=authority) if authority else None
    opening = asyncio.Semaphore(OPENING)
    draw, rows, at = Draw(seed, seconds, pause, newest), [], {}
    # a connection of TLS that breaks while it is written to is told twice, here and to its client
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    began = time.monotonic() + 0.5
    print(began, flush=True)
    async with asyncio.TaskGroup() as lives:
        tasks = []
        for number in range(clients):
            starts, address, pauses = began + draw.starts(), draw.address(), draw.pauses()
            connections = at.setdefault(address, Connections(address, port, tls, opening))
            tasks.append(lives.create_task(Client(number, connections, rows).live(starts, pauses)))
        await asyncio.sleep(began + seconds - time.monotonic())
        for task in tasks:
            task.cancel()
    print(json.dumps(rows), flush=True)


if __name__ == "__main__":
    uvloop.run(main(**json.loads(sys.argv[1])))
