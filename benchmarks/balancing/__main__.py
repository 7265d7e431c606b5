"""``make balancing``: the figures of the tables in docs/balancing.md, in one run."""

import argparse
import resource
import signal
import sys
import time
from statistics import quantiles

from benchmarks.tables import TESTS, print_table

sys.path.append(TESTS)

from benchmarks import rolling
from benchmarks.__main__ import redis_server
from benchmarks.balancing import trial
from benchmarks.balancing.crowd import Outcome
from benchmarks.balancing.servers import BALANCERS
from sessile.service.traffic import PERIOD

PARTS = ("strategies", "rolling")

STRATEGIES = {
    "cookie": ("cookie", 1.0),
    "cookie, bounded load": ("cookie", 1.0),
    "address": ("address", 0.3),
    "none": ("none", 0.3),
}
"""What ties a client to a server, and the share of all clients, and of the time, that tries it."""


def main():
    """Run; leave with code 1 where a session was lost."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    asked, began = parse_arguments(), time.monotonic()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    is_lost = False
    if "strategies" in asked.parts:
        is_lost = try_strategies(asked, began)
    if "rolling" in asked.parts:
        with redis_server() as port:
            restarts = rolling.measure(f"redis://127.0.0.1:{port}/0")
        rolling.show(restarts)
        is_lost = is_lost or any(one.losses for one in restarts.values())
    print(f"\nmeasured in {time.monotonic() - began:.0f} s")
    sys.exit(is_lost)


def try_strategies(asked, began):
    """Try each behind each balancer, and show what came of it; tell whether a session was lost."""
    found = {}
    for kind in asked.balancers:
        for strategy in asked.strategies:
            found[strategy, kind] = one = measure(kind, strategy, asked)
            print(
                f"{strategy}, {kind}: {time.monotonic() - began:.0f} s; {tell(one)}",
                file=sys.stderr,
            )
    show(found)
    return any(one.count(Outcome.LOST) for one in found.values())


def measure(kind, strategy, asked):
    """Return one trial over a Redis of its own."""
    affinity, share = STRATEGIES[strategy]
    words = {"clients": int(asked.clients * share), "seconds": asked.seconds * share}
    words |= {"pause": asked.pause, "seed": asked.seed}
    words["newest"] = trial.STARTED * words["seconds"] if asked.nobody_new else None
    with redis_server() as port:
        environ = {
            "BENCH_URL": f"redis://127.0.0.1:{port}/0?timeout=5",
            "BENCH_BEGAN": str(time.time()),
            "BENCH_PACE": str(PERIOD / (trial.WINDOW * asked.pause)),
            "BENCH_IS_BOUNDED": "yes" if "bounded" in strategy else "",
        }
        return trial.run(kind, affinity, words, environ)


def tell(one):
    """Say how fast the machine was, and how the skew of sessions went since the return."""
    took = quantiles([1000 * row.took for row in one.rows], n=100)
    course = " ".join(f"{sessions:.2f}" for sessions, _ in one.skews(one.back, one.over).values())
    rate = len(one.rows) / one.over
    return f"{rate:.0f} a second, p50 {took[49]:.1f} ms, p99 {took[98]:.0f}: {course}"


def show(found):
    """Print the tables."""
    print("\n## Skew: the most that a server has, over the mean, of live sessions / of requests")
    print_table(
        [
            "",
            "clients",
            "requests",
            "worst in calm",
            "worst since its return",
            "in the end",
            "even again after, s",
            "moved since",
            "twice",
        ],
        [
            [
                *(", ".join(what), len({row.client for row in one.rows}), len(one.rows)),
                *("{:.2f} / {:.2f}".format(*one.calm), f"{one.since:.2f}"),
                "{:.2f} / {:.2f}".format(*one.last),
                *("never" if one.evened is None else f"{one.evened:.1f}", *one.moves),
            ]
            for what, one in found.items()
        ],
    )
    print(
        "\n## A server is killed: sessions lost, requests failed, and how long its clients wait, s"
    )
    print_table(
        ["", "lost", "failed", "first answer after", "longest wait"],
        [
            [", ".join(what), one.count(Outcome.LOST), one.count(Outcome.FAILED)]
            + [f"{wait:.3f}" for wait in one.waits]
            for what, one in found.items()
        ],
    )


def parse_arguments():
    """Return the arguments."""
    parser = argparse.ArgumentParser(
        prog="make balancing ARGS=...", description="Measure what ties clients to servers."
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help="strategies, rolling; both by default"
    )
    parser.add_argument("--clients", type=int, default=10_000, help="of a trial by cookie")
    parser.add_argument("--seconds", type=float, default=50.0, help="for which it lasts")
    parser.add_argument("--pause", type=float, default=0.8, help="between a client's requests")
    parser.add_argument(
        "--nobody-new", action="store_true", help="once the server is started again"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all that is by chance")
    parser.add_argument("--balancers", default=",".join(BALANCERS), help="some of them")
    parser.add_argument("--strategies", default=";".join(STRATEGIES), help="some of them")
    asked = parser.parse_args()
    asked.parts = asked.parts or PARTS
    asked.balancers, asked.strategies = asked.balancers.split(","), asked.strategies.split(";")
    named = {*asked.parts, *asked.balancers, *asked.strategies}
    if unknown := named - {*PARTS, *BALANCERS, *STRATEGIES}:
        parser.error(f"nothing is called {', '.join(sorted(unknown))}")
    return asked


if __name__ == "__main__":
    main()
