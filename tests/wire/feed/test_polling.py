"""Looks at a store that tells nobody: what they tell, what they vouch for, and how often they come.

The clock is the test's own, and moves while the feed sleeps, and while it looks where that is told.
"""

import pytest

from sessile.core.ticket import Key
from sessile.errors import StoreClosed, StoreUnavailable
from sessile.testing.clock import FakeClock
from sessile.wire.feed.connection import Heard
from sessile.wire.feed.polling import LOOK_INTERVAL, Glance, PollingConnection

A, B = Key("a"), Key("b")
MANY = 1000


class Rows:
    """A store that can be looked at, and what was asked of it.

    Attributes:
        versions: of the rows that are there.
        asked: the keys, look by look.
        glances: when somebody looked.
        takes: seconds of each look at rows, and how many of those are work.
        during: done once, while the next look goes on.
    """

    def __init__(self, clock):
        self.clock = clock
        self.versions = {A: 1, B: 1}
        self.era = 0
        self.is_written = True
        self.asked = []
        self.glances = []
        self.work = FakeClock(0.0)
        self.takes = self.works = 0.0
        self.failure = None
        self.during = None

    def put(self, key, version):
        self.versions[key] = version
        self.is_written = True

    def glance(self):
        if self.failure is not None:
            raise self.failure
        self.glances.append(self.clock())
        assert len(self.glances) < MANY, "it looks for ever"
        glance, self.is_written = Glance(self.era, self.is_written), False
        return glance

    def find_versions(self, keys):
        self.asked.append(list(keys))
        self.clock.advance(self.takes)
        self.work.advance(self.works)
        found = {key: self.versions[key] for key in keys if key in self.versions}
        if self.during is not None:
            act, self.during = self.during, None
            act()
        return found


@pytest.fixture
def clock():
    return FakeClock(100.0)


@pytest.fixture
def rows(clock):
    return Rows(clock)


@pytest.fixture
def wanted():
    return [A, B]


@pytest.fixture
def feed(rows, clock, wanted):
    return PollingConnection(rows, clock, lambda: wanted, sleep=clock.advance, work=rows.work)


def told(feed, seconds=1.0):
    return set(feed.wait(seconds).keys)


def test_first_sight_is_told(feed):
    """Whoever wants a key may have read its record at any version, so it is told once."""
    assert told(feed) == {A, B}
    assert told(feed) == set()


def test_key_that_is_wanted_later_is_told(feed, rows, wanted):
    """So it is when nothing was written: and that one key alone is looked for."""
    told(feed)
    wanted.append(Key("c"))

    assert told(feed) == {"c"}
    assert rows.asked[-1] == ["c"]


def test_key_that_is_wanted_again_is_told(feed, rows, wanted):
    """What changed while nobody wanted it is no secret to who wants it next."""
    told(feed)
    wanted.remove(B)
    rows.put(B, 2)
    told(feed)
    wanted.append(B)

    assert told(feed) == {B}


def test_key_in_the_place_of_another_is_told(feed, rows, wanted):
    """As many keys as before are not the same keys."""
    told(feed)
    wanted[:] = [A, Key("c")]
    told(feed)
    wanted[:] = [A, B]

    assert told(feed) == {B}


def test_changed_new_and_gone_are_told(feed, rows, wanted):
    """A version is another one, is there, or is there no more; what stays is not told."""
    wanted.append(Key("c"))
    told(feed)
    rows.put(A, 2)
    assert told(feed) == {A}
    rows.put(Key("c"), 1)
    assert told(feed) == {"c"}
    del rows.versions[B]
    rows.is_written = True

    assert told(feed) == {B}


def test_rows_are_left_alone_where_nothing_was_written(feed, rows):
    """A look that finds nothing written costs no look at a row."""
    told(feed)
    number = len(rows.asked)
    feed.wait(5.0)

    assert len(rows.glances) > 50
    assert len(rows.asked) == number


def test_another_era_is_anything(feed, rows):
    """Where every record may have changed that is the word, and what was seen counts no more."""
    told(feed)
    rows.era = 1
    heard = feed.wait(1.0)

    assert heard == Heard((), True, heard.as_of)
    rows.put(A, 1)
    assert told(feed) == set()


