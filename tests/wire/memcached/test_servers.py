"""Several memcached servers: which one a key belongs to, and what becomes of the others."""

import time
from collections import Counter
from itertools import permutations
from types import SimpleNamespace

import pytest

from harness.memcached_server import MemcachedServer
from sessile.core.flow import run
from sessile.errors import ConfigError, StoreUnavailable
from sessile.wire.memcached.client import MemcachedClient
from sessile.wire.memcached.endpoint import MemcachedEndpoint
from sessile.wire.memcached.text import Question
from wire.memcached.clients import NAME, add, ask_each, client_of, close, get

THREE = (("one", 11211), ("two", 11211), ("two", 11212))
LIMIT = 2.0
"""Seconds; a busy machine may add as many."""

KEYS = [f"key-{number}" for number in range(3000)]


def homes(servers):
    """Return the server of every key."""
    client = MemcachedClient(MemcachedEndpoint(NAME, servers))
    return [client.server_of(key) for key in KEYS]


def test_order_of_the_servers_is_of_no_importance():
    """Whoever writes the same servers in another order, or in capitals, finds the same items."""
    wanted = homes(THREE)

    for order in permutations(THREE):
        assert homes(tuple((host.upper(), port) for host, port in order)) == wanted


def test_keys_spread_over_the_servers():
    """Each has its share."""
    assert all(900 < count < 1100 for count in Counter(homes(THREE)).values())


def test_server_that_is_taken_away_moves_its_own_keys_alone():
    """The others stay where they are."""
    before, after = homes(THREE), homes(THREE[:2])

    for old, new in zip(before, after, strict=True):
        assert old in (new, "two:11212")


def test_choice_is_the_same_for_ever():
    """It depends on no process, machine or version: sessions would be lost."""
    assert homes(THREE)[:6] == SIX


SIX = ["two:11212", "two:11211", "two:11212", "one:11211", "two:11212", "two:11212"]


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ({}, "host:port"),
        ({"servers": (("one", 1),), "path": "/run/m.sock"}, "host:port"),
        ({"servers": (("one", 1), ("two", 1), ("ONE", 1))}, "one:1 is named twice"),
    ],
)
def test_servers_that_cannot_be_are_refused(place, why):
    """None, two kinds at once, and one twice are mistakes of a URL."""
    with pytest.raises(ConfigError, match=why):
        MemcachedEndpoint(NAME, **place)


@pytest.fixture
def pair(tmp_path):
    """Two servers, and for each a key of its own, by a client of both."""
    with MemcachedServer(tmp_path) as one, MemcachedServer(tmp_path) as two:
        client = client_of(one, two)
        keys = {client.server_of(key): key for key in KEYS}
        yield SimpleNamespace(
            client=client, one=one, two=two, mine=keys[one.place], other=keys[two.place]
        )
        run(close(client))


def test_item_is_on_the_server_of_its_key(pair, drive):
    """What is kept for a key is on one server, whatever its name is."""
    drive(add(pair.client, "a", b"1", key=pair.mine))
    drive(add(pair.client, "a", b"2", key=pair.other))

    assert (pair.one.data("a"), pair.two.data("a")) == (b"1", b"2")


def test_gone_server_is_never_another_one(pair, drive):
    """What belongs to a server that is gone is unavailable, and nothing of it goes elsewhere."""
    pair.one.stop()
    flows = [add(pair.client, "a", b"1", key=pair.mine), get(pair.client, "a", key=pair.mine)]
    for flow in flows:
        with pytest.raises(StoreUnavailable) as refused:
            drive(flow)
        assert refused.value.why.startswith(f"{pair.one.place}: ")

    assert drive(add(pair.client, "b", key=pair.other))
    assert pair.two.data("a") is None
    pair.one.start()
    assert drive(add(pair.client, "a", b"1", key=pair.mine))


@pytest.mark.parametrize("question", Question)
def test_each_server_is_asked_about_itself(pair, drive, question):
    """What each says stands beside its name, and of one that is gone, why it says nothing."""
    told = drive(ask_each(pair.client, question))
    assert {place: {*said} >= WANTED[question] for place, said in told.items()} == {
        pair.one.place: True,
        pair.two.place: True,
    }

    pair.two.stop()
    told = drive(ask_each(pair.client, question))
    assert {*told[pair.one.place]} >= WANTED[question]
    assert isinstance(told[pair.two.place], StoreUnavailable)


WANTED = {
    Question.VERSION: {"version"},
    Question.STATS: {"version", "evictions", "limit_maxbytes"},
    Question.SETTINGS: {"item_size_max", "evictions"},
}


def test_silent_servers_cost_one_limit(pair, drive):
    """They are asked at once: two of them take no longer than one."""
    client = client_of(pair.one, pair.two, timeout=LIMIT)
    pair.one.freeze()
    pair.two.freeze()
    began = time.monotonic()
    told = drive(ask_each(client, Question.VERSION))
    took = time.monotonic() - began
    pair.one.thaw()
    pair.two.thaw()
    drive(close(client))

    assert {type(said) for said in told.values()} == {StoreUnavailable}
    assert took < 2 * LIMIT
