"""A host is killed, or hangs, under load: how long visitors wait, and what is lost."""

import asyncio
import math
import time
from statistics import median

from benchmarks.cluster.hosts import OUTAGE_READS
from benchmarks.cluster.report import Finding
from benchmarks.cluster.visitors import Crowd
from sessile.wire.feed.follower import MOST_LATE

CALM = "longest stall of a read, of a write: calm"
BREATH = 1.5
"""Seconds after which all go on as before."""

SHORT, ELECTION = 3.0, 10.0
"""Seconds for which a host is away: one is killed whose node follows; all else."""

LAG = MOST_LATE + OUTAGE_READS
"""Seconds for which a copy may show what was ended on another host, an outage included."""

PLACES = ("at the other hosts", "through the balancer")
QUICK = "a host is killed whose node follows"
STALLS = {
    QUICK: (0.1, 0.5),
    "a host is killed whose node leads": (0.1, 9.0),
    "a host hangs whose node follows": (0.1, 0.5),
    "a host hangs whose node leads": (0.1, 9.0),
}
"""By trouble, what we aim at, in seconds: a read, a write; elections take up to nine."""


async def measure(hosts, asked):
    """Return what is found; one host is in trouble after the other."""
    crowd = Crowd(hosts.front.port, hosts.ports, asked.visitors)
    crowd.begin()
    windows = []
    for _ in range(asked.rounds):
        windows.append((CALM, *await rest(asked.pace)))
        windows += [
            (name, *await trouble(hosts, crowd, name, asked.pace)) for name in asked.troubles
        ]
    await crowd.end()
    faults = crowd.faults(LAG if asked.has_copies else 0.0)
    judged = f"{len(faults)} in {len(crowd.history):,} requests"
    names = dict.fromkeys(name for name, _, _ in windows)
    return [
        Finding("faults that the history checker finds meanwhile", judged, not faults, faults),
        *(stall(crowd, name, [w[1:] for w in windows if w[0] == name]) for name in names),
    ]


async def rest(pace):
    """Let nothing happen; return when that was."""
    await asyncio.sleep(pace * BREATH)  # until all have begun
    began = time.monotonic()
    await asyncio.sleep(pace * SHORT)
    return began, time.monotonic()


async def trouble(hosts, crowd, name, pace):
    """Have something happen to one host until all is well again; return for how long it lasted."""
    leader, *followers = await asyncio.to_thread(hosts.leader)
    struck = leader if name.endswith("leads") else followers[0]
    seconds = SHORT if name == QUICK else ELECTION
    crowd.elsewhere[:] = [port for port in hosts.ports if port not in struck.ports]
    await asyncio.sleep(0.5)  # whoever has asked the one that will be struck has its answer
    kills = "killed" in name
    began = time.monotonic()
    await asyncio.to_thread(struck.kill if kills else struck.freeze)
    await asyncio.sleep(pace * seconds)
    ended = time.monotonic()
    await asyncio.to_thread(struck.start if kills else struck.thaw)
    await asyncio.to_thread(hosts.await_all)
    await asyncio.sleep(pace * BREATH)
    return began, ended


def stall(crowd, name, windows):
    """Return what is said of one kind of trouble: the longest waits, medians of all rounds."""
    read, write, *through = (
        median(crowd.longest(place, what, *window) for window in windows)
        for place in PLACES
        for what in ("read", "write")
    )
    most_read, most_write = STALLS.get(name, (math.inf, math.inf))
    meets = (read <= most_read and write <= most_write) if name in STALLS else None
    text = f"{read:.2f} s, {write:.2f} s; by the balancer {through[0]:.2f} s, {through[1]:.2f} s"
    return Finding(name, text, meets)
