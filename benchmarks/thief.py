"""How long a thief goes on with a session that was ended on another server, behind a near cache.

The cookie is stolen and its session ended by another handle on the store, while the feed of the
server that the thief goes to is alive, slow, dead, or lies.
"""

import time

from sessile.core.flow import run
from sessile.stores.near import OLDEST, NearStore
from sessile.stores.open import open_store
from sessile.testing.sample import key, record
from sessile.wire.feed.connection import Heard

SLOW = 0.3
ROUNDS = {"alive": 50, "slow": 20, "dead": 10, "lying": 1}


class Feed:
    """A feed, and what somebody does to it.

    Args:
        feed: the sound one.
        state: ``Feeds`` says what of.
    """

    def __init__(self, feed, state):
        self._feed = feed
        self.state = state
        self.close = feed.close

    def wait(self, seconds):
        """Hear something, and do with it what the state says."""
        heard = self._feed.wait(seconds)
        if self.state == "slow":
            time.sleep(SLOW)
        if self.state == "dead":
            return Heard()
        return Heard(as_of=heard.as_of) if self.state == "lying" else heard


class Feeds:
    """A store whose feeds can be made slow, dead or lying.

    Args:
        store: the sound one.
    """

    def __init__(self, store):
        self.store = store
        self.feeds = []

    def __getattr__(self, name):
        return getattr(self.store, name)

    def open_feed(self, timer, wanted):
        """Connect."""
        self.feeds.append(Feed(self.store.open_feed(timer, wanted), ""))
        return self.feeds[-1]

    def become(self, state):
        """Let the feed be so from now on."""
        for feed in self.feeds:
            feed.state = state


def measure(url):
    """Measure {state: seconds of each round}."""
    other, found = open_store(url), {}
    for state, rounds in ROUNDS.items():
        feeds = Feeds(open_store(url))
        near = NearStore(feeds, 1000)
        found[state] = [_steal(near, feeds, other, state, number) for number in range(rounds)]
        run(near.close())
    run(other.close())
    return found


def _steal(near, feeds, other, state, number):
    """Return for how many seconds a session is served after its end was acknowledged."""
    name = f"{state} {number}"
    run(other.create(record(name, at=time.time())))
    feeds.become("")
    while near.peek(key(name), 0) is None:
        run(near.read(key(name)))
        time.sleep(0.01)
    feeds.become(state)
    run(other.delete(key(name)))
    ended = last = time.monotonic()
    while near.peek(key(name), 0) is not None and last < ended + 2 * OLDEST:
        last = time.monotonic()
        time.sleep(0.0005)
    return last - ended
