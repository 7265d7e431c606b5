"""What readers notice of an outage that ``Outage.READ`` spares them, on a real Redis under load.

Browsers with a session each read, and some write, through one uvicorn, while Redis is killed,
stands still, or is cut off by a proxy that hands nothing on. Each browser has one request under way
at a time, and writes down when it asked, how long it waited and what it was answered.
"""

import asyncio
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager, suppress

from chaos.proxy import Proxy

from benchmarks.throughput import await_port
from harness.redis_server import RedisServer

READERS, WRITERS = 32, 4
PAUSE = 0.05
"""Seconds between an answer and a browser's next request."""

OUTAGE_READS = 10.0
CALM = 3.0
"""Seconds before the outage in which it is measured how long an answer takes otherwise."""

ONSET = 3.0
"""Seconds from its beginning that are looked at by themselves."""

BEYOND = 3.0
"""Seconds for which it lasts after the copies are too old."""

BACK = 7.0
"""Seconds for which it is watched afterwards."""

LIMIT = 0.5
"""The time limit of the store, in seconds; that of a URL which says none."""

LONG = LIMIT / 2
"""Seconds of a wait that is one for the store."""


class Sure(random.Random):
    """Chance by which the proxy cuts nothing."""

    def random(self):
        """Draw what no share is above."""
        return 1.0


class Browser:
    """One client with its cookies.

    Attributes:
        seen: of each request when it began, how long its answer took, and its status.
    """

    def __init__(self, port, page):
        self._port, self._page = port, page
        self._cookies, self.seen = {}, []

    async def live(self, is_over):
        """Log in, and ask for the page until it is over."""
        chance = random.Random(self._page)
        await self.ask("/login")
        for _ in range(2):  # a ticket is noted with its first request
            await self.ask("/read")
        self.seen.clear()
        while not is_over():
            await self.ask(self._page)
            await asyncio.sleep(PAUSE * (0.5 + chance.random()))

    async def ask(self, page):
        """Make one request, and keep the cookies that it sets."""
        began = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        head = f"GET {page} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n"
        writer.write(f"{head}User-Agent: bench\r\nCookie: {cookies}\r\n\r\n".encode())
        answer = (await reader.read()).decode("latin-1")
        writer.close()
        self.seen.append((began, time.monotonic() - began, int(answer.split(" ", 2)[1])))
        for line in answer.partition("\r\n\r\n")[0].split("\r\n"):
            if line.lower().startswith("set-cookie: "):
                name, _, value = line[12:].partition(";")[0].partition("=")
                self._cookies[name] = value


class Witness:
    """What all readers together saw of one outage; times are in seconds from its beginning.

    Args:
        readers: those who did.
        began: when the outage did.
        ended: when it was over.

    Attributes:
        over: for how long it lasted.
        served_until: when the last reader was served.
    """

    def __init__(self, readers, began, ended):
        self._seen = [
            (number, at - began, took, status)
            for number, one in enumerate(readers)
            for at, took, status in one.seen
        ]
        self.over = ended - began
        self.served_until = max(
            at + took
            for _, at, took, status in self._seen
            if status == 200 and at + took < self.over
        )

    def look(self, start, end):
        """Return of a time the longest wait, how many readers waited, and requests refused."""
        found = [each for each in self._seen if start <= each[1] < end]
        waited = {number for number, _, took, _ in found if took > LONG}
        refused = sum(status == 503 for _, _, _, status in found)
        return max(took for _, _, took, _ in found), len(waited), refused, len(found)

    @property
    def parts(self):
        """What there was before it, around its beginning, later, and once copies are too old."""
        return {
            "before": self.look(-CALM, -LONG),
            "around its beginning": self.look(-LONG, ONSET),
            "then": self.look(ONSET, self.served_until),
            "once copies are too old": self.look(self.served_until, self.over - 2 * LIMIT),
        }

    @property
    def back(self):
        """Seconds from its end to the last answer that was a 503."""
        refused = [at + took for _, at, took, status in self._seen if status == 503]
        return max(max(refused) - self.over, 0.0)


def measure():
    """Measure {trouble: what its readers saw}."""
    return {trouble: asyncio.run(_measure(trouble)) for trouble in TROUBLES}


async def _measure(trouble):
    with tempfile.TemporaryDirectory() as folder, RedisServer(folder) as server:
        proxy = await Proxy(Sure()).start()
        proxy.target = server.port
        async with _site(f"redis://127.0.0.1:{proxy.port}/0?near=10000") as port:
            over = asyncio.Event()
            readers = [Browser(port, "/read") for _ in range(READERS)]
            writers = [Browser(port, "/write") for _ in range(WRITERS)]
            lives = [asyncio.create_task(one.live(over.is_set)) for one in (*readers, *writers)]
            await asyncio.sleep(2 * CALM)
            began = time.monotonic()
            async with TROUBLES[trouble](server, proxy):
                await asyncio.sleep(began + OUTAGE_READS + BEYOND - time.monotonic())
                ended = time.monotonic()
            await asyncio.sleep(BACK)
            over.set()
            await asyncio.gather(*lives)
        await asyncio.sleep(LONG)  # until the proxy has let go of what the site had open
        proxy.stop()
    return Witness(readers, began, ended)


@asynccontextmanager
async def _kill(server, _proxy):
    await asyncio.to_thread(server.stop)
    yield
    await asyncio.to_thread(server.start)


@asynccontextmanager
async def _freeze(server, _proxy):
    server.freeze()
    yield
    server.thaw()


@asynccontextmanager
async def _part(_server, proxy):
    parted = asyncio.create_task(proxy.part(3600.0))
    yield
    parted.cancel()
    with suppress(asyncio.CancelledError):
        await parted


TROUBLES = {"killed": _kill, "frozen": _freeze, "cut off": _part}


@asynccontextmanager
async def _site(url):
    """Serve the site with uvicorn, whose log of the outage nobody needs; give its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", "benchmarks.outage_site:make_app"]
    command += ["--port", str(port), "--log-level", "critical", "--lifespan", "off"]
    environ = {**os.environ, "BENCH_URL": url, "BENCH_OUTAGE_READS": str(OUTAGE_READS)}
    process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        await asyncio.to_thread(await_port, port)
        yield port
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait)
