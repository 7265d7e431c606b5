"""A probe of a store: asked beside the feed, and what is known of the store meanwhile."""

import threading
import time

import pytest

from sessile.errors import StoreClosed, StoreUnavailable
from sessile.testing.clock import FakeClock
from sessile.testing.sample import key
from sessile.wire.feed.connection import Heard
from sessile.wire.feed.follower import MOST_LATE, Follower
from sessile.wire.feed.probe import SOON, Probe

PATIENCE = 20.0


class Silent:
    """A store that answers when it is told to, or fails."""

    def __init__(self):
        self.asked = 0
        self.may_answer = threading.Event()
        self.error = None

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
    store.may_answer.set()


@pytest.fixture
def probe(store, timer):
    return Probe(store.ask, timer=timer)


def eventually(is_so):
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_store_that_says_nothing_is_unanswered_after_a_while(probe, store, timer):
    """It has its time; then nobody waits for it, and one question is enough."""
    assert not probe.is_unanswered()
    probe.start()
    eventually(lambda: store.asked)
    assert not probe.is_unanswered()
    timer.advance(2 * SOON)
    assert probe.is_unanswered()
    probe.start()
    assert store.asked == 1


def test_store_that_answers_late_is_there(probe, store, timer):
    """Slow is not away, once it has answered."""
    probe.start()
    timer.advance(2 * SOON)
    store.may_answer.set()
    eventually(lambda: not probe.is_unanswered())


def test_store_that_fails_is_away_until_it_answers(probe, store):
    """What was known last counts until there is another answer."""
    store.may_answer.set()
    store.error = StoreUnavailable("store", "refused")
    probe.ask()
    assert probe.is_unanswered()
    store.error = None
    probe.ask()
    assert not probe.is_unanswered()


def test_store_that_was_closed_is_nobody_s_outage(probe, store):
    store.may_answer.set()
    store.error = StoreClosed("store")
    probe.ask()

    assert not probe.is_unanswered()


def test_answer_to_a_question_of_before_says_nothing(probe, store):
    """The store was heard of meanwhile: what it failed then is no failure now."""
    store.error = StoreUnavailable("store", "no answer")
    probe.start()
    eventually(lambda: store.asked)
    probe.forget()
    store.may_answer.set()
    eventually(lambda: not probe._under_way)

    assert not probe.is_unanswered()


def test_questions_that_nobody_answers_are_few(probe, store):
    """However often the store is heard of in between."""
    for _ in range(10):
        probe.start()
        probe.forget()
    eventually(lambda: store.asked == 3)
    store.may_answer.set()
    eventually(lambda: not probe._under_way)
    probe.start()
    eventually(lambda: store.asked == 4)


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
    script = Script(Heard(), Heard((key("a"),)), Heard(), Heard(as_of=101.0))
    follower = Follower(lambda wanted: script, timer=timer)
    follower.probe = Probe(store.ask, timer=timer)
    follower.step()
    for _ in range(3):
        timer.advance(0.25)
        follower.step()
    eventually(lambda: store.asked)
    timer.advance(2 * SOON)
    assert follower.is_fresh()
    assert not follower.is_store_away()
    timer.advance(MOST_LATE)
    assert follower.is_store_away()
    follower.step()
    timer.advance(0.0)
    assert not follower.probe.is_unanswered()


def test_feed_that_breaks_has_the_store_asked(store, timer):
    """Its store may be well all the same, and then readers go there."""
    store.may_answer.set()

    def refuse(wanted):
        raise StoreUnavailable("feed", "refused")

    follower = Follower(refuse, timer=timer)
    follower.probe = Probe(store.ask, timer=timer)
    follower.step()
    eventually(lambda: store.asked)
    eventually(lambda: not follower.probe.is_unanswered())

    assert not follower.is_store_away()
