"""A store is asked how large it is through whatever stands in front of it."""

import pytest

from harness.postgres_server import shared_postgres
from sessile.core.flow import run
from sessile.service.size import measure
from sessile.stores import postgres
from sessile.stores.contract import Capability, Extent, StoreSize
from sessile.stores.memory import MemoryStore
from sessile.stores.moving import MovingStore
from sessile.stores.near import NearStore
from sessile.stores.postgres import PostgresStore
from sessile.testing.sample import record


class Named(MemoryStore):
    """A store in memory that is told from another one."""

    def __init__(self, name):
        super().__init__()
        self.name = name


class Sizeless(MemoryStore):
    """A store that says nothing of its size."""

    size = None


class Shared(Named):
    """A store that knows its server's items alone."""

    async def size(self):
        return StoreSize(7, 700, records_of=Extent.SERVER, bytes_of=Extent.SERVER)


def filled(store, *names):
    """Return a store with some sessions."""
    for name in names:
        run(store.create(record(name)))
    return store


def test_size_behind_copies_is_that_of_the_store():
    """A near cache is no part of it."""
    store = filled(MemoryStore(), "a", "b")

    assert run(measure(NearStore(store, 10))) == run(store.size())


def test_size_of_a_store_that_takes_over_has_both():
    """Sessions that have not moved yet count; the bytes are those of where they go."""
    new, former = filled(Named("new"), "a"), filled(Named("former"), "b", "c")

    assert run(measure(MovingStore(new, former))) == StoreSize(3, run(new.size()).bytes)


def test_items_of_a_server_stay_items_of_a_server():
    """A sum of which one part may be anybody's is no number of sessions."""
    size = run(measure(MovingStore(filled(Named("new"), "a"), Shared("former"))))

    assert (size.records, size.records_of) == (8, Extent.SERVER)


@pytest.mark.parametrize(
    "store", [Sizeless(), NearStore(Sizeless(), 10), MovingStore(Named("new"), Sizeless())]
)
def test_store_without_a_size_has_none(store):
    """Nothing is made up."""
    assert Capability.SCAN in store.capabilities
    assert run(measure(store)) is None


def test_size_of_a_large_table_is_an_estimate(monkeypatch):
    """Beyond some rows Postgres is not asked to count them, and says that it guesses."""
    monkeypatch.setattr(postgres, "_COUNTED", 5)
    server = shared_postgres()
    store = PostgresStore.from_url(f"{server.url}?timeout=20&table=sizes")
    filled(store, *(f"row {n}" for n in range(4)))
    few = run(store.size())
    filled(store, *(f"another {n}" for n in range(40)))
    server.ask("ANALYZE sizes")
    many = run(store.size())
    run(store.close())
    server.ask("DROP TABLE sizes")

    assert (few.records, few.is_estimate) == (4, False)
    assert (many.records >= 40, many.is_estimate) == (True, True)
    assert many.bytes >= few.bytes > 0
