"""``make bench``: every figure of docs/performance.md, in one run. ``ARGS=cpu`` picks one."""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import (
    commands,
    cpu,
    feeds,
    memory,
    neighbours,
    sockets,
    throughput,
    versions,
)
from benchmarks.near_report import show_near, show_outage
from benchmarks.peers import (
    BY_NAME,
    CLUSTER,
    ON_CLUSTERS,
    ON_POSTGRES,
    PEERS,
    POSTGRES,
    SENTINEL,
)
from benchmarks.tables import TESTS, print_table
from benchmarks.targets import verdicts

EPILOG = """
commands    Redis commands and network trips per request
stores      commands and trips per request on each store
memory      memory in Redis for one session
cpu         CPU of a request in process; with --before also as a ratio to that version
postgres    the same on a Postgres server
clusters    the same behind Sentinels and on a Redis Cluster, beside the one server
near        a near cache in front of a store: CPU; on each store hits, how far it is behind
outage      what readers notice of an outage that they are spared
versions    CPU now and before, store by store; the more exact of the two
batching    CPU of a read on Redis alone and among others in flight
neighbours  a file alone and beside another process that writes
feeds       the feed of a file: a look, and the time from a commit to its word
throughput  requests per second under uvicorn
sockets     ten thousand open WebSockets: what watching them costs, and how soon they end
"""


class Bench:
    """What every part measures with.

    Args:
        port: that of a Redis server of our own.
        folder: for files that nobody wants to keep.
        before: the commit that was asked to be compared with, or "".
        rounds: how many, where a part is to differ from its own number.
    """

    def __init__(self, port, folder, before="", rounds=None):
        self.port = port
        self.redis = f"redis://127.0.0.1:{port}/0"
        self.folder = folder
        self.before = before
        self.rounds = {"rounds": rounds} if rounds else {}


