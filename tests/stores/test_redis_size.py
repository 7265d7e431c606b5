"""The size of a Redis server: an estimate where it has many keys, and never others' sessions."""

import pytest

from sessile.core.flow import run
from sessile.stores.contract import Extent
from sessile.stores.redis import RedisStore
from sessile.stores.redis_size import SAMPLE, add_up
from sessile.stores.size import StoreSize
from sessile.testing.sample import key, record

OURS, THEIRS = 2 * SAMPLE, SAMPLE


@pytest.fixture
def store(own_redis):
    """A store on a server of this test's own."""
    store = RedisStore.from_url(f"{own_redis.url}?timeout=20&connect_timeout=20")
    yield store
    run(store.close())


def fill(server, name, number):
    """Put keys with empty values into a server, some thousands with each command."""
    for start in range(0, number, 5_000):
        names = [name(n) for n in range(start, min(start + 5_000, number))]
        server.ask("MSET", *(word for one in names for word in (one, "")))


def test_size_of_many_keys_is_an_estimate(own_redis, store):
    """What is ours among the keys that were looked at tells how many are ours of all."""
    fill(own_redis, lambda n: f"sessile:{key(str(n))}", OURS)
    fill(own_redis, lambda n: f"another:{n}", THEIRS)
    size = run(store.size())

    assert size.is_estimate
    assert abs(size.records - OURS) < OURS // 20
    assert (size.records_of, size.bytes_of) == (Extent.STORE, Extent.SERVER)
    assert own_redis.calls()["scan"] <= SAMPLE // 1000 + 1


def test_size_of_few_keys_is_exact(own_redis, store):
    """Indexes, the generation and the keys of others are no sessions."""
    for n in range(5):
        run(store.create(record(str(n))))
    fill(own_redis, lambda n: f"another:{key(str(n))}", 50)
    own_redis.ask("SET", "sessile:@index", "")
    size = run(store.size())

    assert (size.records, size.is_estimate) == (5, False)


def test_size_without_the_right_to_ask_for_bytes(own_redis, store):
    """A managed server that lets nobody ask for INFO still says how many there are."""
    run(store.create(record("a")))
    own_redis.ask("ACL", "SETUSER", "default", "-info")
    size = run(store.size())

    assert (size.records, size.bytes) == (1, None)


def test_servers_add_up():
    """The sum; an estimate where one of them is one, and no bytes where one has none."""
    one = StoreSize(3, 300, bytes_of=Extent.SERVER)
    other = StoreSize(4, 400, bytes_of=Extent.SERVER, is_estimate=True)
    secretive = StoreSize(5, None, bytes_of=Extent.SERVER)

    assert add_up([one, other]) == StoreSize(7, 700, bytes_of=Extent.SERVER, is_estimate=True)
    assert add_up([one, secretive]) == StoreSize(8, None, bytes_of=Extent.SERVER)
