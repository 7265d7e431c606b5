"""``python -m benchmarks.nats``: CPU of an act on NATS, of the process and of each server.

Sixteen acts at a time, through the store's own verbs, with one server and with three, over one that
follows; then with the two that are left when the leader has died.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import uvloop

from benchmarks.tables import TESTS, print_table

sys.path.append(TESTS)

from harness.nats_server import NatsCluster, NatsServer
from sessile.core.flow import arun
from sessile.errors import StoreUnavailable
from sessile.stores.nats import NatsStore
from sessile.testing.sample import change, record

WIDTH = 16
NUMBER = 16_000
WARM = 100
"""Reads, until the store believes the leader."""

HEAD = ("", "a second", "the process", "the leader", "the one in between", "the third")
TICKS = os.sysconf("SC_CLK_TCK")
DATA = {"value": random.Random(1).randbytes(1_000)}


def main():
    """Measure, and print a table."""
    rows = uvloop.run(measure())
    print("\n## CPU of an act on NATS, microseconds")
    print_table(HEAD, [(what, *(f"{figure:.0f}" for figure in figures)) for what, figures in rows])


async def measure():
    """Return a row for each act."""
    with tempfile.TemporaryDirectory() as folder, NatsServer(folder) as server:
        acts = await Acts.begin(server, [server])
        rows = [("one server: " + name, await acts.take(name)) for name in ("read", "write")]
    with tempfile.TemporaryDirectory() as folder, NatsCluster(folder) as cluster:
        await make_stream(cluster)
        leader = cluster.leader("bench")
        between, third = (each for each in cluster.servers if each is not leader)
        acts = await Acts.begin(between, [leader, between, third])
        rows += [("three servers: " + name, await acts.take(name)) for name in ("read", "write")]
        leader.stop()
        await acts.read(0)  # once they have elected
        acts.servers = [between, third]
        rate, process, *left = await acts.take("read")
        rows.append(("two are left: read", [rate, process, 0, *left]))
    return rows


async def make_stream(cluster):
    """Make it as soon as the servers know each other."""
    store = NatsStore.from_url(f"{cluster.url}/bench?timeout=30")
    for _ in range(100):
        with suppress(StoreUnavailable):
            await arun(store.ping())
            break
        await asyncio.sleep(0.1)
    await arun(store.close())


class Acts:
    """Acts of a store on some sessions.

    Args:
        store: that.
        servers: whose CPU counts.
    """

    def __init__(self, store, servers):
        self._store, self.servers = store, servers
        self._rows = [record(f"session {n}", data=DATA) for n in range(WIDTH)]

    @classmethod
    async def begin(cls, server, servers):
        """Open a store over a server, and read until it believes the leader."""
        acts = cls(NatsStore.from_url(f"{server.url}/bench?timeout=30"), servers)
        for row in acts._rows:
            await arun(acts._store.create(row))
        for _ in range(WARM):
            await acts.read(0)
            await asyncio.sleep(0.01)
        return acts

    async def read(self, one):
        """Read a session."""
        await arun(self._store.read(self._rows[one].key))

    async def write(self, one):
        """Change a session that was read just now."""
        step = change(self._rows[one])
        await arun(self._store.commit(step))
        self._rows[one] = step.record

    async def take(self, name):
        """Measure acts a second, and microseconds of one: of the process, and of each server."""
        act = getattr(self, name)

        async def repeat(one):
            for _ in range(NUMBER // WIDTH):
                await act(one)

        before = [time.process_time(), *map(cpu_of, self.servers)]
        began = time.perf_counter()
        await asyncio.gather(*map(repeat, range(WIDTH)))
        seconds = time.perf_counter() - began
        after = [time.process_time(), *map(cpu_of, self.servers)]
        spent = [(b - a) / NUMBER * 1e6 for a, b in zip(before, after, strict=True)]
        return [NUMBER / seconds, *spent]


def cpu_of(server):
    """Return the seconds of CPU that a server has taken."""
    told = Path(f"/proc/{server.pid}/stat").read_text()
    user, system = told.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / TICKS


if __name__ == "__main__":
    main()
