"""A probe of a store: asked beside the feed, and what is known of the store meanwhile."""

import math
import threading
import time

import pytest

from sessile.errors import StoreClosed, StoreUnavailable
from sessile.testing.clock import FakeClock
from sessile.testing.sample import key
from sessile.wire.feed.connection import Heard
from sessile.wire.feed.follower import MOST_LATE, Follower
from sessile.wire.feed.probe import GOOD_FOR, Probe

PATIENCE = 20.0


class Silent:
    """A store that answers when it is told to, or fails."""

    def __init__(self):
        self.asked = 0
        self.may_answer = threading.Event()
        self.error = StoreUnavailable("store", "no answer")

    def ask(self):
        self.asked += 1
        assert self.may_answer.wait(PATIENCE)
        if self.error is not None:
            raise self.error


@pytest.fixture
def timer():
    return FakeClock(100.0)


@pytest.fixture
def store():
    store = Silent()
    yield store
    store.error = None
    store.may_answer.set()


@pytest.fixture
def probe(store, timer):
    return Probe(store.ask, timer=timer)


def eventually(is_so):
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def has_failed(probe):
    return probe.has_failed(-math.inf)


def test_store_has_failed_when_it_says_so_and_not_before(probe, store, timer):
    """One that is slow is no outage, however slow: its own time limit says when it is."""
    probe.start()
    eventually(lambda: store.asked)
    timer.advance(60.0)
    assert not has_failed(probe)
    store.may_answer.set()
    eventually(lambda: has_failed(probe))


def test_one_thread_asks_again_until_there_is_an_answer(probe, store):
    """Nobody has to start it again."""
    store.may_answer.set()
    for _ in range(5):
        probe.start()
    eventually(lambda: store.asked > 1)
    assert sum(one.name == "sessile-probe" for one in threading.enumerate()) == 1
    store.error = None
    eventually(lambda: probe._thread is None)
    assert not has_failed(probe)


def test_failure_says_nothing_after_a_while(probe, store, timer):
    """Whatever holds the thread up that would ask again."""
    store.may_answer.set()
    probe.ask()
    timer.advance(GOOD_FOR)
    assert has_failed(probe)
    timer.advance(0.01)
    assert not has_failed(probe)


def test_question_of_before_says_nothing(probe, store, timer):
    """The store was heard of since it was asked."""
    store.may_answer.set()
    probe.ask()

    assert probe.has_failed(timer() - 0.1)
    assert not probe.has_failed(timer())


def test_store_that_is_heard_of_is_asked_no_more(probe, store):
    """The thread ends with the answer that it waits for."""
    probe.start()
    eventually(lambda: store.asked)
    probe.forget()
    store.may_answer.set()
    eventually(lambda: probe._thread is None)

    assert store.asked == 1


@pytest.mark.parametrize("error", [StoreClosed("store"), RuntimeError("the file is no store")])
def test_what_is_no_outage_is_left_to_readers(probe, store, error):
    """They are told; and the next outage is found out all the same."""
    store.may_answer.set()
    store.error = error
    probe.start()
    eventually(lambda: store.asked and probe._thread is None)
    assert not has_failed(probe)
    store.error = StoreUnavailable("store", "no answer")
    probe.start()
    eventually(lambda: has_failed(probe))


class Script:
    """A feed that tells what it is given."""

    def __init__(self, *words):
        self.words = list(words)

    def wait(self, seconds):
        return self.words.pop(0)

    def close(self):
        pass


def test_store_is_asked_before_a_copy_is_too_old(store, timer):
    """The feed is silent for a while that is shorter than a copy is good for."""
    script = Script(Heard(), Heard((key("a"),)), Heard(), Heard(as_of=102.0))
    follower = Follower(lambda wanted: script, timer=timer)
    follower.probe = Probe(store.ask, timer=timer)
    follower.step()
    for _ in range(3):
        timer.advance(0.25)
        follower.step()
    eventually(lambda: store.asked)
    store.may_answer.set()
    eventually(lambda: has_failed(follower.probe))
    assert follower.is_fresh()
    assert not follower.is_store_away()
    timer.advance(MOST_LATE)
    assert follower.is_store_away()
    follower.step()
    assert not follower.is_store_away()


def test_feed_that_breaks_has_the_store_asked(store, timer):
    """Its store may be well all the same, and then readers go there."""
    store.may_answer.set()
    store.error = None

    def refuse(wanted):
        raise StoreUnavailable("feed", "refused")

    follower = Follower(refuse, timer=timer)
    follower.probe = Probe(store.ask, timer=timer)
    follower.step()
    eventually(lambda: store.asked and follower.probe._thread is None)

    assert not follower.is_store_away()
