"""Watchers: whom they ask the store about, when, and whom they tell. Time stands in hand."""

import asyncio
from itertools import pairwise

import pytest

from sessile.core.flow import Ask, arun, run
from sessile.core.life import Life, OpenSession
from sessile.core.ticket import Key
from sessile.errors import StoreUnavailable
from sessile.service.watchers import AT_ONCE, REST, Watchers
from sessile.testing.clock import FakeClock

EVERY = 5.0


class HandWaker:
    """Counts how often a round was asked for; a test has it gone."""

    def __init__(self):
        self.woken = 0

    def wake(self):
        self.woken += 1

    wake_from_thread = wake


class Desk:
    """A store of lives, and watchers that ask it.

    Attributes:
        asked: the keys, in the order in which they were asked for.
        failing: the keys that cannot be asked for.
        told: the names of those who were told.
        errors: what went wrong.
        most: how many were under way at once.
    """

    def __init__(self, *, is_fresh=True, every=EVERY):
        self.clock, self.timer = FakeClock(), FakeClock(0.0)
        self.lives, self.failing = {}, set()
        self.asked, self.told, self.errors = [], [], []
        self.under_way = self.most = 0
        self.is_fresh = is_fresh
        self.watchers = Watchers(
            self.look,
            is_fresh=lambda: self.is_fresh,
            every=every,
            clock=self.clock,
            tell=self.errors.append,
            timer=self.timer,
        )
        self.watchers.waker = self.waker = HandWaker()

    async def look(self, session):
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await Ask("desk", lambda: self.answer(session), lambda: self.wait(session))
        finally:
            self.under_way -= 1

    async def wait(self, session):
        await asyncio.sleep(0)
        return self.answer(session)

    def answer(self, session):
        self.asked.append(session.key)
        if session.key in self.failing or "*" in self.failing:
            raise StoreUnavailable("desk", "closed for lunch")
        return self.lives.get(session.key)

    def open(self, key, lasts=3600.0, *, to=None):
        """Have a session that lives; under another key, where it goes on there."""
        session = OpenSession(Key(to or key), "alice")
        self.lives[key] = Life(session, self.clock() + lasts)
        return Life(OpenSession(Key(key), "alice"), self.clock() + lasts)

    def watch(self, key, name=None, **more):
        life = self.open(key, **more)
        return self.watchers.add(life, lambda: self.told.append(name or key))

    def go(self):
        """Have one round gone; return whom it asked for, and how long it rests."""
        self.asked.clear()
        rest = run(self.watchers.go())
        return self.asked[:], rest


def test_drain_has_those_leave_who_can():
    """Once, and they watch no longer; the others are told of the end as before."""
    desk, left = Desk(), []
    life = desk.open("a")
    desk.watchers.add(life, lambda: desk.told.append("one"), lambda: left.append("one"))
    desk.watchers.add(life, lambda: desk.told.append("two"))
    desk.watchers.send_away()
    desk.watchers.send_away()
    assert left == ["one"]
    desk.lives.clear()
    desk.go()

    assert desk.told == ["two"]


def test_new_watch_asks_once():
    """What happened between the read of a session and its watch was told to nobody."""
    desk = Desk()
    desk.watch("a")

    assert desk.go()[0] == ["a"]
    assert desk.go()[0] == []
    assert desk.told == []


def test_session_that_ended_before_its_watch_began_is_told():
    """That question is what notices it."""
    desk = Desk()
    desk.watch("a")
    del desk.lives["a"]
    desk.go()

    assert desk.told == ["a"]


def test_word_of_the_feed_has_the_store_asked():
    """Of the session that was named alone; whoever nobody watches is not asked for."""
    desk = Desk()
    for key in "abc":
        desk.watch(key)
    desk.go()
    desk.watchers.hear([Key("b"), Key("x")])
    del desk.lives["b"]

    assert desk.go()[0] == ["b"]
    assert desk.told == ["b"]


def test_word_that_means_any_session_has_all_of_them_asked():
    """As when everybody was ended, or the feed was away."""
    desk = Desk()
    for key in "abc":
        desk.watch(key)
    desk.go()
    desk.watchers.hear(None)

    assert sorted(desk.go()[0]) == ["a", "b", "c"]


