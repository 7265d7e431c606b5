"""Stores with a server: real ones, as the tests start them, each behind a proxy.

What happens to them happens to one at a time, and only when all is well again something else does:
no store promises to outlive two faults at once.
"""

import asyncio
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from chaos.files import pause_length
from chaos.proxy import Proxy
from chaos.worker import OUTAGE_READS
from sessile.wire.feed.follower import MOST_LATE

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from harness.memcached_server import MemcachedServer
from harness.postgres_server import PostgresServer
from harness.redis_server import RedisServer

AWAY = 5.0
"""Seconds for which a server is frozen or cut off now and then."""

NEAR_LAG = MOST_LATE + OUTAGE_READS
"""Seconds for which a near cache may serve what has ended, the outage of its store included."""


class Served:
    """A store with one server.

    Attributes:
        url: what a worker opens.
        counts: what happened.
        troubles: what happens, and about every how many seconds.
    """

    workers = 3
    lag = 0.0  # seconds for which somebody may see what has ended
    on_disk = False
    has_owners = True

    def __init__(self, chance, asked):
        self.chance = chance
        self.counts = Counter()
        self.troubles = {self.freeze: 6.0, self.part: 7.0, self.kill: 9.0, self.fill_disk: 11.0}
        self._one_at_a_time = asyncio.Lock()
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-"))

    async def start(self):
        """Start the server and the proxy."""
        self.proxy = await Proxy(self.chance).start()
        self.server = await asyncio.to_thread(self.make_server)
        self.proxy.target = self.server.port
        self.url = self.url_at(self.proxy.port)

    async def freeze(self, chance):
        """Let it take everything and answer nothing, then perform what it took."""
        async with self._one_at_a_time:
            self.counts["freezes"] += 1
            await asyncio.to_thread(self.server.freeze)
            await asyncio.sleep(pause_length(chance))
            self.server.thaw()

    async def part(self, chance):
        """Let nothing come through."""
        async with self._one_at_a_time:
            await self.proxy.part(pause_length(chance))

    async def kill(self, chance):
        """Kill it, and start it again where it was."""
        async with self._one_at_a_time:
            self.counts["server killed"] += 1
            await asyncio.to_thread(self.server.kill)
            await asyncio.sleep(chance.random())
            await asyncio.to_thread(self.server.start)

    async def fill_disk(self, chance):
        """Let none of its files grow for up to two seconds; start it again if that ended it."""
        async with self._one_at_a_time:
            self.counts["server's disk full"] += 1
            await asyncio.to_thread(self.server.limit_files, self.files_end())
            await asyncio.sleep(2 * chance.random())
            await asyncio.to_thread(self.server.limit_files)
            if not await asyncio.to_thread(self.server.lives):
                self.counts["ended by that"] += 1
                await asyncio.to_thread(self.server.kill)
                await asyncio.to_thread(self.server.start)

    async def stop(self):
        """End both."""
        self.proxy.stop()
        self.counts.update(self.proxy.counts)
        await asyncio.to_thread(self.server.leave)
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(Served):
    """A Redis server that has on the disk what it acknowledges."""

    def make_server(self):
        """Start it."""
        options = ("--appendonly", "yes", "--appendfsync", "always")
        return RedisServer(self.folder, options=options)

    def url_at(self, port):
        """Return what a worker opens."""
        return f"redis://127.0.0.1:{port}/0"

    def files_end(self):
        """Return where the log ends."""
        return max(file.stat().st_size for file in self.folder.glob("appendonlydir/*.aof"))


class Near(Redis):
    """The same behind near caches, from which readers are served while it is away."""

    lag = NEAR_LAG

    def url_at(self, port):
        """Return what a worker opens."""
        return f"{super().url_at(port)}?near=1000"


class Postgres(Served):
    """A Postgres server that has in the kernel's hands what it acknowledges."""

    def make_server(self):
        """Start it."""
        return PostgresServer(settings=("synchronous_commit=on",))

    def url_at(self, port):
        """Return what a worker opens."""
        return f"postgresql://sessile@127.0.0.1:{port}/postgres"

    def files_end(self):
        """Return where the log's files end, and with them all others."""
        return self.chance.choice((1 << 16, 1 << 18, 1 << 20))


class Memcached(Served):
    """A memcached server. It is not killed: it forgets everybody then, as it promises."""

    has_owners = False

    def __init__(self, chance, asked):
        super().__init__(chance, asked)
        self.troubles = {self.freeze: 6.0, self.part: 7.0}

    def make_server(self):
        """Start it."""
        server = MemcachedServer(self.folder)
        server.leave = server.stop
        return server

    def url_at(self, port):
        """Return what a worker opens."""
        return f"memcached://127.0.0.1:{port}"
