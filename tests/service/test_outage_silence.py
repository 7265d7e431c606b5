"""A real server that says nothing: readers who go on from copies do not wait to find that out."""

import time

from sessile import Outage, Policy
from sessile.stores.open import open_store
from sessile.testing.promises.stories import logs_in, reads
from sessile.testing.world import World

PATIENCE = 60.0
TIMEOUT = 3
"""Seconds for which whoever asks waits: the probe, and no reader."""


def eventually(is_so):
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_readers_ask_no_server_that_is_frozen(own_redis, drive):
    """The follower has found out that it is, before a copy is too old; and finds it back."""
    store = open_store(f"{own_redis.url}?near=10&timeout={TIMEOUT}")
    world = World(store, drive, policy=Policy(outage=Outage.READ))
    world.ask(logs_in())
    follower = store.follower
    eventually(lambda: world.ask(reads).user == "alice" and store.hits)
    own_redis.freeze()
    try:
        eventually(follower.is_store_away)
        misses = store.misses
        for _ in range(5):
            assert world.ask(reads).user == "alice"
        assert store.misses == misses
    finally:
        own_redis.thaw()
    eventually(lambda: not follower.is_store_away() and follower.is_fresh())
    assert world.ask(reads).user == "alice"
    drive(store.close())