def test_word_that_is_not_true_ends_nothing():
    """The store's answer alone does."""
    desk = Desk()
    desk.watch("a")
    desk.go()
    desk.watchers.hear([Key("a")])
    desk.watchers.hear(None)

    assert desk.go()[0] == ["a"]
    assert desk.told == []


def test_word_that_nobody_waits_for_wakes_nobody():
    """A busy feed costs a process no round whose sessions it does not name."""
    desk = Desk()
    desk.watchers.hear(None)
    assert desk.waker.woken == 0
    desk.watch("a")
    desk.go()
    woken = desk.waker.woken
    desk.watchers.hear([Key("x")])

    assert desk.waker.woken == woken


def test_everyone_who_watches_a_session_is_told_once():
    """Two sockets of one session are one question."""
    desk = Desk()
    desk.watch("a", "one")
    desk.watch("a", "two")
    desk.go()
    del desk.lives["a"]
    desk.watchers.hear([Key("a")])

    assert desk.go()[0] == ["a"]
    assert desk.told == ["one", "two"]
    assert desk.go() == ([], None)
    assert desk.told == ["one", "two"]


def test_who_watches_no_longer_is_not_told():
    """Nor is the store asked for a session that nobody watches."""
    desk = Desk()
    one, two = desk.watch("a", "one"), desk.watch("a", "two")
    desk.go()
    one.stop()
    one.stop()
    woken = desk.waker.woken
    del desk.lives["a"]
    desk.watchers.hear([Key("a")])
    desk.go()
    two.stop()

    assert desk.told == ["two"]
    assert woken == 2  # one for each that began


def test_round_that_is_asked_for_when_nobody_watches_is_the_last():
    """Whoever goes the rounds has nothing left to wait for."""
    desk = Desk()
    watch = desk.watch("a")
    desk.go()
    woken = desk.waker.woken
    watch.stop()

    assert desk.waker.woken == woken + 1
    assert desk.go() == ([], None)


def test_who_is_told_may_stop_the_others():
    """A socket that ends takes along what hangs on it."""
    desk = Desk()
    watches = []
    life = desk.open("a")
    for name in ("one", "two"):

        def tell(name=name):
            desk.told.append(name)
            for watch in watches:
                watch.stop()

        watches.append(desk.watchers.add(life, tell))
    del desk.lives["a"]
    desk.go()

    assert desk.told == ["one", "two"]


def test_nothing_is_kept_of_who_watches_no_longer():
    """However many come and go, and whatever was planned for them."""
    desk = Desk()
    for number in range(1_000):
        watch = desk.watch(f"{number}", lasts=number)
        desk.go()
        watch.stop()

    assert desk.watchers.list_keys() == []
    assert len(desk.watchers._agenda) <= 2 * AT_ONCE
    assert desk.go() == ([], None)


@pytest.mark.parametrize("is_fresh", [True, False])
def test_session_is_asked_for_when_its_time_is_over(is_fresh):
    """Its own deadline is known, and needs no feed."""
    desk = Desk(is_fresh=is_fresh)
    desk.watch("a", lasts=2.5)
    desk.go()
    desk.clock.advance(2.4)
    assert desk.go()[0] == []
    assert desk.go()[1] == pytest.approx(0.1)
    desk.clock.advance(0.2)
    del desk.lives["a"]

    assert desk.go()[0] == ["a"]
    assert desk.told == ["a"]


def test_session_that_was_used_meanwhile_has_a_later_deadline():
    """It is asked for at the first one, and not again before the second one."""
    desk = Desk()
    desk.watch("a", lasts=10.0)
    desk.go()
    desk.clock.advance(6.0)
    desk.open("a", lasts=10.0)
    desk.clock.advance(4.0)
    assert desk.go()[0] == ["a"]
    desk.clock.advance(5.0)
    assert desk.go()[0] == []
    desk.clock.advance(1.0)

    assert desk.go()[0] == ["a"]
    assert desk.told == []


def test_deadline_that_moved_on_is_no_reason_to_ask():
    """A word about its use has told the later one."""
    desk = Desk()
    desk.watch("a", lasts=10.0)
    desk.go()
    desk.clock.advance(6.0)
    desk.open("a", lasts=10.0)
    desk.watchers.hear([Key("a")])
    desk.go()
    desk.clock.advance(4.0)
    assert desk.go()[0] == []
    desk.clock.advance(6.0)

    assert desk.go()[0] == ["a"]


