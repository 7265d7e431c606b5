"""Whose feed is followed: that of a near cache, else the store's, of two the new one's; or none."""

from sessile.stores.feed import follower_of
from sessile.stores.memory import MemoryStore
from sessile.stores.moving import MovingStore
from sessile.stores.near import NearStore


class Former(MemoryStore):
    """Another store in memory, by another name."""

    def __init__(self):
        super().__init__()
        self.name = "memory://former"


class Silent(MemoryStore):
    """A store that has the method, and does not promise what it returns."""

    capabilities = MemoryStore.capabilities & ~MemoryStore.capabilities.FEED


def test_store_with_a_feed_has_a_follower():
    """Which has not begun to follow."""
    follower = follower_of(MemoryStore())

    assert not follower.is_fresh()


def test_store_without_one_has_none():
    """Its capabilities say so, whatever methods it has."""
    assert follower_of(Silent()) is None


def test_near_cache_and_open_sockets_have_one_follower():
    """One thread of a process, and one connection."""
    near = NearStore(MemoryStore(), 10)

    assert follower_of(near) is near.follower
    assert follower_of(MovingStore(near, Former())) is near.follower


def test_of_two_stores_the_new_one_is_followed():
    """What is open was read, and so it was moved there."""
    new = MemoryStore()
    follower = follower_of(MovingStore(new, Former()))
    follower.step()
    new._feed.tell("a")

    assert follower.connection.wait(0.0).keys == ("a",)
    assert follower_of(MovingStore(Silent(), Former())) is None
