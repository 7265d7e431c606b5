"""The near cache of a server: copies of sessions, in front of a store that can be stopped.

While the store is stopped its visitor has chosen what readers get: their copies, or 503. The policy
of all sessions is ``Outage.READ``; whoever chose 503 has no copy here meanwhile.
"""

from typing import Final, cast

from sessile.core.value import Seconds
from sessile.demo.stoppable_store import StoppableStore
from sessile.demo.switch import StoreSwitch
from sessile.stores.contract import Capability, Key, Record, Store
from sessile.stores.near import NearStore, near_cache
from sessile.wire.feed.log import FeedLog

MOST: Final = 1_000
"""How many copies a server keeps, unless the URL says."""


class StoppableNearStore(NearStore):
    """Copies in front of a store behind a switch.

    Args:
        store: behind the same switch.
        most: how many copies are kept.
        switch: whether the store answers, and what readers get while it does not.
    """

    def __init__(self, store: Store, most: int, switch: StoreSwitch) -> None:
        super().__init__(store, most, tell=FeedLog(store.name))
        self._switch = switch

    def peek(self, key: Key, at_least: int) -> Record | None:
        """Return the copy of a record, if it is good, and the store is not stopped."""
        return None if self._switch.remaining() else super().peek(key, at_least)

    def peek_last(self, key: Key, at_least: int, within: Seconds) -> Record | None:
        """Return the copy of a record while the store is stopped, for readers who read on."""
        return super().peek_last(key, at_least, within) if self._switch.reads_on() else None


def stoppable(store: Store, switch: StoreSwitch) -> Store:
    """Return a store behind a switch, with a near cache in front where it tells what changed.

    Args:
        store: as its URL names it; it may have a near cache already.
        switch: stops it.
    """
    given = near_cache(store)
    behind = StoppableStore(store if given is None else given.store, switch)
    if Capability.FEED not in behind.capabilities:
        return behind
    near = StoppableNearStore(behind, MOST if given is None else given.most, switch)
    near.follower.start()
    return cast("Store", near)  # what it has no method for, the store behind it has