def test_deadline_that_comes_nearer_counts():
    """A session that was given less time, as by another login's word, is asked for in time."""
    desk = Desk()
    desk.watch("a", lasts=100.0)
    desk.go()
    desk.open("a", lasts=10.0)
    desk.watchers.hear([Key("a")])
    desk.go()
    desk.clock.advance(11.0)

    assert desk.go()[0] == ["a"]


def test_session_that_should_be_over_and_lives_is_asked_for_now_and_then():
    """Clocks of servers differ. Nobody asks without a rest."""
    desk = Desk()
    desk.watch("a", lasts=0.0)
    assert desk.go() == (["a"], REST)
    desk.clock.advance(REST / 2)
    assert desk.go()[0] == []
    desk.clock.advance(REST / 2)

    assert desk.go()[0] == ["a"]


def test_store_without_a_feed_is_asked_every_so_often():
    """Each session once in that time, whenever its watch began."""
    desk = Desk(is_fresh=False)
    desk.watch("a")
    assert desk.go() == ([], REST)
    desk.timer.advance(2.0)
    desk.watch("b")
    asked = []
    for _ in range(100):
        now, rest = desk.go()
        asked += [(key, desk.timer()) for key in now]
        desk.timer.advance(rest)

    times = {key: [0.0 if key == "a" else 2.0] for key in "ab"}
    for key, time in asked:
        times[key].append(time)
    for times_of_one in times.values():
        gaps = [b - a for a, b in pairwise(times_of_one)]
        assert len(gaps) > 10
        assert all(0.9 * EVERY <= gap <= EVERY + 1e-9 for gap in gaps)


def test_store_is_asked_as_often_as_was_said():
    """More often than the clocks are looked at, if need be."""
    desk = Desk(is_fresh=False, every=0.2)
    desk.watch("a")
    _, rest = desk.go()
    desk.timer.advance(rest)

    assert rest == pytest.approx(0.2)
    assert desk.go()[0] == ["a"]


def test_those_whose_turns_are_near_are_asked_together():
    """Else ten thousand sockets would be as many rounds."""
    desk = Desk(is_fresh=False)
    for key in "abcd":
        desk.watch(key)
        desk.go()
        desk.timer.advance(EVERY / 50)
    desk.timer.advance(EVERY * 0.94)

    assert desk.go()[0] == ["a", "b", "c", "d"]


def test_late_heartbeat_has_the_store_asked():
    """Who was not asked for all the while is at once; whoever is told again rests."""
    desk = Desk()
    desk.watch("a")
    desk.go()
    desk.timer.advance(60.0)
    assert desk.go() == ([], REST)
    desk.is_fresh = False
    assert desk.go()[0] == ["a"]
    desk.is_fresh = True
    desk.timer.advance(60.0)

    assert desk.go() == ([], REST)


def test_outage_ends_nothing():
    """Who cannot be asked for stays, is asked for again after a rest, and is told in the end."""
    desk = Desk()
    desk.watch("a")
    desk.failing = {"*"}
    assert desk.go() == (["a"], REST)
    assert len(desk.errors) == 1
    desk.timer.advance(REST / 2)
    assert desk.go()[0] == []
    desk.timer.advance(REST / 2)
    assert desk.go()[0] == ["a"]
    del desk.lives["a"]
    desk.failing = set()
    desk.timer.advance(REST)
    desk.go()

    assert desk.told == ["a"]


@pytest.mark.parametrize("is_fresh", [True, False])
def test_nobody_asks_a_store_that_is_away_without_a_rest(is_fresh):
    """Neither the time that has passed nor a word of the feed makes it sooner."""
    desk = Desk(is_fresh=is_fresh)
    desk.watch("a")
    desk.go()
    desk.failing = {"*"}
    desk.timer.advance(2 * EVERY)
    desk.watchers.hear([Key("a")])
    assert desk.go() == (["a"], REST)
    desk.timer.advance(REST / 2)
    desk.watchers.hear([Key("a")])
    asked, rest = desk.go()
    assert asked == []
    assert rest > 0
    desk.timer.advance(REST / 2)

    assert desk.go() == (["a"], REST)


