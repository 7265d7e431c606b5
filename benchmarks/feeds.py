"""The feed of a store in a file: what a look costs, and how soon it tells of a commit.

Sessions of 1 KB. A look comes after another process's commit, or after none; the lag is from the
return of a commit to its word in a thread that follows the feed.
"""

import multiprocessing
import random
import threading
import time
from functools import partial
from statistics import median, quantiles

from benchmarks.neighbours import DATA, KINDS
from sessile.core.flow import run
from sessile.stores.open import open_store
from sessile.testing.sample import change, key, record
from sessile.wire.feed.follower import Follower

WANTED = (0, 10, 1_000, 10_000)
LOOKS = 20
COMMITS = 200
LONG = 3600.0  # seconds: whatever a look took, the next one is due then
PATIENCE = 20.0
SPREAD = 0.2
"""Seconds between two commits at most, so that they fall into every part of a pause."""


def measure(folder, *, rounds=1):
    """Measure {(kind, keys): (look, look after a commit, lag, its 99th percentile)}, in ms."""
    found = {}
    for kind in KINDS:
        url = f"{kind}:///{folder}/feeds.{kind}?timeout=20"
        store = open_store(url)
        for n in range(max(WANTED)):
            run(store.create(record(str(n), data=DATA)))
        for number in WANTED:
            keys = [key(str(n)) for n in range(number)]
            looks = take_looks(store, url, keys, LOOKS * rounds)
            lags = follow(store, keys, COMMITS * rounds) if keys else (0.0, 0.0)
            found[kind, number] = (*looks, *lags)
        run(store.close())
    return found


def take_looks(store, url, keys, number):
    """Measure the median of a look where nothing was written, and where something was."""
    skipped = 0.0

    def timer():
        return time.perf_counter() + skipped

    feed = store.open_feed(timer, lambda: keys)
    feed.wait(0.0)
    times = ([], [])
    with multiprocessing.get_context("spawn").Pool(1) as neighbour:
        for turn in range(2 * number):
            if turn % 2:
                neighbour.apply(commit, (url, str(turn)))
            skipped += LONG
            began = time.perf_counter()
            feed.wait(0.0)
            times[turn % 2].append(1e3 * (time.perf_counter() - began))
    feed.close()
    return map(median, times)


def commit(url, name):
    """Change one session, in this process."""
    store = open_store(url)
    run(store.commit(change(run(store.read(key(name))))))
    run(store.close())


def follow(store, keys, commits):
    """Measure the median, and the 99th percentile, of the time from a commit to its word."""
    told, times, chance = threading.Event(), [], random.Random(1)
    follower = Follower(partial(store.open_feed, time.perf_counter))
    hear = lambda changed: told.set() if changed and keys[0] in changed else None
    follower.listen(hear, lambda: keys)
    follower.start()
    assert told.wait(PATIENCE)
    for _ in range(commits):
        time.sleep(chance.uniform(0, SPREAD))
        step = change(run(store.read(keys[0])))
        told.clear()
        run(store.commit(step))
        began = time.perf_counter()
        assert told.wait(PATIENCE)
        times.append(1e3 * (time.perf_counter() - began))
    follower.close()
    return median(times), quantiles(times, n=100)[98]
