"""When a session is over: what a login says of its end, and what a late request is told."""

import pytest

from sessile import Policy
from sessile.core.flow import run
from sessile.service import events
from sessile.stores.memory import MemoryStore
from sessile.testing.world import World


def logs_in(session):
    session.login("alice")


def test_login_ends_when_its_identity_provider_says():
    """A session lives no longer than the login that a provider vouched for, and no later either."""
    world = World(MemoryStore(), run)
    world.ask(lambda s: s.login("alice", until=world.clock() + 60.0))
    world.clock.advance(59.0)
    before = world.ask(lambda s: s.user).result
    world.clock.advance(1.0)

    assert (before, world.ask(lambda s: s.user).result) == ("alice", None)
    world.ask(lambda s: s.login("alice", until=world.clock() + 1e9))
    assert world.ask(lambda s: s.info.ends - s.info.created).result == Policy().absolute


@pytest.mark.parametrize("ended", [True, False])
def test_late_request_tells_why_its_session_is_over(ended):
    """A request longer than the absolute time tells that its session is over, if it did not end."""
    world = World(MemoryStore(), run)
    world.ask(logs_in)

    def slow(session):
        if ended:
            world.sessions.sync.end_all("alice")
        world.clock.advance(13 * 3600.0)
        session["v"] = 1

    world.ask(slow)

    assert bool(world.events_of(events.Expired)) is not ended
    assert world.events_of(events.Dropped)


def test_late_step_up_revives_no_session():
    """A step-up that comes when the time of its session is over makes no new one."""
    world = World(MemoryStore(), run)
    world.ask(logs_in)

    def slow(session):
        world.clock.advance(13 * 3600.0)
        session["v"] = 1
        session.step_up("pay", factors=("totp",))

    reply = world.ask(slow)

    assert reply.set_cookie is None
    assert world.events_of(events.Expired)
    assert world.events_of(events.Dropped)
    assert world.ask(dict).user is None


def test_late_step_up_goes_on_past_the_idle_time():
    """A step-up in a request that took longer than the idle time is one of a live session."""
    world = World(MemoryStore(), run)
    world.ask(logs_in)

    def slow(session):
        world.clock.advance(1801.0)
        session.step_up("pay", factors=("totp",))

    world.ask(slow)

    assert not world.events_of(events.Expired)
    assert world.ask(lambda s: (s.user, s.factors)).result == ("alice", ("totp",))


@pytest.mark.parametrize("told", [True, False])
def test_late_step_up_revives_nothing_that_was_told_as_over(told):
    """Where another request was a visitor's meanwhile, the session stays over."""
    world = World(MemoryStore(), run)
    world.ask(logs_in)
    cookie = world.cookie

    def slow(session):
        world.clock.advance(1801.0)
        if told:
            assert world.ask(dict, cookie=cookie).user is None
        session.step_up("pay", factors=("totp",))

    world.ask(slow)

    assert bool(world.sessions.sync.of("alice")) is not told


def test_late_poll_is_no_sign_of_life():
    """A passive request that took longer than the idle time brings nothing back."""
    world = World(MemoryStore(), run)
    world.ask(logs_in)
    cookie = world.cookie

    def slow(session):
        world.clock.advance(1801.0)
        session["v"] = 1

    world.passive = True
    world.ask(slow)
    world.passive = False

    assert world.events_of(events.Dropped)
    assert world.ask(dict, cookie=cookie).user is None


def test_sweep_by_the_way_leaves_what_is_over_for_a_short_while():
    """The 64th new session sweeps nothing that a request under way may still save into."""
    world = World(MemoryStore(), run)
    world.ask(logs_in)

    def slow(session):
        world.clock.advance(1801.0)
        for _ in range(64):
            world.ask(lambda s: s.update(v=1), cookie="")
        session["v"] = 1

    world.ask(slow)

    assert not world.events_of(events.Dropped)


def test_step_up_goes_on_where_others_kept_its_session_alive():
    """A session that other requests of its browser used meanwhile is not over."""
    world = World(MemoryStore(), run)
    world.ask(logs_in)
    cookie = world.cookie

    def slow(session):
        for _ in range(2):
            world.clock.advance(1000.0)
            world.ask(dict)
        session.step_up("pay", factors=("totp",))

    world.ask(slow, cookie=cookie)

    assert not world.events_of(events.Expired)
    assert [event.purpose for event in world.events_of(events.SteppedUp)] == ["pay"]
    assert len(world.sessions.sync.of("alice")) == 1
