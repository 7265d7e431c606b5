"""The parts of the demo's near cache, each by itself: the copies, the feed, the figures."""

import asyncio

import pytest

from demo.process import wait_for
from sessile import Outage, Policy
from sessile.core.flow import run
from sessile.demo import copies
from sessile.demo.copies import copy_everywhere, take_copy
from sessile.demo.near_figures import NearFigures
from sessile.demo.shop_client import ShopResponse
from sessile.demo.stoppable_near import MOST, stoppable
from sessile.demo.stoppable_store import StoppableStore
from sessile.demo.switch import STOP, StoreSwitch
from sessile.errors import StoreUnavailable
from sessile.stores.memcached import MemcachedStore
from sessile.stores.memory import MemoryStore
from sessile.stores.near import NearStore
from sessile.testing.drive import Blocking
from sessile.testing.promises.stories import puts, reads
from sessile.testing.sample import key, record
from sessile.testing.world import World
from sessile.wire import system

NOW = 1_700_000_000.0


@pytest.fixture
def switch(tmp_path):
    return StoreSwitch(tmp_path / "switch", lambda: NOW)


@pytest.fixture
def near(switch):
    """A near cache that follows its store, and has a copy of one session."""
    store = MemoryStore()
    run(store.create(record("a")))  # before anybody would tell of it
    near = stoppable(store, switch)
    wait_for(near.follower.is_fresh)
    run(near.read(key("a")))
    assert near.peek(key("a"), 1) is not None
    yield near
    run(near.close())


@pytest.mark.parametrize(("outage", "read_on"), [(Outage.FAIL, False), (Outage.READ, True)])
def test_copies_are_for_readers_who_read_on(near, switch, outage, read_on):
    """From the moment of the stop a copy is good for nobody else, however fresh it is."""
    switch.stop(outage)

    found = near.peek(key("a"), 1), near.peek_last(key("a"), 1, STOP)

    assert [one is not None for one in found] == [False, read_on]


def test_running_store_needs_no_last_copies(near):
    """While it answers it is asked, also by one who met a failure a moment ago."""
    assert near.peek_last(key("a"), 1, STOP) is None


def test_reads_while_stopped_count_as_served(near, switch):
    """Whoever reads on is served from a copy, and the page says so; who is refused is no read."""
    world = World(near, Blocking(), policy=Policy(outage=Outage.READ))
    world.ask(puts(v=1))
    wait_for(lambda: world.ask(reads) and near.hits)
    switch.stop(Outage.READ)
    before = near.hits, near.misses

    assert world.ask(reads).result == {"v": 1}
    world.hints.clear()
    with pytest.raises(StoreUnavailable):
        world.ask(reads)

    assert (near.hits, near.misses) == (before[0] + 1, before[1])


def test_feed_breaks_with_the_store_and_heals(near, switch):
    """Copies that are kept meanwhile are forgotten when it is back."""
    switch.stop(Outage.READ)
    wait_for(lambda: not near.follower.is_fresh())
    kept = near.peek_last(key("a"), 1, STOP)
    switch.start()
    wait_for(near.follower.is_fresh)

    assert kept is not None
    assert near.peek(key("a"), 1) is None


def test_news_from_before_a_stop_are_told(switch):
    """Nobody reads on in a session that had ended already; then the feed breaks."""
    store = StoppableStore(MemoryStore(), switch)
    feed = store.open_feed(system.timer, tuple)
    run(store.create(record("a")))
    switch.stop(Outage.READ)

    assert feed.wait(0).keys == (key("a"),)
    with pytest.raises(StoreUnavailable, match="stopped on the page"):
        feed.wait(0)


def test_stopped_store_opens_no_feed(switch):
    """A server that is started meanwhile finds it silent."""
    switch.stop()

    with pytest.raises(StoreUnavailable, match="stopped on the page"):
        StoppableStore(MemoryStore(), switch).open_feed(system.timer, tuple)


def test_store_has_copies_where_it_tells_what_changed(switch):
    """Those of its URL, or a thousand; one without a feed has none, and is stopped as well."""
    given = NearStore(MemoryStore(), 7)
    stores = [
        stoppable(one, switch)
        for one in (MemoryStore(), given, MemcachedStore.from_url("memcached://localhost:1"))
    ]
    switch.stop()

    assert [getattr(store, "most", None) for store in stores] == [MOST, 7, None]
    assert stores[1].store._behind is given.store
    for store in stores:
        with pytest.raises(StoreUnavailable, match="stopped on the page"):
            run(store.read(key("a")))


def test_figures_say_what_was_counted(near, switch):
    """Reads from copies, of all; when the feed was heard; that it is silent once it is broken."""
    near.hits, near.misses = 3, 4
    heard = NearFigures.of(near).heard
    switch.stop()
    wait_for(lambda: near.beat_age is None)

    figures = NearFigures.of(near)

    assert (figures.copies, figures.heard) == ("3 of 7", "silent")
    assert heard.endswith(" ms ago")
    assert NearFigures(0, 0, 0.2504).heard == "250 ms ago"


def test_copy_is_taken_once_the_feed_has_told_of_all_before(near):
    """Else a word that is on its way would drop it again."""
    before = system.timer()

    versions = [asyncio.run(take_copy(near, key(name))) for name in ("a", "b")]

    assert versions == [1, 0]
    assert near.follower.epoch.as_of >= before
    assert near.peek(key("a"), 1) is not None


def test_no_copy_is_taken_while_the_feed_is_silent(near, switch, monkeypatch):
    """Whoever asks for one does not wait for ever."""
    monkeypatch.setattr(copies, "_PATIENCE", 0.05)
    switch.stop()
    wait_for(lambda: near.beat_age is None)

    assert asyncio.run(take_copy(near, key("a"))) == 0


class Door:
    """A client that servers answer in turn, each with its name and a version; None is dead."""

    def __init__(self, *turns):
        self.turns, self.asked = list(turns), 0

    def ask(self, method, path):
        self.asked += 1
        turn = self.turns[(self.asked - 1) % len(self.turns)]
        if turn is None:
            raise ConnectionError
        body = {"server": turn[0], "version": int(turn[1])}
        return ShopResponse(f"{method} {path}", 200, body=body)


@pytest.mark.parametrize(
    ("turns", "asked"),
    [
        (["A1", "B1"], 2),
        (["A1", "A1", "B1"], 3),
        ([None, "A1", "B1"], 3),
        (["A1", "B2", "A2"], 3),
        (["A1"], 6),
        (["A1", None], 6),
    ],
)
def test_every_server_is_asked_until_all_have_one_version(turns, asked):
    """Who never comes to one, as a client that is tied to another, does not go on for ever."""
    door = Door(*turns)

    copy_everywhere(door, ["A", "B"])

    assert door.asked == asked
