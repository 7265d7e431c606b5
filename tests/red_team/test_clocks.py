"""Clocks: the server's time steps, and a page that polls keeps its session alive."""

from itertools import accumulate

from harness.handlers import logs_in, puts, reads, start, who
from mutations.defences import absolute_time_is_forgotten
from red_team.attack import commands, events_of, weakened_by
from sessile.core import verdict
from sessile.core.policy import Policy
from sessile.errors import NotLoaded
from sessile.service import open as opening
from sessile.service import save
from sessile.service.events import Replayed
from sessile.testing.clock import T0
from sessile.web import asgi, wsgi

HOUR, DAY = 3_600, 86_400
IDLE, ABSOLUTE, ROTATE, GRACE = 1_800, 12 * HOUR, 900, 90  # the grace and the clock skew
POLLED = {"passive": ("/poll/",)}
STEPS = (1_700, -DAY, 600, DAY - 600, -HOUR, 900, 1_000, 4_000 - DAY, DAY - 2_300)
"""Seconds by which the clock moves between requests: forward as in use, and by steps of NTP."""


def deadlines_follow_the_clock(patch):
    """A session's end is counted anew from each use."""
    patch.setattr(Policy, "lives", lambda policy, record, now, *_: record.live_at(now))
    patch.setattr(
        Policy,
        "touch",
        lambda policy, record, now, *_: {
            "seen": now,
            "idle_until": now + policy.idle,
            "until": now + policy.absolute,
        },
    )


@weakened_by(deadlines_follow_the_clock)
def test_a15_no_step_of_the_clock_moves_the_end(site):
    """Forward or back, by seconds or days, with use in between: the session ends when it did."""
    cookie = start(site)
    born = site.sessions.sync.show(cookie[4:24])
    for step in STEPS:
        site.clock.advance(step)
        cookie = site.ask(puts(v=1), cookie).cookie or cookie
        now = site.sessions.sync.show(cookie[4:24])

        assert now.ends == born.ends == T0 + ABSOLUTE
        assert born.expires <= now.expires <= born.ends


