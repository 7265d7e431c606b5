"""How far a near cache is behind its store, and how often it has what is asked for, under load.

One process has the copies, and another one makes the changes, as another server would; beside
``memory://``, which no other process reaches, that is another thread. Both write down when they did
what, by one clock; afterwards it is known of each read that was served from a copy whether a newer
version had been acknowledged before the read began, and since when. That is what a client of
another server could have seen, had it not said what it has seen itself.
"""

import multiprocessing
import random
import time
from bisect import bisect_left
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

from benchmarks.neighbours import DATA
from sessile.core.flow import run
from sessile.stores.abilities import HasTable
from sessile.stores.contract import Capability
from sessile.stores.open import open_store
from sessile.testing.sample import change, key, record

SESSIONS = 500
SECONDS = 20.0
PACE = 0.002
"""Seconds between two changes, besides what they take."""

LAST = 2.0
"""Seconds in which the last change is told."""


class Lag:
    """One store's figures.

    Args:
        changes: key, beginning and acknowledgement of each.
        heard: by key, when the feed named it.
        reads: key, beginning and version of those from a copy; the version of others is None.
    """

    def __init__(self, changes, heard, reads):
        self._changes, self._heard, self._reads = changes, heard, reads
        self.hits = sum(version is not None for _, _, version in reads)
        self.hit_rate = self.hits / len(reads)
        seconds = changes[-1][2] - changes[0][1]
        self.changes_each_second = len(changes) / seconds
        self.reads_each_second = len(reads) / seconds

    @property
    def told(self):
        """Seconds from the acknowledgement of a change to its notice, which may come before it."""
        lags = []
        for each, began, acked in self._changes:
            at = bisect_left(self._heard[each], began)
            if at == len(self._heard[each]):
                raise SystemExit(f"a change of {each} was never told")
            lags.append(max(self._heard[each][at] - acked, 0.0))
        return lags

    @property
    def old(self):
        """Seconds for which a newer version was acknowledged, of reads of a copy that was older."""
        acked = defaultdict(list)  # by key; the first change makes the second version
        for each, _, at in self._changes:
            acked[each].append(at)
        newer = [
            (began, acked[each][version - 1])
            for each, began, version in self._reads
            if version is not None and version <= len(acked[each])
        ]
        return [began - at for began, at in newer if at < began]


def measure(url, seconds=SECONDS):
    """Measure a store that is opened by a URL."""
    near = open_store(f"{url}{'&' if '?' in url else '?'}near=10000")
    if isinstance(near, HasTable):
        run(near.make_table())
    keys = [key(str(n)) for n in range(SESSIONS)]
    for n in range(SESSIONS):
        run(near.create(record(str(n), at=time.time(), data=DATA)))
    heard = defaultdict(list)

    def hear(named):
        for each in named or ():
            heard[each].append(time.monotonic())

    near.follower.listen(hear, lambda: keys)
    with _other(near) as writer:
        place = url if Capability.SHARED in near.capabilities else near.store
        writer.submit(write, place, 0.0).result()  # until it has imported everything
        _read_all(near, keys)
        changes = writer.submit(write, place, seconds)
        reads = _read(near, keys, changes.done)
        time.sleep(LAST)
    run(near.close())
    return Lag(changes.result(), heard, reads)


def _other(near):
    """Return where another server is at work."""
    if Capability.SHARED in near.capabilities:
        return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    return ThreadPoolExecutor(1)


def _read_all(near, keys):
    for each in keys:
        run(near.read(each))
    while not near.follower.is_fresh():
        time.sleep(0.01)


def write(place, seconds):
    """Change one session after the other, at a steady rate; list key, beginning and end of each."""
    store = open_store(place) if isinstance(place, str) else place
    chance, found = random.Random(1), []
    newest = {each: run(store.read(each)) for each in (key(str(n)) for n in range(SESSIONS))}
    keys, end = [*newest], time.monotonic() + seconds
    while time.monotonic() < end:
        each = chance.choice(keys)
        step = change(newest[each], {"n": b"%d" % chance.getrandbits(30)})
        began = time.monotonic()
        run(store.commit(step))
        found.append((each, began, time.monotonic()))
        newest[each] = step.record
        time.sleep(PACE)
    if store is not place:
        run(store.close())
    return found


def _read(near, keys, is_over):
    """Read sessions at random, a few much and many rarely, as visitors come."""
    chance, reads = random.Random(2), []
    while not is_over():
        each = keys[min(int(chance.expovariate(8 / len(keys))), len(keys) - 1)]
        began = time.monotonic()
        found = near.peek(each, 0)
        reads.append((each, began, None if found is None else found.version))
        if found is None:
            run(near.read(each))
        time.sleep(0.0002)  # let the other threads run, as a server's loop does
    return reads
