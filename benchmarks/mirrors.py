"""``python -m benchmarks.mirrors``: a mirror for each worker, and one for all workers of a host.

Memory is what the server of NATS and the workers take more (PSS) with all sessions there, and with
the file of a mirror that they have in common, over what they took with none. A read is one of
``peek``, which takes no trip, beside one of ``memory://``.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from benchmarks.tables import TESTS, print_table

sys.path.append(TESTS)

from harness.mirror_workers import Worker
from harness.nats_server import NatsServer, wait_for
from sessile.core.flow import arun, run
from sessile.stores.nats import NatsStore
from sessile.testing.sample import record

MIRRORS = ("process", "host")
WORKERS = (1, 2, 4)
WARM = 200
"""Sessions that are there before it is measured."""

VALUE = 1000
READ = 500
AT_ONCE = 100
PATIENCE = 120.0
SHARED = "sessile/mirror-"


def main():
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mirrors", description=__doc__)
    parser.add_argument("--sessions", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=10)
    asked = parser.parse_args()
    sizes = {name: [size_of(name, n, asked.sessions) for n in WORKERS] for name in MIRRORS}
    kilobytes = [
        (name, *(f"{server:.1f} + {rest:.1f} KB" for server, rest in found))
        for name, found in sizes.items()
    ]
    heads = (f"{n} worker{'s' * (n > 1)}" for n in WORKERS)
    print_table(("memory per session: server + workers", *heads), kilobytes)
    print_table(("a read", "many sessions", "few", "few, over memory://"), list(reads()))
    times = kills(asked.kills)
    print_table(
        ("after kill -9 of the writer, s", "median", "longest"),
        [(name, f"{statistics.median(some):.2f}", f"{max(some):.2f}") for name, some in times],
    )


@contextmanager
def host(mirror, number):
    """Give a server of NATS, a store of it, and workers that read."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, NatsServer(folder) as server:
        os.environ["XDG_RUNTIME_DIR"] = folder
        url = f"{server.url}/shop?timeout=10"
        store = NatsStore.from_url(url)
        workers = [
            Worker(f"{url.replace('nats', 'replicated', 1)}&mirror={mirror}") for _ in range(number)
        ]
        try:
            yield server, store, workers, Path(folder)
        finally:
            for each in workers:
                each.kill()
            run(store.close())


def fill(store, workers, start, stop):
    """Make sessions, and return when every worker has them."""
    asyncio.run(create(store, range(start, stop)))
    wait_for(
        lambda: all(each.count() >= stop for each in workers),
        lambda: f"{[each.count() for each in workers]} of {stop}",
        PATIENCE,
    )


async def create(store, numbers):
    """Make sessions, many at once."""
    for some in range(numbers.start, numbers.stop, AT_ONCE):
        rows = [
            record(f"session {number}", data={"v": os.urandom(VALUE)})
            for number in range(some, min(some + AT_ONCE, numbers.stop))
        ]
        await asyncio.gather(*(arun(store.create(row)) for row in rows))


def size_of(mirror, number, sessions):
    """Return the KB of a session: of the server, and of the workers with all that they have."""
    with host(mirror, number) as (server, store, workers, folder):
        fill(store, workers, 0, WARM)
        began = taken(server, workers, folder)
        fill(store, workers, WARM, WARM + sessions)
        time.sleep(3)
        ended = taken(server, workers, folder)
        return [(now - then) / sessions / 1000 for now, then in zip(ended, began, strict=True)]


def taken(server, workers, folder):
    """Return the bytes that the server takes, and the workers; a file that they share, once."""
    shared = sum(path.stat().st_blocks * 512 for path in folder.glob(f"{SHARED}*"))
    return pss(server.pid), shared + sum(pss(each.process.pid) for each in workers)


def pss(pid):
    """Return the bytes of memory of a process, but for the file of a mirror."""
    total, is_counted = 0, True
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        word = line.split()
        if "-" in word[0]:  # a mapping begins
            is_counted = SHARED not in line
        elif word[0] == "Pss:" and is_counted:
            total += int(word[1]) << 10
    return total


def reads():
    """Yield the microseconds of a read, for each mirror: of many sessions in turn, and of a few."""
    names = [f"session {number}" for number in range(READ)]
    memory = Worker("memory://")
    memory.create("session 0", VALUE)
    for mirror in MIRRORS:
        with host(mirror, 1) as (_, store, (worker,), _):
            fill(store, [worker], 0, READ)
            wait_for(lambda: worker.peek(names[0]), lambda: "no heartbeat", PATIENCE)
            many, few = worker.time_read(names), worker.time_read(names[:5])
            base = memory.time_whole_read("session 0")
            whole = worker.time_whole_read("session 0")
            yield mirror, f"{many:.2f} µs", f"{few:.2f} µs", f"{whole / base:.2f}"
    memory.kill()


def kills(number):
    """Return the seconds until another worker writes, and those for which what is there was old."""
    takes, ages = [], []
    for _ in range(number):
        with host("host", 2) as (_, store, workers, _):
            fill(store, workers, 0, WARM)
            wait_for(lambda: any(each.is_writer() for each in workers), lambda: "no writer")
            (writer,) = [each for each in workers if each.is_writer()]
            (other,) = [each for each in workers if each is not writer]
            began, oldest = time.monotonic(), 0.0
            writer.kill()
            while not other.is_writer():
                oldest = max(oldest, other.age())
            takes.append(time.monotonic() - began)
            while other.age() >= time.monotonic() - began:
                oldest = max(oldest, other.age())
            ages.append(oldest)
    return [("until another one writes", takes), ("age of what is there, at most", ages)]


if __name__ == "__main__":
    main()
