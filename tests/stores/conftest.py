"""A Redis server and a store on it, for that backend's oddities; other tests have their own."""

import pytest

from sessile.stores.redis import RedisStore


@pytest.fixture
def server(redis_server):
    """A Redis server that holds nothing."""
    redis_server.ask("FLUSHALL")
    return redis_server


@pytest.fixture
def store(server, drive):
    """A store on it."""
    store = RedisStore.from_url(server.url)
    yield store
    drive(store.close())