@weakened_by(absolute_time_is_forgotten)
def test_a15_session_ends_on_time_after_every_step(site):
    """Once its end was due by the clock that is right, no earlier step has kept it alive."""
    cookie = start(site)
    right = T0
    for _ in range(ABSOLUTE // 1_500):
        right += 1_500
        site.clock.advance(right - site.clock())
        cookie = site.ask(reads, cookie).cookie or cookie
        site.clock.advance(-DAY)  # a step, a request in between, and a correction
        cookie = site.ask(reads, cookie).cookie or cookie
    site.clock.advance(right - site.clock())
    assert site.ask(who, cookie).json == "alice"

    site.clock.advance(T0 + ABSOLUTE - right)
    assert site.ask(who, cookie).json is None
    assert site.of("alice") == []


def negative_ages_are_young(patch):
    """A ticket that was shown in the future, as the clock has it now, is within its grace."""
    patch.setattr(verdict, "_in_grace", lambda at, now, policy: now - at <= policy.grace + 60)


@weakened_by(negative_ages_are_young)
def test_a15_clock_set_back_revives_no_old_ticket(site):
    """A ticket past its grace stays past it though the clock says that it was never replaced."""
    old = start(site)
    site.clock.advance(ROTATE + 1)
    new = site.ask(reads, old).cookie
    site.ask(reads, new)
    site.clock.advance(GRACE + 1 - HOUR)

    assert site.ask(who, old).json is None
    assert len(events_of(site, Replayed)) == 1


def polls(session):
    """Look at the session if there is one."""
    try:
        session.get("anything")
    except NotLoaded:
        return "no session here"
    return "polled"


def excluded_paths_are_served(patch):
    """Every path has a session."""
    for module in (asgi, wsgi):
        patch.setattr(module, "prefixes", lambda *_: ())


def idle_time_is_forgotten(patch):
    """Only the absolute time ends a session."""
    patch.setattr(Policy, "idle_for", lambda policy, **_: policy.absolute)
    patch.setattr(Policy, "lives", lambda policy, record, now, *_: record.live_at(now))


@weakened_by(excluded_paths_are_served, idle_time_is_forgotten, middleware={"exclude": ("/poll/",)})
def test_a16_polling_an_excluded_path_keeps_nothing_alive(site):
    """A page that polls a path without sessions idles out, and its polls ask the store nothing."""
    cookie = site.ask(logs_in).cookie
    with commands(site) as asked:
        replies = []
        for _ in range(IDLE // 300):
            site.clock.advance(300)
            replies.append(site.ask(polls, cookie, under="/poll"))

    assert {reply.json for reply in replies} == {"no session here"}
    assert {reply.set_cookie for reply in replies} == {None}
    assert asked == []
    assert site.ask(who, cookie).json is None


@weakened_by(absolute_time_is_forgotten, deadlines_follow_the_clock)
def test_a16_polling_all_day_ends_at_the_absolute_time(site):
    """A page that polls a path with sessions is logged out when the session is old enough."""
    cookie = site.ask(logs_in).cookie
    for now in accumulate([1_200] * (ABSOLUTE // 1_200 - 1)):
        site.clock.advance(1_200)
        reply = site.ask(who, cookie)
        cookie = reply.cookie or cookie
        assert reply.json == "alice", now
    site.clock.advance(1_200)

    assert site.ask(who, cookie).json is None


def polls_are_use(patch):
    """A request is a sign of life, whoever made it."""
    for module in (asgi, wsgi):
        patch.setattr(module, "prefixes", lambda *_: ())


def polls_that_write_are_use(patch):
    """A poll that changes something moves the clocks with it."""
    draft = save._draft

    def active(transaction, now, attempt):
        transaction.passive = False
        return draft(transaction, now, attempt)

    patch.setattr(save, "_draft", active)


def confirmations_are_use(patch):
    """The first request with a new ticket moves the clocks, also when it is a poll."""
    confirm = opening._confirm

    def active(transaction, record):
        transaction.passive = False
        return confirm(transaction, record)

    patch.setattr(opening, "_confirm", active)


@weakened_by(polls_are_use, polls_that_write_are_use, confirmations_are_use, middleware=POLLED)
def test_a16_passive_polls_keep_nothing_alive(site):
    """Polls that read, write or turn the ticket are served, and the session idles out as without.

    One that only resembles a poll's path is a sign of life.
    """
    cookie = start(site)
    due = site.sessions.sync.show(cookie[4:24]).expires
    for act in (who, puts(v=1), lambda session: session.rotate(), who, who):
        site.clock.advance(IDLE / 6)
        reply = site.ask(act, cookie, under="/poll")
        cookie = reply.cookie or cookie
        assert reply.status == 200
        assert site.sessions.sync.show(cookie[4:24]).expires == due
    assert site.ask(who, cookie, under="/poll").json == "alice"
    site.clock.advance(IDLE / 6)
    assert site.ask(who, cookie, under="/poll").json is None
    assert site.ask(who, cookie).json is None

    cookie = start(site)
    for _ in range(4):
        site.clock.advance(IDLE / 2)
        reply = site.ask(who, cookie, under="/polls")
        cookie = reply.cookie or cookie
        assert reply.json == "alice"


def locks_open_by_themselves(patch):
    """Who comes back to a locked session is at home."""
    patch.setattr(Policy, "is_locked", lambda policy, record, now, *_: False)


@weakened_by(
    polls_are_use,
    polls_that_write_are_use,
    locks_open_by_themselves,
    policy=Policy(idle=IDLE, lock=2 * HOUR),
    middleware=POLLED,
)
def test_a16_passive_polls_neither_put_off_a_lock_nor_open_it(site):
    """A session that is only polled locks on time, stays locked, and ends when it was to."""
    cookie = start(site)
    site.clock.advance(IDLE - 1)
    assert site.ask(puts(v=1), cookie, under="/poll").status == 200
    assert site.ask(who, cookie, under="/poll").json == "alice"
    site.clock.advance(1)
    for _ in range(12):
        for under in ("/poll", ""):
            assert site.ask(who, cookie, under=under).json is None
            assert site.ask(reads, cookie, under=under).json == {}
            assert site.ask(puts(v=2), cookie, under=under).set_cookie is None
        assert site.sessions.sync.show(cookie[4:24]).locked
        site.clock.advance(2 * HOUR / 12)
    assert site.sessions.sync.show(cookie[4:24]) is None
    assert site.of("alice") == []
