"""``make cluster``: every figure of the table in docs/clustering.md, in one run."""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from argparse import Namespace

import uvloop

from benchmarks.tables import TESTS

sys.path.append(TESTS)

from benchmarks.cluster import crowd, losses, majority, speed, staleness, troubles, unplug, wire
from benchmarks.cluster.hosts import cluster
from benchmarks.cluster.report import show
from harness.networks import why_no_networks
from sessile.stores.contract import Capability
from sessile.stores.mirror import MirrorStore
from sessile.stores.open import open_store

SCHEMES = ("nats", "replicated", "backup")
"""Kinds of stores that keep sessions on all hosts; one more is one name more."""

PARTS = {
    "staleness": staleness,
    "wire": wire,
    "troubles": troubles,
    "losses": losses,
    "majority": majority,
    "crowd": crowd,
}
"""What is measured on three hosts."""

ALONE = "1,1,1"
CROWDED = "1,2,4"
"""Workers of the hosts: where there are few sessions, and where there are many."""

EPILOG = """
speed      requests per second over those of the application without sessions
staleness  what another host shows of an acknowledged write; two writers of one session
wire       bytes between the hosts for a write
troubles   a host is killed, or hangs: how long visitors wait; what the history checker finds
losses     acknowledged writes that are lost when hosts are killed
majority   two of three hosts are killed at once
unplug     a host's cable is pulled, in network namespaces: for root, on Linux
crowd      a host joins, another one has lost its disk; memory for a session
"""


def main():
    """Run; leave with code 1 where something is that may never be."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    asked = parse_arguments()
    began, findings = time.monotonic(), {scheme: [] for scheme in asked.schemes}
    if "speed" in asked.parts:
        with tempfile.TemporaryDirectory() as folder:
            for scheme, found in speed.measure(asked, folder).items():
                findings[scheme] += found
        tell("speed", began)
    for scheme in asked.schemes:
        findings[scheme] += measure(scheme, asked)
        if "unplug" in asked.parts:
            findings[scheme] += pull_cables(scheme, asked)
    is_well = show(findings, asked.schemes)
    print(f"\nmeasured in {time.monotonic() - began:.0f} s")
    sys.exit(not is_well)


def measure(scheme, asked):
    """Return what is found of one kind of store."""
    store = open_store(f"{scheme}://127.0.0.1")
    kinds = {
        "has_copies": Capability.COPIES in store.capabilities,
        "has_mirrors": isinstance(store, MirrorStore),
    }
    asked, found = Namespace(**vars(asked), **kinds), []
    groups = {ALONE: [name for name in PARTS if name in asked.parts and name != "crowd"]}
    if "crowd" in asked.parts:
        groups.setdefault(asked.workers, []).append("crowd")
    for workers, names in groups.items():
        if names:
            with cluster(scheme, map(int, workers.split(",")), asked.sync) as hosts:
                for name in names:
                    found += perform(PARTS[name], hosts, asked, f"{scheme}: {name}")
    return found


def pull_cables(scheme, asked):
    """Return what is found where hosts have cables; nothing where no network can be made."""
    if (why := why_no_networks()) is not None:
        print(f"{scheme}: no cable is pulled: {why}", file=sys.stderr, flush=True)
        return []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder:
        found = unplug.measure(scheme, asked, folder)
    return told(f"{scheme}: unplug", began, found)


def perform(part, hosts, asked, name):
    """Return what one part finds."""
    began = time.monotonic()
    return told(name, began, uvloop.run(part.measure(hosts, asked)))


def told(name, began, found):
    """Say what was found; return it."""
    tell(name, began)
    for one in found:
        print(f"  {one.row}: {one.text}", file=sys.stderr, flush=True)
    return found


def tell(name, began):
    """Say that a part is done."""
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def parse_arguments():
    """Return the arguments."""
    every = ("speed", *PARTS, "unplug")
    parser = argparse.ArgumentParser(
        prog="make cluster ARGS=...",
        description="Measure three hosts that keep sessions among themselves.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="what to measure; all by default")
    parser.add_argument("--schemes", default=",".join(SCHEMES), help="of the stores")
    parser.add_argument("--sessions", type=int, default=20_000, help="where a host joins")
    parser.add_argument("--writes", type=int, default=10_000, help="while hosts are killed")
    parser.add_argument("--pairs", type=int, default=400, help="writes with a read elsewhere")
    parser.add_argument("--visitors", type=int, default=6, help="writers in each place")
    parser.add_argument(
        "--troubles",
        default=",".join(troubles.STALLS),
        help="what happens to a host, by the rows of the table",
    )
    parser.add_argument("--workers", default=CROWDED, help="of each host there")
    parser.add_argument("--rounds", type=int, default=1, help="how often each of them happens")
    parser.add_argument("--sync", default="", help="how often nodes flush files: 10s, always")
    parser.add_argument(
        "--pace",
        type=float,
        default=1.0,
        help="the share of the usual time for which hosts are away, or nothing happens",
    )
    parser.add_argument("--turns", type=int, default=3, help="rounds of the speed")
    parser.add_argument("--seconds", type=int, default=1, help="for one figure of it")
    asked = parser.parse_args()
    asked.parts, asked.schemes = asked.parts or every, asked.schemes.split(",")
    asked.troubles = asked.troubles.split(",")
    if unknown := {*asked.parts} - {*every}:
        parser.error(f"no such part: {', '.join(unknown)}; write some of {', '.join(every)}")
    if unknown := {*asked.troubles} - {*troubles.STALLS}:
        parser.error(f"no such trouble: {', '.join(unknown)}")
    if "speed" in asked.parts and shutil.which("wrk") is None:
        parser.error("speed takes wrk: apt-get install wrk")
    return asked


if __name__ == "__main__":
    main()