def test_era_of_the_opening_counts(feed, rows):
    """What changes between the opening and the first look is no beginning."""
    rows.era = 1

    assert feed.wait(1.0).anything


def test_heartbeat_is_of_before_the_look(feed, rows, clock):
    """What is changed while a look goes on is vouched for by none, until it is told."""
    rows.takes = 0.2
    rows.during = lambda: rows.put(A, 2)
    began = clock()
    first = feed.wait(1.0)
    assert first.as_of == began

    clock.advance(5.0)
    assert A in told(feed)


def test_news_ends_the_wait(feed, rows, clock):
    """Whoever waits hears at the first look that has something to tell."""
    told(feed)
    rows.put(A, 2)
    began = clock()
    feed.wait(60.0)

    assert clock() - began == pytest.approx(LOOK_INTERVAL)


def test_wait_ends_with_a_heartbeat(feed, clock):
    """Where there is no news the newest look is vouched for, and the wait is as long as asked."""
    told(feed)
    began = clock()
    heard = feed.wait(0.2)

    assert not heard.keys
    assert clock() - began == pytest.approx(0.2)
    assert clock() - heard.as_of <= LOOK_INTERVAL + 1e-6


@pytest.mark.parametrize("took", [0.001, 0.02, 1.5])
def test_looks_take_a_tenth_of_the_time(feed, rows, clock, took):
    """After a look nobody looks for ten times as long, however much there is to do."""
    rows.takes = rows.works = took
    told(feed)
    ended = clock()
    while len(rows.glances) < 3:  # the opening, the first look, and the next one
        feed.wait(0.2)

    assert rows.glances[2] - ended == pytest.approx(max(LOOK_INTERVAL, 10 * took))


def test_look_that_waits_is_no_work(feed, rows, clock):
    """On a busy machine a look takes long, and the next one comes on time all the same."""
    rows.takes = 1.5
    told(feed)
    ended = clock()
    feed.wait(0.2)

    assert rows.glances[2] - ended == pytest.approx(LOOK_INTERVAL)


def test_wait_is_no_longer_than_asked(feed, rows, clock):
    """Between two looks that are far apart a wait ends on time, and vouches for nothing."""
    rows.works = 1.0
    told(feed)
    began = clock()

    assert feed.wait(0.2) == Heard()
    assert clock() - began == pytest.approx(0.2)


def test_many_keys_are_looked_for_in_parts(rows, clock):
    """No single act of the store takes all of a great number; each key is looked for once."""
    many = [Key(f"{n}") for n in range(1701)]
    feed = PollingConnection(rows, clock, lambda: many, sleep=clock.advance)

    assert set(feed.wait(1.0).keys) == set(many)
    assert max(map(len, rows.asked)) <= 512
    assert [key for chunk in rows.asked for key in chunk] == many


def test_failure_is_passed_on(feed, rows):
    """What a look runs into is an outage of the feed, as it would be of an act."""
    rows.failure = StoreUnavailable("rows", "gone")

    with pytest.raises(StoreUnavailable):
        feed.wait(1.0)


def test_store_that_was_closed_has_no_news(feed, rows, clock):
    """Who goes on waiting waits, and is vouched for nothing; it is no error of the feed's."""
    told(feed)
    rows.failure = StoreClosed("rows")
    began = clock()

    assert feed.wait(1.0) == feed.wait(1.0) == Heard()
    assert clock() - began == pytest.approx(2.0)


def test_closed_feed_looks_no_more(feed, rows, clock):
    """Closing again is harmless, and so is a wait: it is as long as it was asked."""
    told(feed)
    number = len(rows.glances)
    feed.close()
    feed.close()
    began = clock()

    assert feed.wait(1.0) == Heard()
    assert clock() - began == pytest.approx(1.0)
    assert len(rows.glances) == number


def test_feed_that_is_closed_during_a_look_looks_no_more(feed, rows):
    """Another thread may close it at any time."""
    rows.during = feed.close
    feed.wait(0.0)
    number = len(rows.glances)
    feed.wait(1.0)

    assert len(rows.glances) == number
