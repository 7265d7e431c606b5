"""Stores with several servers, one of which takes another's place: Sentinels, and a cluster."""

import asyncio
import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import redis

from chaos.proxy import Proxy
from chaos.servers import AWAY, NEAR_LAG
from harness.redis_cluster import RedisCluster
from harness.sentinels import Replicated, eventually


class Replicas:
    """Servers that take each other's place.

    Attributes:
        url: what a worker opens.
        counts: what happened.
        troubles: what happens, and about every how many seconds.
    """

    workers = 3
    on_disk = False
    has_owners = True
    primaries = 1

    def __init__(self, chance, asked):
        self.chance, self.replicas = chance, asked.replicas
        self.acks = f"&acks={asked.acks}" if asked.acks else ""  # of the URL
        self.counts, self.troubles = Counter(), {self.change_primary: 10.0}
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        self.stack = ExitStack()

    async def start(self):
        """Start the servers, each behind a proxy, by whose port the others know it."""
        number = self.primaries * (1 + self.replicas)
        self.proxies = [await Proxy(self.chance).start() for _ in range(number)]
        await asyncio.to_thread(self.start_servers)

    async def change_primary(self, chance):
        """Take a primary away in one of four ways, and return when all is well again."""
        primary = await asyncio.to_thread(self.find_primary, chance)
        proxy = next(one for one in self.proxies if one.target == primary.port)
        way = chance.choice((self.kill, self.freeze, self.part, self.ask))
        await way(primary, proxy, chance)
        is_another = await asyncio.to_thread(self.heal, primary)
        self.counts["fail-overs"] += is_another

    async def kill(self, primary, proxy, chance):
        """Kill it; it comes again, with nothing, when another one has its place."""
        self.counts["primary killed"] += 1
        await asyncio.to_thread(primary.stop)
        await asyncio.to_thread(self.wait_for_heir, primary)

    async def freeze(self, primary, proxy, chance):
        """Let it stand still, until somebody has its place or not."""
        self.counts["primary frozen"] += 1
        await asyncio.to_thread(primary.freeze)
        await asyncio.sleep(AWAY * chance.random())
        primary.thaw()

    async def part(self, primary, proxy, chance):
        """Cut it off from everybody."""
        await proxy.part(AWAY * chance.random())

    async def ask(self, primary, proxy, chance):
        """Have another one take its place, both being well."""
        self.counts["asked for"] += 1
        await asyncio.to_thread(self.ask_for_heir, primary)

    async def stop(self):
        """End all of them."""
        for proxy in self.proxies:
            proxy.stop()
            self.counts.update(proxy.counts)
        await asyncio.to_thread(self.stack.close)
        shutil.rmtree(self.folder)


class Sentinels(Replicas):
    """A primary and its replica, that three Sentinels watch."""

    def start_servers(self):
        """Start them."""
        more = {"replicas": self.replicas, "proxies": self.proxies}
        self.replicated = Replicated(self.folder, self.stack, **more)
        self.url = f"{self.replicated.url}&timeout=1{self.acks}"

    def find_primary(self, chance):
        """Return the server that the Sentinels name."""
        return self.replicated.primary_now()

    def wait_for_heir(self, primary):
        """Return when they name another one."""
        eventually(
            lambda: self.replicated.primary_now() is not primary, "another one is the primary"
        )

    def ask_for_heir(self, primary):
        """Ask them to name another one, as the page of stores says: nobody writes meanwhile."""
        try:
            self.replicated.pause_writes(primary)
            self.replicated.fail_over()
        except redis.ResponseError:  # they have just done so
            primary.ask("CLIENT", "UNPAUSE")

    def heal(self, primary):
        """Start it again if it was killed; tell whether another one is the primary now."""
        self.replicated.heal()
        return self.replicated.primary_now() is not primary


class Cluster(Replicas):
    """Three primaries, each with a replica; slots move, too."""

    primaries = 3

    def __init__(self, chance, asked):
        super().__init__(chance, asked)
        self.troubles = {self.trouble: 6.0}

    def start_servers(self):
        """Start them."""
        more = {"replicas": self.replicas, "proxies": self.proxies}
        self.cluster = self.stack.enter_context(RedisCluster(self.folder, **more))
        self.url = f"{self.cluster.url}?timeout=1{self.acks}"

    async def trouble(self, chance):
        """Move slots, or take a primary away."""
        if chance.random() < 0.5:
            await self.move_slots(chance)
        else:
            await self.change_primary(chance)

    async def move_slots(self, chance):
        """Move a few slots in which there are sessions, key by key."""
        for _ in range(3):
            source = await asyncio.to_thread(self.find_primary, chance)
            key = await asyncio.to_thread(source.ask, "RANDOMKEY")
            if key is None:
                continue
            slot = source.ask("CLUSTER", "KEYSLOT", key)
            move = await asyncio.to_thread(self.cluster.migrate, slot)
            await asyncio.to_thread(move.begin)
            while keys := move.source.ask("CLUSTER", "GETKEYSINSLOT", slot, 3):
                await asyncio.to_thread(move.move, *keys)
                await asyncio.sleep(0.05 * chance.random())
            await asyncio.to_thread(move.end)
            self.counts["slots moved"] += 1

    def find_primary(self, chance):
        """Return one of the primaries."""
        return chance.choice(self.cluster.primaries())

    def wait_for_heir(self, primary):
        """Return when another one has its slots."""
        eventually(lambda: primary not in self.cluster.primaries(), "another one has its slots")

    def ask_for_heir(self, primary):
        """Ask its replica to take its place."""
        self.cluster.fail_over(primary)

    def heal(self, primary):
        """Start it again if it was killed; tell whether another one has its slots."""
        self.cluster.heal()
        return primary not in self.cluster.primaries()


class NearCluster(Cluster):
    """The same behind near caches: slots move, and replicas take over, under their feeds."""

    lag = NEAR_LAG

    def start_servers(self):
        """Start them."""
        super().start_servers()
        self.url += "&near=1000"
