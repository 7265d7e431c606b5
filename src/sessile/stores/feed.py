"""The one follower of a store's feed in this process, for whoever listens. ``wire.feed`` has it."""

from functools import partial

from sessile.stores.contract import Capability, HasFeed, Store
from sessile.stores.moving import MovingStore
from sessile.stores.near import near_cache
from sessile.wire import system
from sessile.wire.feed.follower import Follower
from sessile.wire.feed.log import FeedLog


def follower_of(store: Store) -> Follower | None:
    """Return the follower of a store's feed, that of its near cache if it has one; None for none.

    Of two stores between which sessions move it is the new one's: each session that is open was
    read, and so it was moved there.
    """
    near = near_cache(store)
    if near is not None:
        return near.follower
    if isinstance(store, MovingStore):
        return follower_of(store.store)
    if Capability.FEED not in store.capabilities or not isinstance(store, HasFeed):
        return None
    return Follower(partial(store.open_feed, system.timer), tell=FeedLog(store.name))
