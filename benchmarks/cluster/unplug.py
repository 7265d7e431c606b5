"""A host's cable is pulled: nobody hangs up, and nobody is told.

Three nodes are on hosts of their own, on one switch; this process is a worker on a fourth host, and
``benchmarks.cluster.reader`` is one on the host that is cut off together with its node.
"""

import asyncio
import itertools
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from benchmarks.cluster.reader import NAME, PAUSE, look
from benchmarks.cluster.report import Finding
from harness.networks import Network
from harness.nodes import NetworkNodes
from sessile.core.flow import arun
from sessile.errors import StoreUnavailable
from sessile.stores.contract import Committed
from sessile.stores.open import open_store
from sessile.testing.sample import change, key, record
from sessile.wire.feed.follower import MOST_LATE

ROOT = Path(__file__).parents[2]
CALM, AWAY, BACK = 3.0, 14.0, 6.0
"""Seconds before, while the cable is out, and after it."""

PATIENCE = "&timeout=20"

FOLLOWS, LEADS = (f"a host's cable is pulled whose node {does}" for does in ("follows", "leads"))
STALLS = {FOLLOWS: (0.6, 0.6), LEADS: (9.0, 9.0)}
"""What we aim at, in seconds: a read, a write; elections take up to nine."""


def measure(scheme, asked, folder):
    """Return what is found of one kind of store."""
    with Network("abc") as network, NetworkNodes(folder, network) as nodes:
        return asyncio.run(pull_both(network, nodes.url(scheme, "shop"), asked.pace))


async def pull_both(network, url, pace):
    """Pull the cable of a host whose node follows, and of one whose node leads."""
    store = open_store(url + PATIENCE)
    await arun(store.create(record(NAME, at=time.time())))
    found = []
    for row in STALLS:
        placement = await arun(store.placement(key(NAME)))
        name = placement.primary if row == LEADS else min(placement.backups)
        found.append(await pull(network, name, url, row, pace))
        await arun(store.read(key(NAME)))
    await arun(store.close())
    return found


async def pull(network, name, url, row, pace):
    """Pull the cable of one host; return what is found."""
    reader = start_reader(network.launcher(name), url)
    site = Site(url)
    asking = [asyncio.create_task(act()) for act in (site.read, site.write)]
    await asyncio.sleep(pace * CALM)
    began = time.monotonic()
    network.unplug(name)
    await asyncio.sleep(pace * AWAY)
    ended = time.monotonic()
    network.plug_in(name)
    await asyncio.sleep(pace * BACK)
    site.is_over = True
    await asyncio.gather(*asking)
    said, _ = await asyncio.to_thread(reader.communicate)
    answers = [msgspec.json.decode(line) for line in said.splitlines()]
    return site.finding(row, answers, began, ended)


def start_reader(launcher, url):
    """Start a worker on a host, which reads until its standard input ends."""
    words = [*launcher, sys.executable, "-m", "benchmarks.cluster.reader", url]
    return subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


class Site:
    """A worker on a host that nothing happens to: it reads and changes one session.

    Attributes:
        written: when each version was acknowledged.
        is_over: whether it is to end.
    """

    def __init__(self, url):
        self._store = open_store(url)
        self.written, self.is_over = {}, False
        self._answered = {"read": [], "write": []}

    async def read(self):
        """Read the session again and again."""
        while not self.is_over:
            await self._perform("read", look(self._store))
            await asyncio.sleep(PAUSE)

    async def write(self):
        """Change it again and again, from what is there."""
        while not self.is_over:
            found = await self._perform("write", self._change())
            if found is not None:
                self.written[found] = time.monotonic()
            await asyncio.sleep(PAUSE)
        await arun(self._store.close())

    async def _change(self):
        old = await arun(self._store.read(key(NAME)))
        made = change(old, {"n": b"%d" % old.version}, seen=time.time())
        done = await arun(self._store.commit(made))
        return made.record.version if isinstance(done, Committed) else None

    async def _perform(self, what, act):
        try:
            found = await act
        except StoreUnavailable:
            return None
        self._answered[what].append(time.monotonic())
        return found

    def finding(self, row, answers, began, ended):
        """Return what is found, of this host and of the one that was cut off."""
        waits = [self._longest(what, began, ended) for what in self._answered]
        most = STALLS[row]
        there = [one for one in answers if began <= one[0] and one[1] < ended]
        old = [one for one in there if self._is_old(*one)]
        refused = sum(version is None for *_, version in there)
        text = ", ".join(f"{wait:.2f} s" for wait in waits)
        return Finding(
            row,
            f"{text}; there {len(there) - refused:,} answers, {len(old)} old, {refused:,} refused",
            all(wait <= limit for wait, limit in zip(waits, most, strict=True)),
            [f"on the host that was cut off {len(old)} answers were old"] if old else (),
        )

    def _longest(self, what, began, ended):
        """Return the longest time without an answer."""
        times = [when for when in self._answered[what] if began - 1 < when < ended + BACK]
        return max((b - a for a, b in itertools.pairwise(times)), default=ended - began)

    def _is_old(self, began, _ended, version):
        """Tell whether another version had been acknowledged long before it was asked for."""
        later = self.written.get((version or 0) + 1)
        return version is not None and later is not None and later < began - MOST_LATE
