"""Two servers on one store, each with a near cache whose feed is passed on by hand."""

from sessile.stores.memory import MemoryStore
from sessile.stores.near import NearStore
from sessile.testing.clock import FakeClock
from sessile.testing.world import World


class HandFedStore(NearStore):
    """A near cache that hears of nothing until it is told to."""

    def __init__(self, store, most=100):
        self.timer = FakeClock(0.0)
        super().__init__(store, most, timer=self.timer)
        self.follower.start = lambda: None

    def listen(self):
        """Connect, or hear what has changed until now, and its heartbeat."""
        self.follower.step()


class Pair:
    """Two servers, and the browser that goes to either.

    Args:
        drive: finishes flows.
        more: what their ``World``s take besides.
    """

    def __init__(self, drive, **more):
        self.store = MemoryStore()
        self.clock = more.pop("clock", None) or FakeClock()
        self.stores = [HandFedStore(self.store), HandFedStore(self.store)]
        self.worlds = [World(one, drive, clock=self.clock, **more) for one in self.stores]
        self.listen()

    def listen(self):
        """Let both hear what changed."""
        for one in self.stores:
            one.listen()

    def ask(self, server, *args, **more):
        """Make a request of the browser at a server."""
        here, there = self.worlds[server], self.worlds[1 - server]
        reply = here.ask(*args, **more)
        there.cookie, there.hints = here.cookie, {**here.hints}
        return reply

    @property
    def hits(self):
        """How often either was served from a copy."""
        return sum(one.hits for one in self.stores)
