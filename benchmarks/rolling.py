"""What clients notice of a rolling restart: three uvicorn servers behind HAProxy, over one Redis.

Each is drained, stopped, started anew and undrained while clients that are logged in read and
write, and count by themselves what they wrote. Beside it the same without a drain: the server is
stopped as it stands.
"""

import itertools
import random
import time
from collections import Counter

from benchmarks.tables import print_table
from harness.rolling import serve_rolling_site

CLIENTS = 24
PAUSE = 0.1
"""Seconds between an answer and a client's next request."""

WORKERS = {"a": 2, "b": 1, "c": 1}
CALM = 3.0
"""Seconds before the first restart, and after each."""

_prefixes = itertools.count()


class RollingRestart:
    """What came of one.

    Attributes:
        requests: that were made.
        failures: those that were answered with an error, or not at all.
        losses: answers that knew nothing of a client, or not all that it wrote.
        drains: the seconds of each drain.
        seconds: of each restart, until its server had clients again.
    """

    def __init__(self, shoppers, times):
        self.requests = sum(one.requests for one in shoppers)
        self.failures = [failure for one in shoppers for failure in one.failures]
        self.losses = [loss for one in shoppers for loss in one.losses]
        self.drains, self.seconds = zip(*times, strict=True)


def measure(redis):
    """Measure {whether the servers were drained: what came of it}."""
    return {is_drained: _restart_all(redis, is_drained) for is_drained in (True, False)}


def _restart_all(redis, is_drained):
    url = f"{redis}?prefix=rolling-{random.getrandbits(32):x}-{next(_prefixes)}:&timeout=10"
    times = []
    with serve_rolling_site(url, WORKERS) as site, site.shop(CLIENTS, PAUSE) as shoppers:
        time.sleep(CALM)
        for name in WORKERS:
            times.append(site.restart(name, is_drained=is_drained))
            time.sleep(CALM)
    return RollingRestart(shoppers, times)


def show(found):
    """Print the table, and what went wrong."""
    print("\n## A rolling restart of three servers behind HAProxy")
    print_table(
        ["", "requests", "failed", "lost", "seconds of a drain", "of a restart"],
        [
            [
                _name(is_drained),
                *(one.requests, len(one.failures), len(one.losses)),
                *(_span(one.drains) if is_drained else "", _span(one.seconds)),
            ]
            for is_drained, one in found.items()
        ],
    )
    for is_drained, one in found.items():
        for text, number in Counter((*one.failures, *one.losses)).most_common(10):
            print(f"{_name(is_drained)}: {number} times {text}")


def _name(is_drained):
    return "drained" if is_drained else "stopped as they stood"


def _span(seconds):
    return f"{min(seconds):.1f} to {max(seconds):.1f}"
