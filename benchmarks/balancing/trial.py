"""One trial: a balancer, a strategy, a crowd, and a server that is killed and comes back."""

import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass

from benchmarks.balancing.crowd import Outcome, Row
from benchmarks.balancing.servers import NAMES, balancer, serve_all

DEAD = NAMES[-1]
KILLED, STARTED = 0.25, 0.45
"""After what share of the time the server is killed, and started again."""

WINDOW = 5
"""Pauses: whoever has asked within so many is a live session, of the server that answered last."""

EVEN = 1.25
"""Times the mean that no server is to have more of."""

STEP = 0.5
"""Seconds between two looks at the skew."""


@dataclass
class Trial:
    """What the clients saw; times are in seconds from the beginning.

    Attributes:
        rows: of all requests, by when they were asked.
        killed: when the server was.
        back: when it listened again.
        over: when it was over.
        window: for how many seconds a session is live after a request.
    """

    rows: list[Row]
    killed: float
    back: float
    over: float
    window: float

    def skews(self, start, end, names=NAMES):
        """Return {moment: the skew of sessions and that of requests} of a time."""
        looks = int((end - start) / STEP)
        return {at: self.skew(at, names) for at in (end - STEP * n for n in range(looks, -1, -1))}

    def skew(self, at, names=NAMES):
        """Return the most that a server has at a moment over the mean: sessions, and requests."""
        home, asked = {}, Counter()
        for row in self.rows:
            if at - self.window < row.asked <= at and row.server:
                home[row.client] = row.server
                asked[row.server] += 1
        return over_mean(Counter(home.values()), names), over_mean(asked, names)

    @property
    def calm(self):
        """The worst skews until the kill."""
        return worst(self.skews(min(self.window, self.killed), self.killed))

    @property
    def since(self):
        """The worst skew of sessions since the return: at first it has nobody."""
        return worst(self.skews(self.back, self.over))[0]

    @property
    def last(self):
        """The skews in the end."""
        return self.skew(self.over)

    @property
    def evened(self):
        """Seconds from the return until no server has too many sessions any more; None if never."""
        uneven = [
            at for at, (sessions, _) in self.skews(self.back, self.over).items() if sessions > EVEN
        ]
        until = max(uneven, default=self.back - STEP) + STEP
        return until - self.back if until < self.over else None

    @property
    def waits(self):
        """When the first client of the dead server was answered, and the longest that one waited.

        Seconds from the kill, and from its next request.
        """
        homes = {row.client: row.server for row in self.rows if row.asked + row.took < self.killed}
        asked, answered = {}, {}
        for row in self.rows:
            if homes.get(row.client) == DEAD and row.asked + row.took >= self.killed:
                asked.setdefault(row.client, max(row.asked, self.killed))
                if row.outcome == Outcome.ANSWERED:
                    answered.setdefault(row.client, row.asked + row.took)
        first = min(answered.values(), default=self.over) - self.killed
        return first, max((answered[one] - asked[one] for one in answered), default=0.0)

    def count(self, outcome):
        """Count the requests that had an outcome."""
        return sum(row.outcome == outcome for row in self.rows)

    @property
    def moves(self):
        """How many clients went to another server after the return, and how many twice or more."""
        home, moved = {}, Counter()
        for row in self.rows:
            if row.server:
                is_moved = home.get(row.client, row.server) != row.server
                moved[row.client] += is_moved and row.asked > self.back
                home[row.client] = row.server
        return sum(n > 0 for n in moved.values()), sum(n > 1 for n in moved.values())


def over_mean(numbers, names):
    """Return the largest one over the mean."""
    total = sum(numbers[name] for name in names)
    return max(numbers[name] for name in names) * len(names) / total if total else 1.0


def worst(skews):
    """Return the largest of both."""
    return tuple(map(max, zip(*skews.values(), strict=True)))


def run(kind, affinity, asked, environ):
    """Run one; ``asked`` are clients, seconds, pause and seed."""
    with serve_all(environ) as servers, balancer(kind, affinity, servers) as (port, authority):
        words = {"port": port, "authority": authority, **asked}
        command = [sys.executable, "-m", "benchmarks.balancing.crowd", json.dumps(words)]
        crowd = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            began = float(crowd.stdout.readline())
            sleep_until(began + KILLED * asked["seconds"])
            killed = time.monotonic() - began
            servers[DEAD].kill()
            sleep_until(began + STARTED * asked["seconds"])
            servers[DEAD].start()
            back = time.monotonic() - began
            rows = [Row(*row) for row in json.loads(crowd.stdout.readline())]
        finally:
            crowd.kill()
            crowd.communicate()
    rows = sorted(
        (row._replace(asked=row.asked - began) for row in rows), key=lambda row: row.asked
    )
    return Trial(rows, killed, back, asked["seconds"], WINDOW * asked["pause"])


def sleep_until(moment):
    """Sleep until a moment of the monotonic clock."""
    time.sleep(max(moment - time.monotonic(), 0.0))
