"""Mirrors: each server has every session, as NATS tells it; what is read there, and when."""

import math
import subprocess
import sys

import pytest

from harness.nats_place import ReplicatedPlace
from harness.nats_server import NatsServer, wait_for
from sessile.core.flow import run
from sessile.core.outage import Outage
from sessile.core.policy import Policy
from sessile.errors import ConfigError, StoreUnavailable
from sessile.stores.contract import Capability, pack
from sessile.stores.memory import MemoryStore
from sessile.stores.memory_mirror import MemoryMirror
from sessile.stores.mirror import MirrorStore
from sessile.stores.nats import NatsStore
from sessile.stores.near import NearStore
from sessile.stores.replicated import ReplicatedStore
from sessile.testing.clock import FakeClock
from sessile.testing.drive import Blocking
from sessile.testing.promises.stories import logs_in, logs_out, puts, reads
from sessile.testing.sample import change, evolve, key, login, record
from sessile.testing.world import World
from sessile.wire.feed.connection import Heard
from sessile.wire.feed.follower import MOST_LATE

PATIENCE = 20.0


class HandFeed:
    """A feed that a test tells what to say."""

    def __init__(self, store):
        self.store = store
        self.is_broken = False

    def wait(self, seconds):
        if self.is_broken:
            raise StoreUnavailable("the feed", "it broke")
        return Heard(as_of=self.store.mirror.as_of)

    def close(self):
        pass


class TellingMemory(MemoryStore):
    """A store in memory whose mirror is kept up by hand."""

    def open_mirror(self, timer, mirror):
        self.mirror = mirror
        self.feed = HandFeed(self)
        return self.feed


class Hand:
    """A mirror, and the hand that keeps it up.

    Attributes:
        store: the mirror in front of a store in memory.
        clock: its timer.
    """

    def __init__(self):
        self.behind, self.clock = TellingMemory(), FakeClock(100.0)
        self.store = MirrorStore(self.behind, timer=self.clock)
        self.store.follower.start = lambda: None
        self.store.follower.step()
        self.beat()

    def tell(self, row):
        """Put a record there as the feed would; no heartbeat comes with it."""
        self.store.mirror.rows[row.key] = MemoryMirror.row(pack(row))

    def beat(self):
        """Vouch for all until now."""
        self.store.mirror.as_of = self.clock()
        self.store.follower.step()

    def peek(self, name="a", at_least=0):
        return self.store.peek(key(name), at_least)


@pytest.fixture
def hand():
    return Hand()


def test_what_was_told_is_read_without_a_trip(hand):
    """It need not have been read here before."""
    hand.tell(record("a"))

    assert hand.peek() == record("a")
    assert hand.peek("b") is None


def test_record_is_taken_apart_once(hand):
    """As long as no newer one was told."""
    hand.tell(record("a"))
    first = hand.peek()
    assert hand.peek() is first
    hand.tell(evolve(record("a"), version=2))

    assert hand.peek().version == 2


def test_row_that_was_told_while_it_is_read_is_not_taken_for_older():
    """The time is looked at before the row: else a newer one would vouch for an older row."""

    class Rows(dict):
        def get(self, name):
            found = super().get(name)
            mirror.rows[name], mirror.as_of = newer, 9.0  # the feed, on another thread
            return found

    mirror = MemoryMirror()
    older, newer = mirror.row(b"older"), mirror.row(b"newer")
    mirror.rows, mirror.as_of = Rows({key("a"): older}), 1.0

    assert mirror.look(key("a")) == (1.0, older, b"older")


def test_older_version_than_the_client_has_seen_is_not_good(hand):
    hand.tell(evolve(record("a"), version=2))

    assert hand.peek(at_least=2) is not None
    assert hand.peek(at_least=3) is None


@pytest.mark.parametrize(("late", "is_good"), [(MOST_LATE, True), (MOST_LATE + 0.01, False)])
def test_mirror_whose_heartbeat_is_late_is_not_read(hand, late, is_good):
    hand.tell(record("a"))
    hand.clock.advance(late)

    assert (hand.peek() is not None) is is_good


def test_mirror_of_a_time_to_come_is_not_read(hand):
    """Another clock has written it, as in a container that has one of its own."""
    hand.tell(record("a"))
    hand.store.mirror.as_of = hand.clock() + 0.01

    assert hand.peek() is None
    assert hand.store.peek_last(key("a"), 0, 60.0) is None


