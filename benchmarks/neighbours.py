"""A store in a file, alone and beside another process that writes 500 sessions a second.

Through the store's own verbs, blocking, sessions of 1 KB; the kinds run interleaved, in an order
that turns each round.
"""

import multiprocessing
import random
import time
from collections import defaultdict
from contextlib import contextmanager
from statistics import median, quantiles

from benchmarks.cpu import rotate
from sessile.core.flow import run
from sessile.stores.open import open_store
from sessile.testing.sample import change, key, login, record

KINDS = ("sqlite", "lmdb")
SESSIONS = 2_000
RATE = 500
NUMBER = 3_000
DATA = {"value": random.Random(1).randbytes(1_000)}


def measure(folder, *, rounds=7):
    """Measure {(kind, what): (CPU, median, 99th percentile)} in microseconds, medians of rounds."""
    urls = {kind: f"{kind}:///{folder}/neighbours.{kind}?timeout=20" for kind in KINDS}
    stores = {kind: open_store(url) for kind, url in urls.items()}
    for store in stores.values():
        for n in range(SESSIONS):
            run(store.replace(login(record(name(n), owner=f"user {n % 500}", data=DATA))))
    found = defaultdict(list)
    for turn in range(rounds):
        for kind in rotate(KINDS, turn):
            found[kind, "read"].append(take(stores[kind], read))
            found[kind, "write"].append(take(stores[kind], write))
            with neighbour(urls[kind]):
                found[kind, "read beside a writer"].append(take(stores[kind], read))
                found[kind, "write beside a writer"].append(take(stores[kind], write))
    for store in stores.values():
        run(store.close())
    return {what: tuple(map(median, zip(*times, strict=True))) for what, times in found.items()}


def name(number):
    return f"session {number}"


def read(store, number):
    run(store.read(key(name(number))))


def write(store, number):
    """Commit upon what is there, as a request does; a rival may have been faster."""
    old = run(store.read(key(name(number))))
    began, cpu = time.perf_counter(), time.process_time()
    run(store.commit(change(old)))
    return time.perf_counter() - began, time.process_time() - cpu


def take(store, act, number=NUMBER):
    """Measure CPU, median and 99th percentile of an act, in microseconds."""
    chance = random.Random(2)
    walls, cpus = [], []
    for _ in range(number):
        one = chance.randrange(SESSIONS // 2)  # the other half is the neighbour's
        began, cpu = time.perf_counter(), time.process_time()
        took = act(store, one)
        took = took or (time.perf_counter() - began, time.process_time() - cpu)
        walls.append(took[0])
        cpus.append(took[1])
    cuts = quantiles(walls, n=100)
    return sum(cpus) / number * 1e6, cuts[49] * 1e6, cuts[98] * 1e6


@contextmanager
def neighbour(url):
    """Let another process write meanwhile."""
    spawn = multiprocessing.get_context("spawn")
    begun, end = spawn.Event(), spawn.Event()
    process = spawn.Process(target=write_on, args=(url, begun, end))
    process.start()
    begun.wait()
    try:
        yield
    finally:
        end.set()
        process.join()


def write_on(url, begun, end):
    """Write at a steady rate until the end."""
    store = open_store(url)
    chance = random.Random(3)
    began = time.monotonic()
    done = 0
    while not end.is_set():
        write(store, SESSIONS // 2 + chance.randrange(SESSIONS // 2))
        done += 1
        begun.set()
        time.sleep(max(0.0, began + done / RATE - time.monotonic()))
    run(store.close())
