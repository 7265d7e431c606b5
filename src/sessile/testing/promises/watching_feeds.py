"""What is open ends by the word of its store's feed alone, over any store that has one.

``promises.feeds`` asks what a feed tells. Here somebody watches who asks the store only when told.
"""

import threading
from collections.abc import Callable
from time import monotonic

import pytest

from sessile.service.sessions import context_of
from sessile.stores.contract import Capability, Store
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.promises.feeds import PATIENCE
from sessile.testing.promises.stories import Stories, logs_in, reads, rotates, steps_up
from sessile.testing.promises.watching import ENDS, WatchedSocket
from sessile.testing.world import ABROAD, World


class Bell:
    """Rung when a round is to go."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def wake(self) -> None:
        """Ring."""
        self._rung.set()

    wake_from_thread = close = wake

    async def aclose(self) -> None:
        """Do nothing: no round is under way."""

    def wait(self, seconds: float) -> bool:
        """Return once it is rung; False if it is not in time."""
        is_rung = self._rung.wait(max(0.0, seconds))
        self._rung.clear()
        return is_rung


class HeardSocket(WatchedSocket):
    """What the main browser of a world has open, on a server that hears its store's feed.

    Args:
        world: whose browser has a session that lives.
    """

    def __init__(self, world: World) -> None:
        self._bell = Bell()
        super().__init__(world, waker=self._bell, is_fresh=True)
        follower = context_of(world.sessions).follower
        assert follower is not None
        follower.listen(self.watchers.hear, self.watchers.list_keys)
        follower.start()
        end = monotonic() + PATIENCE
        while not follower.is_fresh():
            assert monotonic() < end, "the feed cannot be followed"
            self._bell.wait(0.01)
        self.close = follower.close

    def is_ended(self) -> bool:
        """Wait for words of the feed until one of them ends it; tell whether one did in time."""
        end = monotonic() + PATIENCE
        while self.is_open():
            if not self._bell.wait(end - monotonic()):
                return False
        return True


def _locks(world: World) -> None:
    stolen = world.cookie
    world.ask(rotates)
    world.ask(reads)
    world.clock.advance(300.0)
    world.ask(reads, cookie=stolen, peer=ABROAD)


def _goes_on_and_ends(world: World) -> None:
    world.ask(steps_up())
    ENDS["logout"](world)


TOLD: dict[str, Callable[[World], object]] = {
    **{way: end for way, end in ENDS.items() if way != "its idle time"},
    "end of all of its user": lambda world: world.sessions.sync.end_all("alice"),
    "a theft": _locks,
    "logout after a step-up": _goes_on_and_ends,
}


class WatchingFeeds(Stories):
    """Whoever has a session open is told of its end by the feed."""

    @needs(Capability.FEED, Capability.OWNERS)
    @pytest.mark.parametrize("way", TOLD)
    def test_feed_ends_what_is_open(self, store: Store, drive: Drive, way: str) -> None:
        """However the session ends; and it is told once, though the feed tells more."""
        world = World(store, drive)
        world.ask(logs_in("alice"))
        socket = HeardSocket(world)
        assert socket.is_open()
        TOLD[way](world)

        assert socket.is_ended()
        assert not socket.is_open()
        socket.close()