def test_nothing_is_read_before_the_first_heartbeat():
    """Until then it is not known whether all has come: what is here may be old."""
    hand = Hand()
    hand.store.mirror.as_of = -math.inf
    hand.tell(record("a"))

    assert hand.store.follower.is_fresh()
    assert hand.peek() is None


def test_row_that_is_no_session_is_not_served(hand):
    """The store is asked, and says what it is."""
    hand.store.mirror.rows[key("a")] = MemoryMirror.row(b"nonsense")
    assert hand.peek() is None
    assert hand.store.peek_last(key("a"), 0, 60.0) is None


def test_own_change_is_known_before_it_is_told(hand):
    """No request of this server reads what is older, whatever its client has seen."""
    run(hand.store.create(record("a")))
    hand.tell(record("a"))
    step = change(record("a"), {"n": b"1"})
    run(hand.store.commit(step))
    assert hand.peek() is None

    hand.tell(step.record)
    assert hand.peek() == step.record


@pytest.mark.parametrize(
    "end",
    [
        lambda store: store.delete(key("a"), "alice"),
        lambda store: store.delete_owned("alice"),
        lambda store: store.end_everybody(),
        lambda store: store.replace(
            login(record("b", owner="alice"), old=record("a", owner="alice"))
        ),
        lambda store: store.replace(login(record("b", owner="alice"), limit=1)),
    ],
)
def test_what_was_ended_here_is_over_at_once(hand, end):
    """Though the feed tells meanwhile what came before the end."""
    row = record("a", owner="alice")
    run(hand.store.replace(login(row)))
    hand.beat()
    hand.tell(row)
    assert hand.peek() == row
    run(end(hand.store))
    assert hand.peek() is None

    hand.tell(row)
    hand.beat()  # at the same time: it vouches for what came before
    assert hand.peek() is None
    assert hand.store.peek_last(key("a"), 0, 60.0) is None
    hand.clock.advance(0.1)
    hand.beat()
    assert hand.peek() == row  # which a feed that tells in order never says


def test_act_whose_answer_was_lost_is_in_doubt(hand):
    """It may have ended the session: the store is asked, until the feed vouches for later."""
    row = record("a", owner="alice")
    hand.tell(row)

    async def fail(*args, **more):
        raise StoreUnavailable("memory", "its answer was lost")

    hand.behind.delete = fail
    with pytest.raises(StoreUnavailable):
        run(hand.store.delete(key("a"), "alice"))

    assert hand.peek() is None
    assert hand.store.peek_last(key("a"), 0, 60.0) == row  # in an outage nobody can know


def test_last_rows_are_there_while_the_feed_is_broken(hand):
    """For those who read on in an outage, as long as they say."""
    hand.tell(record("a"))
    hand.behind.feed.is_broken = True
    hand.store.follower.step()
    hand.clock.advance(30.0)

    assert hand.peek() is None
    assert hand.store.peek_last(key("a"), 0, 30.0) == record("a")
    assert hand.store.peek_last(key("a"), 0, 29.9) is None


def test_mirror_takes_no_near_cache_besides():
    with pytest.raises(ConfigError, match="has copies in each process already"):
        NearStore(MirrorStore(TellingMemory()), 100)
    assert Capability.COPIES in ReplicatedStore.capabilities


WITHOUT_LMDB = """
import sys
sys.modules["lmdb"] = None
from sessile.errors import MissingExtra
from sessile.stores.open import open_store
open_store("replicated://one?mirror=process")
try:
    open_store("replicated://one?mirror=host")
except MissingExtra as error:
    print(error)
"""


def test_mirror_for_a_host_takes_lmdb():
    """Whoever has not installed it is told what to install, before any request."""
    words = [sys.executable, "-c", WITHOUT_LMDB]
    told = subprocess.run(words, capture_output=True, text=True, check=True)

    assert told.stdout == "mirror=host needs sessile[lmdb]: pip install 'sessile[lmdb]'\n"


# With NATS


@pytest.fixture
def place(tmp_path):
    place = ReplicatedPlace(tmp_path)
    yield place
    place.leave()


@pytest.fixture
def stores(place):
    """Two servers' stores, whole and followed."""
    stores = [place.open(), place.open()]
    for store in stores:
        run(store.read(key("nobody")))
    wait_for(lambda: all(map(is_vouched, stores)), lambda: "no heartbeat")
    yield stores
    for store in stores:
        run(store.close())


