"""The near cache of a server: copies of sessions, in front of a store that can be stopped.

While the store is stopped its visitor has chosen what readers get: their copies, or 503. The policy
of all sessions is ``Outage.READ``; whoever chose 503 has no copy here meanwhile. Where the demo
runs the store's own nodes, readers read on as well when those are killed or cut off.
"""

from typing import Final, cast

from sessile.core.value import Seconds
from sessile.demo.stoppable_store import StoppableStore
from sessile.demo.switch import StoreSwitch
from sessile.stores.contract import Capability, Key, Record, Store
from sessile.stores.memory_mirror import Mirror
from sessile.stores.mirror import HasMirror, MirrorStore
from sessile.stores.near import NearStore, near_cache
from sessile.wire.feed.log import FeedLog

MOST: Final = 1_000
"""How many copies a server keeps, unless the URL says."""


class StoppableCopies(NearStore):
    """Copies in front of a store behind a switch."""

    _switch: StoreSwitch
    _on_nodes: bool

    def peek(self, key: Key, at_least: int) -> Record | None:
        """Return the copy of a record, if it is good, and the store is not stopped."""
        return None if self._switch.remaining() else super().peek(key, at_least)

    def peek_last(self, key: Key, at_least: int, within: Seconds) -> Record | None:
        """Return the copy of a record while the store is away, for readers who read on."""
        is_away = self._on_nodes and not self._switch.remaining()
        reads_on = is_away or self._switch.reads_on()
        return super().peek_last(key, at_least, within) if reads_on else None


class StoppableNearStore(StoppableCopies):
    """Copies of what was read.

    Args:
        store: behind the same switch.
        most: how many copies are kept.
        switch: whether the store answers, and what readers get while it does not.
        on_nodes: whether readers read on as well when its nodes are away.
    """

    def __init__(self, store: Store, most: int, switch: StoreSwitch, *, on_nodes: bool) -> None:
        super().__init__(store, most, tell=FeedLog(store.name))
        self._switch, self._on_nodes = switch, on_nodes


class StoppableMirrorStore(StoppableCopies, MirrorStore):
    """Copies of all sessions, in a mirror. More arguments are as of ``StoppableNearStore``."""

    def __init__(
        self,
        store: HasMirror,
        mirror: Mirror,
        most: int,
        switch: StoreSwitch,
        *,
        on_nodes: bool,
    ) -> None:
        MirrorStore.__init__(self, store, mirror, most=most, tell=FeedLog(store.name))
        self._switch, self._on_nodes = switch, on_nodes


def stoppable(store: Store, switch: StoreSwitch, *, on_nodes: bool = False) -> Store:
    """Return a store behind a switch, with copies in front where it tells what changed.

    Args:
        store: as its URL names it; it may have a near cache or a mirror already.
        switch: stops it.
        on_nodes: whether the demo runs the store's nodes.
    """
    given = near_cache(store)
    behind = StoppableStore(store if given is None else given.store, switch)
    able = behind.capabilities
    if Capability.FEED not in able or Capability.COPIES in able:
        return behind
    near: NearStore
    if isinstance(given, MirrorStore):
        near = StoppableMirrorStore(behind, given.mirror, given.most, switch, on_nodes=on_nodes)
    else:
        most = MOST if given is None else given.most
        near = StoppableNearStore(behind, most, switch, on_nodes=on_nodes)
    near.follower.start()
    return cast("Store", near)  # what it has no method for, the store behind it has
