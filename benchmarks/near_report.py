"""What ``make bench`` says of near caches, and of the outages that they spare readers."""

import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import cpu, near, thief
from benchmarks.peers import NEAR
from benchmarks.tables import TESTS, print_table


def show_near(bench):
    """Measure a near cache: its CPU, and how far it is behind on each store that has a feed."""
    costs = cpu.measure(bench.redis, bench.folder, peers=NEAR, **bench.rounds)
    over = cpu.over_baseline(costs, NEAR)
    print("\n## A near cache: CPU of a request, microseconds over the framework, and of memory's")
    memory = {True: over["sessile memory sealed"], False: over["sessile memory"]}
    print_table(
        ["", "read", "write", "read / memory's", "write / memory's"],
        [
            [name, f"{pages['read']:.0f}", f"{pages['write']:.0f}"]
            + [f"{pages[one] / memory['sealed' in name][one]:.2f}" for one in ("read", "write")]
            for name, pages in over.items()
        ],
    )
    with _stores(bench) as urls:
        lags = {name: near.measure(url) for name, url in urls.items()}
    print("\n## How often it has what is asked for, and how far it is behind, milliseconds")
    print_table(
        [
            *("", "changes a second", "reads", "hits", "told after: p50", "p99", "longest"),
            *("of the hits old", "old by: p50", "p99", "longest"),
        ],
        [
            [name, f"{lag.changes_each_second:.0f}", f"{lag.reads_each_second:.0f}"]
            + [f"{lag.hit_rate:.3f}"]
            + [f"{1000 * at:.2f}" for at in _spread(lag.told)]
            + [f"{len(lag.old) / lag.hits:.5f}"]
            + ([f"{1000 * at:.2f}" for at in _spread(lag.old)] if lag.old else ["none"] * 3)
            for name, lag in lags.items()
        ],
    )
    stolen = thief.measure(bench.redis)
    print("\n## For how long a thief goes on after the end of a session elsewhere, seconds")
    print_table(
        ["the feed is", "p50", "p99", "longest"],
        [[state, *(f"{at:.3f}" for at in _spread(times))] for state, times in stolen.items()],
    )
    return over


@contextmanager
def _stores(bench):
    """Start every store with a feed, servers as the tests start them; give {name: URL}."""
    sys.path.append(TESTS)
    from harness.nats_server import NatsServer
    from harness.postgres_server import PostgresServer
    from harness.redis_server import RedisServer, find_valkey
    from harness.sentinels import Replicated

    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(3)]
        yield {
            "memory": "memory://",
            "sqlite": f"sqlite:///{bench.folder}/near.db",
            "lmdb": f"lmdb:///{bench.folder}/near.lmdb",
            "redis": bench.redis,
            "valkey": stack.enter_context(RedisServer(folders[0], program=find_valkey())).url,
            "redis+sentinel": Replicated(folders[1], stack).url,
            "postgresql, feed=yes": f"{stack.enter_context(PostgresServer()).url}?feed=yes",
            "nats": stack.enter_context(NatsServer(folders[2])).url,
        }


def _spread(times):
    """Return median, 99th percentile and longest."""
    ordered = sorted(times)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], ordered[-1]


def show_outage(_bench):
    """Measure what readers notice of a Redis that is killed, frozen and cut off."""
    sys.path.append(TESTS)
    from benchmarks import outage

    found = outage.measure()
    number = outage.READERS
    print(f"\n## An outage, Outage.READ for {outage.OUTAGE_READS:g} s, {number} readers at once")
    print_table(
        ["Redis is", "when", "longest wait, ms", "readers who waited", "503", "requests"],
        [
            [trouble, when, f"{1000 * longest:.0f}", waited, refused, requests]
            for trouble, seen in found.items()
            for when, (longest, waited, refused, requests) in seen.parts.items()
        ],
    )
    print("\n## For how many seconds readers are served, and refused once it is over")
    print_table(
        ["Redis is", "served for", "last 503 after its end"],
        [[name, f"{one.served_until:.2f}", f"{one.back:.2f}"] for name, one in found.items()],
    )
    return found