def is_vouched(store):
    return store.follower.is_fresh() and store.mirror.as_of > -math.inf


def test_each_server_has_what_another_one_made(stores):
    """Also what was there before it began, and what a server without a mirror has made."""
    one, other = stores
    run(one.create(record("a")))
    wait_for(lambda: other.peek(key("a"), 1) == record("a"), lambda: "it is not told")
    run(other.delete(key("a")))
    wait_for(lambda: one.peek(key("a"), 0) is None, lambda: "its end is not told")


def test_server_that_joins_says_nothing_before_it_has_all(place, stores):
    """However many sessions there are; then it has them all."""
    one, _ = stores
    rows = [record(f"row {n}", data={"v": bytes(500)}) for n in range(3000)]
    plain = NatsStore.from_url(place.url().replace("replicated://", "nats://"))
    for row in rows:
        run(plain.create(row))
    joins = place.open()
    assert run(joins.read(key("row 0"))) == rows[0]
    wait_for(lambda: joins.peek(key("row 7"), 1) is not None, lambda: "nothing is told")

    assert joins.copies == len(rows)
    assert all(joins.peek(key(f"row {n}"), 1) == row for n, row in enumerate(rows))
    for store in (plain, joins):
        run(store.close())
    assert one.copies == len(rows)


def test_browser_between_servers_misses_nothing(stores):
    """Whatever it did at one of them it finds at the other, and what it ended is over there."""
    worlds = [World(store, Blocking()) for store in stores]

    def ask(server, *args):
        here, there = worlds[server], worlds[1 - server]
        reply = here.ask(*args)
        there.cookie, there.hints = here.cookie, {**here.hints}
        return reply

    ask(0, logs_in())
    for number in range(30):
        ask(number % 2, puts(n=number))
        assert ask(1 - number % 2, reads).result == {"n": number}
    wait_for(
        lambda: all((ask(server, reads), store.hits)[1] for server, store in enumerate(stores)),
        lambda: "nobody is served from a mirror",
    )
    old = worlds[0].cookie, {**worlds[0].hints}
    ask(0, logs_out)
    worlds[1].cookie, worlds[1].hints = old
    wait_for(lambda: worlds[1].ask(reads).user is None, lambda: "the logout is not told")


def test_end_of_everybody_empties_every_mirror(stores):
    one, other = stores
    for name in "abc":
        run(one.create(record(name)))
    wait_for(lambda: other.copies == one.copies == 3, lambda: "they are not told")
    run(one.end_everybody())
    assert one.peek(key("a"), 0) is None

    wait_for(lambda: other.copies == one.copies == 0, lambda: "it is not told")


def test_readers_go_on_while_nats_is_away(tmp_path):
    """With ``Outage.READ``; when it is back the mirror is made anew, with what is there then."""
    with NatsServer(tmp_path) as server:
        url = f"{server.url.replace('nats', 'replicated', 1)}?timeout=0.5"
        store = ReplicatedStore.from_url(url)
        world = World(store, Blocking(), policy=Policy(outage=Outage.READ))
        world.ask(logs_in())
        world.ask(puts(v=1))
        wait_for(lambda: world.ask(reads).result and store.hits, lambda: "no copy serves")
        server.stop()
        assert world.ask(reads).result == {"v": 1}
        with pytest.raises(StoreUnavailable):
            world.ask(puts(v=2))
        assert world.ask(reads).result == {"v": 1}

        server.start()
        other = NatsStore.from_url(f"{server.url}?timeout=5")
        wait_for(lambda: run(other.end_everybody()), lambda: "nobody ended")
        wait_for(lambda: store.copies == 0, lambda: "the mirror is not made anew")
        for each in (other, store):
            run(each.close())


def test_closed_mirror_leaves_no_thread_and_no_connection(tmp_path):
    with NatsServer(tmp_path) as server:
        store = ReplicatedStore.from_url(server.url.replace("nats", "replicated", 1) + "?timeout=5")
        run(store.read(key("a")))
        wait_for(lambda: is_vouched(store), lambda: "no heartbeat")
        assert server.connections() == 2
        run(store.close())
        wait_for(lambda: server.connections() == 0, lambda: "a connection is open still")