@contextlib.contextmanager
def redis_server():
    """Start a Redis of our own with nothing kept on disk; give its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port)]
    command += ["--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        throughput.await_port(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def show_commands(bench):
    counts = commands.measure(bench.port, bench.folder)
    print("\n## Redis commands / network trips per request")
    print_table(
        ["", *commands.NAMES],
        [
            [situation, *(f"{len(row[n][0])} / {row[n][1]}" for n in commands.NAMES)]
            for situation, row in counts.items()
        ],
    )
    return counts


def show_stores(_bench):
    """Count on every store, as the tests start it."""
    sys.path.append(TESTS)
    from benchmarks import stores

    counts = stores.measure()
    names = [*next(iter(counts.values()))]
    print("\n## Commands / trips per request on each store")
    print_table(
        ["", *names],
        [
            [situation, *("{} / {}".format(*row[name]) for name in names)]
            for situation, row in counts.items()
        ],
    )
    return counts


def show_memory(bench):
    sizes = memory.measure(bench.redis, bench.folder)
    print("\n## Memory in Redis for a session of 1 KB")
    print_table(["", "bytes"], sizes.items())
    return sizes


def show_postgres(bench):
    """Measure on a Postgres server, as the tests start it."""
    sys.path.append(TESTS)
    from harness.postgres_server import PostgresServer

    with PostgresServer() as server:
        os.environ[POSTGRES] = server.url.removeprefix("postgresql://")
        costs = cpu.measure(bench.redis, bench.folder, peers=ON_POSTGRES, **bench.rounds)
    over = cpu.over_baseline(costs, ON_POSTGRES)
    print("\n## The same on Postgres, microseconds over the framework without sessions")
    print_table(
        ["", *cpu.PAGES],
        [[name, *(f"{cost:.0f}" for cost in pages.values())] for name, pages in over.items()],
    )
    return over


def show_clusters(bench):
    """Measure behind Sentinels and on a cluster, as the tests start them."""
    sys.path.append(TESTS)
    from harness.redis_cluster import RedisCluster
    from harness.sentinels import Replicated

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ[SENTINEL] = Replicated(folder, stack).url
        os.environ[CLUSTER] = stack.enter_context(RedisCluster(folder)).url
        costs = cpu.measure(bench.redis, bench.folder, peers=ON_CLUSTERS, **bench.rounds)
    over = cpu.over_baseline(costs, ON_CLUSTERS)
    print("\n## The same behind Sentinels and on a cluster; whole, and over the framework")
    print_table(
        ["", *(f"{page}, whole" for page in cpu.PAGES), *(f"{page}, over" for page in cpu.PAGES)],
        [
            [name, *(f"{costs[name][page]:.0f}" for page in cpu.PAGES)]
            + [f"{over[name][page]:.0f}" for page in cpu.PAGES]
            for name in over
        ],
    )
    return over


def show_cpu(bench):
    peers = PEERS
    if bench.before:
        peers = versions.add_before(PEERS, versions.extract_sources(bench.before, bench.folder))
    costs = cpu.measure(bench.redis, bench.folder, peers=peers, **bench.rounds)
    over = cpu.over_baseline(costs, peers)
    print("\n## CPU of a request in process, microseconds; over the framework without sessions")
    print_table(
        ["", *(f"{page}, whole" for page in cpu.PAGES), *(f"{page}, over" for page in cpu.PAGES)],
        [
            [name, *(f"{cost:.0f}" for cost in pages.values())]
            + [f"{over[name][page]:.0f}" if name in over else "" for page in cpu.PAGES]
            for name, pages in costs.items()
        ],
    )
    if bench.before:
        print(f"\n## The same over the framework, now / {bench.before}")
        print_table(
            ["", *cpu.PAGES],
            [
                [name, *(f"{ratio:.2f}" for ratio in pages.values())]
                for name, pages in versions.ratios(over).items()
            ],
        )
    return over


def show_versions(bench):
    before = bench.before or versions.last_release()
    sources = versions.extract_sources(before, bench.folder)
    results = versions.measure(bench.redis, bench.folder, sources, **bench.rounds)
    print(f"\n## CPU of a request over the framework, microseconds: {before}, now, ratio")
    print_table(
        ["", *cpu.PAGES],
        [
            [store, *(f"{old:.1f}, {new:.1f}, {ratio:.2f}" for old, new, ratio in pages.values())]
            for store, pages in results.items()
        ],
    )
    return results


def show_batching(bench):
    peers = [BY_NAME[name] for name in ("starlette", "starsessions redis", "sessile redis")]
    options = {"peers": peers, "number": 320, **bench.rounds}
    alone, together = (
        cpu.over_baseline(cpu.measure(bench.redis, bench.folder, concurrency=number, **options))
        for number in (1, 16)
    )
    print("\n## CPU of a read on Redis over the framework, microseconds, with 1 and 16 in flight")
    reads = {name: (alone[name]["read"], together[name]["read"]) for name in alone}
    print_table(["", "1", "16"], [[name, *map("{:.0f}".format, r)] for name, r in reads.items()])
    return reads


def show_neighbours(bench):
    found = neighbours.measure(bench.folder, **bench.rounds)
    print("\n## A store in a file, alone and beside a writer, microseconds")
    print_table(
        ["", "CPU", "median", "99th percentile"],
        [[" ".join(what), *(f"{time:.1f}" for time in times)] for what, times in found.items()],
    )
    return found


def show_throughput(bench):
    rates = throughput.measure(bench.redis, bench.folder, **bench.rounds)
    print("\n## Requests per second under uvicorn, 16 connections; share of no sessions at all")
    print_table(
        ["", *throughput.PAGES, *(f"{page}, share" for page in throughput.PAGES)],
        [
            [name, *(f"{rate:.0f}" for rate, _ in pages.values())]
            + [f"{share:.2f}" for _, share in pages.values()]
            for name, pages in rates.items()
        ],
    )
    return rates


def show_feeds(bench):
    found = feeds.measure(bench.folder, **bench.rounds)
    print("\n## The feed of a store in a file, milliseconds")
    print_table(
        ["", "keys", "look", "look after a commit", "lag", "99th percentile"],
        [[*what, *(f"{time:.3f}" for time in times)] for what, times in found.items()],
    )
    return found


def show_sockets(bench):
    found = sockets.measure(bench.redis, bench.folder)
    print(f"\n## {sockets.number():,} open WebSockets of one process")
    print_table(
        ["", "KiB each", "CPU to open one, ms", "CPU of all, idle, %", "CPU to end one, ms",
         "told p50, ms", "p99", "last"],
        [
            [kind, f"{size:.1f}", f"{spent:.2f}", f"{idle * 100:.1f}"]
            + [f"{spent:.2f}" for spent in (closing or ())[:1]]
            + [f"{took:.0f}" for took in (closing or ())[1:]]
            for kind, (size, spent, idle, closing) in found.items()
        ],
    )  # fmt: skip
    return found


PARTS = {
    "commands": show_commands,
    "stores": show_stores,
    "memory": show_memory,
    "cpu": show_cpu,
    "postgres": show_postgres,
    "clusters": show_clusters,
    "near": show_near,
    "outage": show_outage,
    "versions": show_versions,
    "batching": show_batching,
    "neighbours": show_neighbours,
    "feeds": show_feeds,
    "throughput": show_throughput,
    "sockets": show_sockets,
}


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=...",
        description="Measure what sessions cost, here and in other libraries.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="what to measure; all by default")
    parser.add_argument(
        "--before",
        default="",
        metavar="COMMIT",
        help="the version that `versions` and `cpu` compare with; `versions` takes the last "
        "release by default",
    )
    parser.add_argument("--rounds", type=int, help="fewer are quicker and less exact")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; write some of {', '.join(PARTS)}")
    return arguments


def choose_parts(wanted, before):
    """List the parts to measure; by default ``versions`` where there is one to compare with."""
    comparable = bool(before or versions.last_release())
    if "versions" in wanted and not comparable:
        raise SystemExit("there is no release yet: write --before COMMIT")
    return wanted or [part for part in PARTS if part != "versions" or comparable]


def main():
    arguments = parse_arguments()
    began = time.monotonic()
    parts = choose_parts(arguments.parts, arguments.before)
    with redis_server() as port, tempfile.TemporaryDirectory() as folder:
        bench = Bench(port, folder, arguments.before, arguments.rounds)
        results = {part: PARTS[part](bench) for part in parts}
    print("\n## Targets")
    print_table(["target", "measured", "bound", ""], verdicts(results))
    print(f"\nmeasured in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
