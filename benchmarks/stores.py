"""Commands and trips of a request on each store, counted where they leave for the store.

A trip is what a request waits for once; commands that leave together share one. On a file, and on
Postgres, a command is a transaction.
"""

import tempfile
from pathlib import Path

from harness.backends import BACKENDS
from sessile.core.policy import Policy
from sessile.stores.contract import Capability
from sessile.testing.drive import Async
from sessile.testing.promises.stories import costs, logs_in, logs_out, puts, reads, rotates
from sessile.testing.world import World
from sessile.wire.memcached.node import Node
from sessile.wire.nats.connection import NatsConnection
from sessile.wire.redis.client import RedisClient
from sessile.wire.redis.cluster import ClusterClient

SITUATIONS = {
    "no cookie, nothing stored": (reads, ""),
    "read": (reads, None),
    "write": (puts(v=1), None),
    "new session": (puts(v=1), ""),
    "login, no session before": (logs_in("bob"), ""),
    "login, from a session": (logs_in("bob"), None),
    "rotate the ticket": (rotates, None),
    "logout": (logs_out, None),
}
"""What a request does, and the cookie it does it with; None is that of a session with a user."""

LIMITED, UNLIMITED = Policy(limit=1000), Policy()
TIMES = 8
"""The least of so many counts: a node that does not know a script is sent it first."""

COUNTED = (
    *((kind, "ask", 1) for kind in (RedisClient, ClusterClient, Node)),
    (ClusterClient, "ask_at", 1),
    (Node, "ask_both", 2),
    (NatsConnection, "ask", 1),
    (NatsConnection, "tell", 1),
)
"""What sends commands, and how many; on the other stores each act is one."""


class Counter:
    """How many commands were sent."""

    def __init__(self):
        self.number = 0
        for kind, name, number in COUNTED:
            self.count(kind, name, number)

    def count(self, kind, name, number):
        """Count the calls of a method."""
        whole = getattr(kind, name)

        def counting(*words, **more):
            self.number += number
            return whole(*words, **more)

        setattr(kind, name, counting)


def measure():
    """Count {situation: {store: (commands, trips)}}."""
    counter = Counter()
    found = {situation: {} for situation in SITUATIONS}
    for backend in BACKENDS:
        with tempfile.TemporaryDirectory() as folder:
            place = backend.place(Path(folder))
            drive = Async()
            store = place.open()
            knows_users = Capability.OWNERS in store.capabilities
            policy = LIMITED if knows_users else UNLIMITED
            for situation, asked in SITUATIONS.items():
                counts = [
                    _count(counter, World(store, drive, policy=policy), *asked)
                    for _ in range(TIMES)
                ]
                found[situation][backend.name] = min(counts)
            drive(store.close())
            drive.close()
            place.leave()
    return found


def _count(counter, world, act, cookie):
    """Count one request's commands and trips, once a user with values has shown their ticket."""
    for before in (puts(cart=["hat"]), logs_in(), reads, puts(cart=["coat"])):
        world.ask(before)
    counter.number = 0
    trips = len(costs(world.request(world.cookie if cookie is None else cookie, act), world.drive))
    return counter.number or trips, trips
