"""Three NATS servers: one is killed, frozen or cut off, from its clients or from the others."""

import asyncio
import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from itertools import permutations
from pathlib import Path

from chaos.files import pause_length
from chaos.proxy import Proxy
from chaos.servers import AWAY, NEAR_LAG
from harness.nats_server import NatsCluster, wait_for

NUMBER = 3
BUCKET = "fire"
ALONE = 15.0
"""Seconds, at most, for which one is cut off: others are elected, and it notices, within ten."""


class Nats:
    """Servers of one cluster.

    Attributes:
        url: what a worker opens.
        counts: what happened.
        troubles: what happens, and about every how many seconds.
    """

    workers = 3
    lag = 0.0  # seconds for which somebody may see what has ended
    on_disk = False
    has_owners = True
    stream = f"SESSILE_{BUCKET}"
    """The stream whose leader is in danger."""

    def __init__(self, chance, asked):
        self.chance = chance
        self.counts, self.troubles = Counter(), {self.trouble: 6.0}
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-"))

    async def start(self):
        """Start the servers: a proxy before each, and one on each way from one to another."""
        self.proxies = [await Proxy(self.chance).start() for _ in range(NUMBER)]
        pairs = list(permutations(range(NUMBER), 2))
        self.roads = {pair: await Proxy(self.chance, cut=0.0).start() for pair in pairs}
        ports = {pair: road.port for pair, road in self.roads.items()}
        self.cluster = NatsCluster(self.folder, NUMBER, ports)
        for (_, other), road in self.roads.items():
            road.target = self.cluster.routes[other]
        for proxy, server in zip(self.proxies, self.cluster.servers, strict=True):
            proxy.target = server.port
        await asyncio.to_thread(self.cluster.start)
        places = ",".join(f"127.0.0.1:{proxy.port}" for proxy in self.proxies)
        self.url = f"nats://{places}/{BUCKET}"

    async def trouble(self, chance):
        """Have something happen to one server, and return when all is well again."""
        leader = await asyncio.to_thread(self.find_leader)
        number = chance.choice((leader, chance.randrange(NUMBER)))
        what = "leader" if number == leader else "follower"
        ways = [self.kill, self.freeze, self.part, self.isolate, self.cut_off]
        ways += [self.step_down] if number == leader else []
        way = chance.choice(ways)
        self.counts[f"{what}: {way.__name__}"] += 1
        await way(number, chance)
        await asyncio.to_thread(self.cluster.heal)
        self.counts["other leaders"] += leader != await asyncio.to_thread(self.find_leader)

    def find_leader(self):
        """Return the number of the stream's leader."""
        found = []

        def look():
            with suppress(OSError, KeyError, ValueError):
                bucket = self.stream.removeprefix("SESSILE_")
                found.append(self.cluster.servers.index(self.cluster.leader(bucket)))
            return found

        wait_for(look, lambda: "the stream has no leader", 60.0)
        return found[0]

    async def kill(self, number, chance):
        """Kill it; start it again, at once or after the others have elected a leader."""
        server = self.cluster.servers[number]
        await asyncio.to_thread(server.stop)
        await asyncio.sleep(2 * AWAY * chance.random())
        await asyncio.to_thread(server.start)

    async def freeze(self, number, chance):
        """Let it take everything and answer nothing, then perform what it took."""
        server = self.cluster.servers[number]
        await asyncio.to_thread(server.freeze)
        await asyncio.sleep(pause_length(chance))
        server.thaw()

    async def part(self, number, chance):
        """Let nothing come through between it and its clients."""
        await self.proxies[number].part(pause_length(chance))

    async def isolate(self, number, chance):
        """Let nothing come through between it and the others: its clients still reach it."""
        seconds = ALONE * chance.random()
        await asyncio.gather(*(road.part(seconds) for road in self.roads_of(number)))

    async def cut_off(self, number, chance):
        """Let nothing come through between it and anybody."""
        seconds = ALONE * chance.random()
        ways = [self.proxies[number], *self.roads_of(number)]
        await asyncio.gather(*(way.part(seconds) for way in ways))

    async def step_down(self, number, chance):
        """Ask it to let another one lead."""
        with suppress(OSError):
            verb = f"STREAM.LEADER.STEPDOWN.{self.stream}"
            await asyncio.to_thread(self.cluster.servers[number].api, verb)

    def roads_of(self, number):
        """Return what is between a server and the others."""
        return [road for pair, road in self.roads.items() if number in pair]

    async def stop(self):
        """End all of them."""
        for proxy in self.proxies:
            proxy.stop()
            self.counts["answers cut"] += proxy.counts["answers cut"]
        for road in self.roads.values():
            road.stop()
        await asyncio.to_thread(self.cluster.each, "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


class Replicated(Nats):
    """The same, with a mirror in each worker."""

    lag = NEAR_LAG

    async def start(self):
        """Start the servers."""
        await super().start()
        self.url = self.url.replace("nats:", "replicated:", 1)


class Backup(Nats):
    """The same, in shards, and behind the near cache that a worker has then."""

    lag = NEAR_LAG
    stream = f"SESSILE_{BUCKET}_0"

    async def start(self):
        """Start the servers."""
        await super().start()
        self.url = f"{self.url.replace('nats:', 'backup:', 1)}?shards=3"
