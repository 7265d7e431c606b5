"""What the feed of streams makes of what is told, and of what is not."""

import math

import pytest

from sessile.errors import StoreUnavailable
from sessile.stores.nats_feed import NatsFeed
from sessile.testing.sample import key
from sessile.wire.nats.endpoint import NatsEndpoint
from sessile.wire.nats.listener import Told

LIMIT = 0.5
BEATS = {"one.s.": "one.beat", "two.s.": "two.beat"}


class DictListener:
    """A listener that is told what the test says; time goes on while it waits."""

    def __init__(self):
        self.now = 0.0
        self.told = []
        self.sent = []

    def timer(self):
        return self.now

    def send(self, subject, headers):
        self.sent.append(subject)

    def receive(self, seconds):
        self.now += seconds
        told, self.told = self.told, []
        return told


@pytest.fixture
def listener():
    return DictListener()


@pytest.fixture
def feed(listener):
    """A feed of two streams whose first beats are on their way."""
    feed = NatsFeed(listener, NatsEndpoint("nats", timeout=LIMIT), BEATS, listener.timer)
    feed.wait(0.0)
    assert listener.sent == list(BEATS.values())
    return feed


def session(stream, *, is_last=True):
    return Told(f"{stream}.s.{key('a')}", b"", is_last, 1, 0.0, math.inf)


def beat(stream):
    return Told(f"{stream}.beat", b"", True, 1, 0.0, 10.0)


def test_feed_is_as_of_its_beats(feed, listener):
    """No sooner than all streams have told theirs."""
    listener.told = [session("one"), beat("one")]
    assert feed.wait(0.1).as_of is None
    listener.told = [beat("two")]

    assert feed.wait(0.1).as_of == 0.0


@pytest.mark.parametrize("busy", ["one", "two"])
def test_beat_that_is_lost_is_missed(feed, listener, busy):
    """Though another stream tells much, or its own, of what was stored behind it.

    A stream without a leader stores none, and a consumer that is gone says nothing.
    """
    listener.told = [beat("one")]
    feed.wait(0.0)
    for _ in range(5):
        listener.told = [session(busy)]
        feed.wait(0.1)

    assert listener.now == pytest.approx(LIMIT)
    with pytest.raises(StoreUnavailable, match="no answer"):
        feed.wait(0.1)


def test_beat_behind_much_is_waited_for(feed, listener):
    """Of its own stream."""
    listener.told = [beat("one")]
    feed.wait(0.0)
    for _ in range(20):
        listener.told = [session("two", is_last=False)]
        feed.wait(0.1)
    listener.told = [beat("two")]

    assert feed.wait(0.1).as_of == 0.0
