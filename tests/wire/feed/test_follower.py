"""The follower of a feed: its epochs, its heartbeat, its thread, and what it tells."""

import gc
import os
import threading
import time
import weakref

import pytest

from sessile.errors import StoreUnavailable
from sessile.testing.clock import FakeClock
from sessile.testing.sample import key
from sessile.wire.feed.connection import Heard
from sessile.wire.feed.follower import MOST_LATE, NEVER, Follower
from sessile.wire.feed.local import MOST_KEPT, LocalFeed

PATIENCE = 20.0


class Script:
    """A feed that tells what it is given, word by word, and fails with the errors among them."""

    def __init__(self, *words):
        self.words = list(words)
        self.closed = 0

    def open(self, wanted):
        self.wanted = wanted
        if self.words and isinstance(self.words[0], OSError):
            self.words.pop(0)
            raise StoreUnavailable("script", "refused")
        return self

    def wait(self, seconds):
        word = self.words.pop(0)
        if isinstance(word, OSError):
            raise StoreUnavailable("script", "broken")
        return word

    def close(self):
        self.closed += 1


@pytest.fixture
def timer():
    return FakeClock(100.0)


def follower_of(script, timer):
    """Return a follower, and what its listener and its teller are told."""
    told, errors = [], []
    follower = Follower(script.open, tell=errors.append, timer=timer)
    follower.listen(told.append)
    return follower, told, errors


def eventually(is_so):
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_nothing_is_fresh_before_it_is_connected(timer):
    """Nobody has said anything yet."""
    follower, _, _ = follower_of(Script(), timer)

    assert not follower.is_fresh()
    assert follower.epoch is NEVER


def test_heartbeat_is_late_after_its_time(timer):
    """It is fresh for a second, and then for no longer, until the next one."""
    script = Script(Heard(as_of=100.5))
    follower, _, _ = follower_of(script, timer)
    follower.step()
    timer.advance(0.5)
    follower.step()
    timer.advance(MOST_LATE)
    assert follower.is_fresh()
    timer.advance(0.001)
    assert not follower.is_fresh()


def test_listeners_are_told_before_the_heartbeat_counts(timer):
    """Whoever trusts the beat has heard what it vouches for."""
    script = Script(Heard((key("a"),), as_of=105.0))
    follower, _, _ = follower_of(script, timer)
    seen = []
    follower.listen(lambda keys: seen.append(follower.epoch.as_of))
    follower.step()
    follower.step()

    assert seen == [100.0, 100.0]
    assert follower.epoch.as_of == 105.0


def test_anything_begins_a_new_epoch(timer):
    """Whatever was read before is not known to be so."""
    follower, told, _ = follower_of(Script(Heard(anything=True), Heard((key("a"),))), timer)
    follower.step()
    first = follower.epoch
    follower.step()
    assert follower.epoch is not first
    follower.step()

    assert told == [None, None, (key("a"),)]


def test_broken_feed_ends_the_epoch(timer):
    """It is told, the connection is closed, and the next step connects anew, after a pause."""
    script = Script(Heard(as_of=100.0), OSError(), OSError(), OSError(), Heard(as_of=100.0))
    follower, told, errors = follower_of(script, timer)
    assert follower.step() == follower.step() == 0.0
    first = follower.epoch
    pauses = [follower.step() for _ in range(3)]
    assert follower.epoch is NEVER
    assert not follower.is_fresh()
    assert 0.0 < pauses[0] < pauses[1] < pauses[2]
    assert script.closed == 1
    assert follower.step() == follower.step() == 0.0

    assert follower.epoch not in (first, NEVER)
    assert [error and error.why for error in errors] == ["broken", "refused", "refused", None]
    assert told == [None, None]


def test_thread_follows_and_ends_with_the_follower():
    """One thread, whoever starts it how often; it ends when nobody holds the follower."""
    feed, before = LocalFeed(), set(threading.enumerate())
    follower = Follower(lambda _: feed.open(time.monotonic))
    told = []
    follower.listen(told.append)
    for _ in range(3):
        follower.start()
    eventually(lambda: told == [None])
    feed.tell(key("a"))
    eventually(lambda: told == [None, (key("a"),)])
    eventually(follower.is_fresh)
    threads = [*({*threading.enumerate()} - before)]
    assert len(threads) == 1
    gone = weakref.ref(follower)
    del follower
    gc.collect()

    threads[0].join(PATIENCE)
    assert not threads[0].is_alive()
    assert gone() is None


def test_feed_that_has_to_be_asked_hears_of_what_anybody_wants(timer):
    """Each listener says for itself; and the asker does not keep the follower."""
    script = Script(Heard(as_of=100.0))
    follower, _, _ = follower_of(script, timer)
    follower.listen(lambda _: None, lambda: (key("a"),))
    follower.listen(lambda _: None, lambda: (key("b"), key("c")))
    follower.step()

    assert list(script.wanted()) == [key("a"), key("b"), key("c")]
    gone = weakref.ref(follower)
    del follower
    gc.collect()
    assert gone() is None
    assert list(script.wanted()) == []


def test_closed_follower_connects_no_more(timer):
    """Nothing is fresh, no thread begins, and the connection is closed."""
    feed, before = Script(*[Heard(as_of=100.0)] * 3), set(threading.enumerate())
    follower, _, _ = follower_of(feed, timer)
    follower.step()
    follower.step()
    follower.close()
    follower.step()  # its thread was in the middle of one
    follower.start()

    assert not follower.is_fresh()
    assert NEVER.as_of == -float("inf")
    assert set(threading.enumerate()) <= before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_forked_process_begins_anew():
    """It trusts nothing of its parent's, and follows by a thread of its own."""
    feed = LocalFeed()
    follower = Follower(lambda _: feed.open(time.monotonic))
    follower.start()
    eventually(follower.is_fresh)
    child = os.fork()
    if child == 0:
        is_old = follower.is_fresh()
        follower.start()
        deadline = time.monotonic() + PATIENCE
        while not follower.is_fresh() and time.monotonic() < deadline:
            time.sleep(0.01)
        os._exit(2 if is_old else not follower.is_fresh())
    follower_status = os.waitpid(child, 0)[1]
    follower.close()

    assert follower_status == 0


def test_feed_of_a_process_is_bounded():
    """Who is not asked for long is told that anything may have changed, and keeps no more keys."""
    feed = LocalFeed()
    connection = feed.open(time.monotonic)
    for number in range(MOST_KEPT + 1):
        feed.tell(str(number))
    heard = connection.wait(0)

    assert heard.anything
    assert len(heard.keys) <= MOST_KEPT
    assert not connection.wait(0).anything