def test_whatever_a_store_does_wrong_ends_nothing():
    """Not even an error that no store may raise; the others are asked for all the same."""
    desk = Desk()
    answer = desk.answer

    def blunder(session):
        if session.key == "a":
            raise ZeroDivisionError
        return answer(session)

    desk.answer = blunder
    for key in "ab":
        desk.watch(key)
    del desk.lives["b"]
    desk.go()

    assert [type(error) for error in desk.errors] == [ZeroDivisionError]
    assert desk.told == ["b"]


def test_store_that_answers_nobody_has_a_rest():
    """A few questions tell; the thousand behind them wait."""
    desk = Desk()
    for number in range(1_000):
        desk.watch(f"{number}")
    desk.failing = {"*"}
    for _ in range(3):
        asked, rest = desk.go()
        assert (len(asked), rest) == (AT_ONCE, REST)


def test_store_that_answers_nobody_has_a_rest_whatever_is_due():
    """By the clocks of the sessions, or because it was not asked for long."""
    desk = Desk(is_fresh=False)
    for number in range(1_000):
        desk.watch(f"{number}", lasts=1.0)
    desk.failing = {"*"}
    desk.clock.advance(2.0)
    desk.timer.advance(2 * EVERY)
    asked, rest = desk.go()

    assert (len(asked), rest) == (AT_ONCE, REST)


def test_part_of_a_store_that_is_away_holds_up_nobody_else():
    """Behind those that fail the others are asked for in the same round."""
    desk = Desk()
    for number in range(1_000):
        desk.watch(f"{number}")
        if number % 2:
            desk.failing.add(f"{number}")
    asked, _ = desk.go()

    assert len(asked) == 1_000


def test_crowd_is_asked_for_a_few_at_once():
    """The end of everybody does not trample the store down."""
    desk = Desk()
    for number in range(1_000):
        desk.watch(f"{number}")
    desk.lives.clear()
    asyncio.run(arun(desk.watchers.go()))

    assert desk.most == AT_ONCE
    assert len(desk.told) == 1_000


def test_session_that_goes_on_is_watched_under_its_new_key():
    """After a step-up the old key is nobody's; a word about the new one counts."""
    desk = Desk()
    desk.watch("a", "one")
    desk.go()
    desk.open("a", to="b")
    desk.open("b")
    desk.watchers.hear([Key("a")])
    desk.go()
    assert desk.watchers.list_keys() == ["b"]
    del desk.lives["a"], desk.lives["b"]
    desk.watchers.hear([Key("a"), Key("b")])
    desk.go()

    assert desk.told == ["one"]


def test_new_key_is_asked_for_as_a_new_watch_is():
    """What happened to it before it was watched is not passed over."""
    desk = Desk()
    desk.watch("a")
    desk.open("a", to="b")

    assert desk.go()[0] == ["a", "b"]
    assert desk.told == ["a"]


def test_sockets_before_and_after_a_step_up_are_told_together():
    """They have one session."""
    desk = Desk()
    desk.watch("a", "before")
    desk.go()
    desk.watch("b", "after")
    desk.open("a", to="b")
    desk.watchers.hear([Key("a")])
    desk.go()
    del desk.lives["b"]
    desk.watchers.hear([Key("b")])
    desk.go()

    assert sorted(desk.told) == ["after", "before"]


def test_word_during_a_question_is_not_lost():
    """The answer that is on its way may be the old one, so the store is asked once more."""
    desk = Desk()
    desk.watch("a")
    answer = desk.answer

    def ends_meanwhile(session):
        life = answer(session)
        desk.lives.clear()
        desk.watchers.hear([Key("a")])
        desk.answer = answer
        return life

    desk.answer = ends_meanwhile

    assert desk.go()[0] == ["a", "a"]
    assert desk.told == ["a"]


def test_watch_that_stops_during_its_question_is_not_told():
    """Its client has left meanwhile, and may have come again."""
    desk = Desk()
    watch = desk.watch("a", "one")
    answer = desk.answer

    def stops_meanwhile(session):
        watch.stop()
        desk.watch("a", "two")
        desk.answer = answer

    desk.answer = stops_meanwhile
    desk.go()

    assert desk.told == []
    assert desk.watchers.list_keys() == ["a"]
