"""Swaps that do more than one thing: that remove, or bring another item along."""

import pytest

from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.wire.memcached.client import Swap
from wire.memcached.clients import add, client_of, close, get, swap, value

BIG = bytes(200_000)


@pytest.fixture
def client(own_memcached, drive):
    """A client of a server that holds nothing."""
    client = client_of(own_memcached)
    yield client
    drive(close(client))


async def swap_and_get(client, data, unique, other="other"):
    """Put an item in the place of another one, and get a third."""
    return await client.swap_and_get("key", "a", data, unique, 600, other=other)


def test_swap_for_what_is_over_removes(client, drive):
    """An item is removed if it still has its token; then its name is free."""
    drive(add(client, "a"))
    (read,) = drive(get(client, "a"))
    assert drive(swap(client, "a", b"", read.unique + 1, -1)) is Swap.CHANGED
    assert drive(value(client, "a")) == b"data"

    assert drive(swap(client, "a", b"", read.unique, -1)) is Swap.STORED
    assert drive(value(client, "a")) is None
    assert drive(swap(client, "a", b"new", read.unique)) is Swap.GONE
    assert drive(add(client, "a", b"another"))


def test_of_rivals_that_remove_or_change_one_wins(client, drive):
    """Whoever was first, the others changed nothing."""
    for _ in range(30):
        drive(add(client, "a"))
        (read,) = drive(get(client, "a"))
        told = drive.together(
            swap(client, "a", b"%d" % n, read.unique, -1 if n % 2 else 600) for n in range(8)
        )
        assert told.count(Swap.STORED) == 1
        winner = told.index(Swap.STORED)
        left = drive(value(client, "a"))
        assert left == (None if winner % 2 else b"%d" % winner)
        drive(drop(client))


async def drop(client):
    await client.delete("key", "a")


@pytest.mark.parametrize("data", [b"small", BIG], ids=["small", "large"])
def test_another_item_comes_along(client, drive, data):
    """Both answers belong to their commands, whatever became of the swap."""
    drive(add(client, "a"))
    drive(add(client, "other", b"something else"))
    (read,) = drive(get(client, "a"))

    done, other = drive(swap_and_get(client, data, read.unique))
    assert (done, other.data) == (Swap.STORED, b"something else")
    assert drive(value(client, "a")) == data
    done, other = drive(swap_and_get(client, b"late", read.unique, other="nothing"))
    assert (done, other) == (Swap.CHANGED, None)
    assert drive(value(client, "a")) == data


def test_swap_that_is_refused_says_so(client, drive):
    """What is too large is an error with both; the connection is good for the next one."""
    drive(add(client, "a"))
    (read,) = drive(get(client, "a"))
    with pytest.raises(StoreUnavailable, match="memcached -I 4m"):
        drive(swap_and_get(client, bytes(2 << 20), read.unique))

    assert drive(value(client, "a")) == b"data"


def test_no_token_is_sent(client, drive):
    """A server that has none (-C) would say to each swap that the item has changed."""
    drive(add(client, "a"))
    for flow in (swap(client, "a", b"new", 0), swap_and_get(client, b"new", 0)):
        with pytest.raises(StoreUnavailable, match="start it without"):
            drive(flow)


def test_each_server_has_a_key(own_pair):
    """What is asked of a server by its place goes to that one."""
    client = client_of(*own_pair.servers)
    keys = client.keys()

    assert list(keys) == [server.place for server in own_pair.servers]
    assert [client.server_of(key) for key in keys.values()] == list(keys)
    run(close(client))
