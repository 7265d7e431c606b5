"""What a store with a feed promises: nothing that changed is passed over, and beats are honest."""

import time
from collections.abc import Callable, Iterable

from sessile.stores.contract import Capability, HasFeed, Key, Store
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.sample import change, key, login, record
from sessile.testing.step import Stepped
from sessile.wire.feed.connection import FeedConnection, Heard

PATIENCE = 20.0
"""Seconds for what comes at once on a machine that is not busy."""

NAMES = ("a", "b", "c")
BEATS = 5


def listen(store: Store, names: Iterable[str] = NAMES) -> FeedConnection:
    """Return a connection to a store's feed that wants to hear of those records."""
    assert isinstance(store, HasFeed)
    return store.open_feed(time.monotonic, lambda: [key(name) for name in names])


def hear(feed: FeedConnection, is_enough: Callable[[Heard], bool]) -> list[Heard]:
    """Listen to a feed until it has told enough."""
    heard: list[Heard] = []
    deadline = time.monotonic() + PATIENCE
    while not heard or not is_enough(heard[-1]):
        assert time.monotonic() < deadline, f"the feed tells no more than {heard[-20:]}"
        heard.append(feed.wait(0.02))
    return heard


def hear_until_now(feed: FeedConnection) -> set[Key]:
    """Return the keys of all that changed so far, and was not told; all keys where it may be any.

    What is told after the heartbeat that vouches for it is too late, and is not among them.
    """
    now = time.monotonic()
    heard = hear(feed, lambda word: word.as_of is not None and word.as_of >= now)
    if any(word.anything for word in heard):
        return set(map(key, NAMES))
    return {each for word in heard for each in word.keys}


class Feeds:
    """Whoever listens is told of every commit and every end, before the heartbeat that vouches."""

    @needs(Capability.FEED)
    def test_feed_tells_of_every_act(self, store: Store, drive: Drive) -> None:
        """Every act that a copy of a record would not survive is told with the record's key."""
        row = record("a", owner="alice")
        feed = listen(store)
        hear_until_now(feed)
        for act in (
            lambda: store.replace(login(row)),
            lambda: store.commit(change(row, {"n": b"1"})),
            lambda: store.delete(key("a"), "alice", leaving=record("a", version=0)),
        ):
            drive(act())
            assert key("a") in hear_until_now(feed)
        feed.close()

    @needs(Capability.FEED, Capability.OWNERS)
    def test_feed_tells_of_a_login_what_it_ends(self, store: Store, drive: Drive) -> None:
        """The session in whose place it came, and those that were over the limit."""
        before, other = record("a"), record("b", owner="alice")
        drive(store.create(before))
        drive(store.replace(login(other)))
        feed = listen(store)
        hear_until_now(feed)
        drive(store.replace(login(record("c", owner="alice"), old=before, limit=1)))

        assert {key("a"), key("b")} <= hear_until_now(feed)
        feed.close()

    @needs(Capability.FEED)
    def test_feed_tells_at_whatever_step_a_login_ends_a_session(
        self, store: Store, drive: Drive
    ) -> None:
        """Also where another row decides it: who has just read the session hears of it again."""
        old = record("a")
        drive(store.create(old))
        feed = listen(store)
        hear_until_now(feed)
        is_there = True
        act = Stepped(store.replace(login(record("b", owner="alice"), old=old)), drive)
        while act.ask is not None:
            act.step()
            told, was_there = hear_until_now(feed), is_there
            is_there = drive(store.read(key("a"))) is not None
            assert is_there or not was_there or key("a") in told
        feed.close()

    @needs(Capability.FEED, Capability.OWNERS)
    def test_feed_tells_of_the_end_of_a_user(self, store: Store, drive: Drive) -> None:
        """Each of the sessions that end together is told."""
        for name in NAMES:
            drive(store.replace(login(record(name, owner="alice"))))
        feed = listen(store)
        hear_until_now(feed)
        drive(store.delete_owned("alice", keep=(key("c"),)))

        assert {key("a"), key("b")} <= hear_until_now(feed)
        feed.close()

    @needs(Capability.FEED)
    def test_feed_tells_of_the_end_of_everybody(self, store: Store, drive: Drive) -> None:
        """In whatever way, every record is told."""
        for name in NAMES:
            drive(store.create(record(name)))
        feed = listen(store)
        hear_until_now(feed)
        drive(store.end_everybody())

        assert hear_until_now(feed) == set(map(key, NAMES))
        feed.close()

    @needs(Capability.FEED)
    def test_heartbeat_vouches_for_what_came_before(self, store: Store, drive: Drive) -> None:
        """However often one changes and looks, no beat is ahead of what it vouches for."""
        row = record("a")
        drive(store.create(row))
        feed = listen(store)
        for number in range(BEATS):
            step = change(row, {"n": b"%d" % number})
            drive(store.commit(step))
            row = step.record
            assert key("a") in hear_until_now(feed)
        feed.close()

    @needs(Capability.FEED)
    def test_every_listener_is_told(self, store: Store, drive: Drive) -> None:
        """Each connection tells all there is, also of what came over a handle that is closed."""
        drive(store.create(record("a")))
        feeds = [listen(store), listen(store)]
        drive(store.delete(key("a")))
        feeds.append(listen(store))

        assert all(key("a") in hear_until_now(feed) for feed in feeds[:2])
        feeds[2].wait(0.0)
        for feed in feeds:
            feed.close()
            feed.close()

    @needs(Capability.FEED, Capability.SHARED)
    def test_feed_tells_of_other_processes(self, store: Store, other: Store, drive: Drive) -> None:
        """What another handle on the same data does is told as well."""
        drive(store.create(record("a")))
        feed = listen(store)
        hear_until_now(feed)
        drive(other.delete(key("a")))

        assert key("a") in hear_until_now(feed)
        feed.close()
