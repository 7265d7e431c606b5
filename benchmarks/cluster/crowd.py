"""A host joins where there are twenty thousand sessions, and what the memory of them takes."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

from benchmarks.cluster.hosts import Host
from benchmarks.cluster.majority import judge_answer
from benchmarks.cluster.report import Finding
from benchmarks.cluster.staleness import CROWD, count_wrong, shoppers
from benchmarks.cluster.tabs import Tab, figures, insist, share_out, start_jars

WARM = 20
"""Sessions by which each worker has imported all that it needs."""

REST = 5.0
"""Seconds until the servers have put away what they needed to be told."""

HANDS = 6
SWEPT = 4_000
"""Sessions that a host is asked for once it has all."""

PATIENCE, POLL = 120.0, 0.05
MOST_SECONDS, MOST_KB = 3.0, 2.5


class Newcomer:
    """A host that has begun, and what visitors are answered there from the first moment on.

    Args:
        host: which.
        jars: sessions that nobody changes.
        has_mirrors: whether its workers are to have them all.
    """

    def __init__(self, host, jars, *, has_mirrors):
        self.host, self.jars, self._has_mirrors = host, jars, has_mirrors
        self.answers = []  # of each when it came, and of what kind it was
        self.whole = None
        self._chance = random.Random(1)

    async def watch(self, is_ready):
        """Ask until its workers have all sessions, and something else is so."""
        self._is_over = False
        asking = [asyncio.create_task(self._ask()) for _ in range(HANDS)]
        end = time.monotonic() + PATIENCE
        while not (await self._has_all() and await is_ready()):
            if time.monotonic() > end:
                found = await fewest(self.host.ports)
                kinds = Counter(kind for _, kind in self.answers)
                raise SystemExit(f"a host that joined has {found} sessions; answers: {kinds}")
            await asyncio.sleep(POLL)
        await asyncio.sleep(1.0)
        self._is_over = True
        await asyncio.gather(*asking)

    async def _ask(self):
        ports = self.host.ports
        tabs = [Tab(port) for port in ports]
        while not self._is_over:
            jar = self._chance.choice(self.jars)
            answer = await self._chance.choice(tabs).get("read", jar.early)
            if answer.status:  # else nobody listens yet
                kind = judge_answer(answer, jar.number)
                self.answers.append((time.monotonic(), kind))
            await asyncio.sleep(0.002)
        for tab in tabs:
            tab.close()

    async def _has_all(self):
        if not self.answers:
            return False
        if self._has_mirrors and await fewest(self.host.ports) < len(self.jars):
            return False
        self.whole = self.whole or time.monotonic()
        return True

    def finding(self, row):
        """Return what is said of it; seconds are from its first answer on."""
        first = min(self.answers)[0]
        kinds = Counter(kind for _, kind in self.answers)
        amiss = [when - first for when, kind in self.answers if kind != "right"]
        after = max(amiss, default=0.0)
        wrong = {kind: n for kind, n in kinds.items() if kind not in {"right", "503"}}
        whole = f"; mirrors whole after {self.whole - first:.1f} s" if self._has_mirrors else ""
        counts = ", ".join(f"{kinds[kind]:,} {kind}" for kind in ("right", "503", "empty", "wrong"))
        return Finding(
            row,
            f"{after:.1f} s ({counts}){whole}",
            after <= MOST_SECONDS and not wrong,
            [f"{number} answers were {kind}" for kind, number in wrong.items()],
        )


async def measure(hosts, asked):
    """Return what is found."""
    warm = await start_jars(WARM * len(hosts.ports), hosts.ports)
    for port in hosts.ports:  # a mirror begins with the first read
        await share_out(
            warm[:WARM], [Tab(port)], lambda jar, tab: insist(tab.get, "read", jar.cookies)
        )
    before = memory(hosts)
    jars = await start_jars(asked.sessions, hosts.ports)
    if asked.has_mirrors:
        await await_mirrors(hosts.ports, len(warm) + len(jars))
    await asyncio.sleep(asked.pace * REST)
    sizes = [(size - old) / asked.sessions for size, old in zip(memory(hosts), before, strict=True)]
    changing = await start_jars(CROWD, hosts.ports)
    async with shoppers(hosts, changing):
        found = [
            take(hosts, sizes),
            await join(hosts, jars, asked),
            await refill(hosts, jars, asked),
        ]
    await asyncio.sleep(asked.pace * REST)
    wrong, _ = await count_wrong(hosts, changing)
    if wrong:
        found[-1].faults.append(f"{wrong} sessions that were changed meanwhile are wrong")
    return found


def take(hosts, sizes):
    """Return what is said of memory."""
    text = ", ".join(
        f"{len(host.workers)}: {size / 1000:.1f} KB"
        for host, size in zip(hosts.hosts, sizes, strict=True)
    )
    return Finding(
        "memory per session of 1 KB per host, by workers", text, max(sizes) <= MOST_KB * 1000
    )


async def join(hosts, jars, asked):
    """Have a fourth host join, whose workers ask the nodes of the others."""
    host = Host(None, hosts.url(hosts.nodes.nodes))
    newcomer = Newcomer(host, jars, has_mirrors=asked.has_mirrors)
    try:
        host.begin()
        await newcomer.watch(always)
        await sweep(newcomer)
    finally:
        host.kill()
    return newcomer.finding("a fourth host joins: all answers right after")


async def refill(hosts, jars, asked):
    """Have a host come back whose disk is empty."""
    _, host, _ = await asyncio.to_thread(hosts.leader)
    await asyncio.to_thread(host.kill)
    host.lose_disk()
    newcomer = Newcomer(host, jars, has_mirrors=asked.has_mirrors)
    host.begin()
    await newcomer.watch(lambda: asyncio.to_thread(hosts.are_whole))
    await sweep(newcomer)
    return newcomer.finding("a node comes back without its disk: likewise")


async def read(jar, tab):
    """Read a session."""
    await insist(tab.get, "read", jar.cookies)


async def fewest(ports):
    """Return how many sessions the worker has in its memory that has the fewest."""
    return min([(await figures(port))[0] or 0 for port in ports])


async def await_mirrors(ports, number):
    """Return when each worker has so many sessions in its memory."""
    async with asyncio.timeout(PATIENCE):
        while await fewest(ports) < number:  # noqa: ASYNC110  (other processes have no event)
            await asyncio.sleep(POLL)


async def always():
    """Tell that nothing else is waited for."""
    return True


async def sweep(newcomer):
    """Ask a host for many sessions once, drawn from all."""

    async def look(jar, tab):
        answer = await tab.get("read", jar.early)
        newcomer.answers.append((time.monotonic(), judge_answer(answer, jar.number)))

    ports = newcomer.host.ports
    drawn = random.Random(2).sample(newcomer.jars, min(SWEPT, len(newcomer.jars)))
    await share_out(drawn, [Tab(ports[n % len(ports)]) for n in range(8)], look)


def memory(hosts):
    """Return the bytes that each host takes: the server of its node, and its workers."""
    return [
        sum(map(taken, (host.server, *(each.pid for each in host.workers)))) for host in hosts.hosts
    ]


def taken(pid):
    """Return the bytes of memory that a process takes, its share of what several have in common."""
    told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) << 10 for line in told.splitlines() if line.startswith("Pss:"))
