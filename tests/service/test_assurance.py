"""Whose a session is, and how well that was proven: the verbs say it, and nothing else."""

import pytest

from sessile.core.flow import run
from sessile.core.policy import Policy, hours, minutes
from sessile.core.require import require
from sessile.errors import ConfigError, LoginNeeded, StepUpNeeded
from sessile.stores.memory import MemoryStore
from sessile.testing.world import World

NAMES = (
    "user", "owner", "assurance", "factors", "authenticated_at", "pending", "grants", "granted",
    "lock", "_user", "_user_id", "_auth_user_id", "record", "persistent",
)  # fmt: skip


def identity(session):
    """Handle a request that looks at everything that is said of its user."""
    return session.user, session.assurance, session.factors, session.has_grant("pay")


def puzzles(session):
    """Handle a request that fills the session with what other libraries keep an identity in."""
    session.update(dict.fromkeys(NAMES, "mallory"), assurance=3, grants={"pay": 1e10})


@pytest.mark.parametrize("begin", [lambda _: None, lambda s: s.begin_login("alice")])
def test_no_value_is_a_login(begin):
    """Whatever a visitor's session holds, or that of half a login, nobody is logged in.

    Unless it is where other code says who is: ``Sessions(principal=...)``.
    """
    world = World(MemoryStore(), run, principal=None)
    world.ask(begin)
    world.ask(puzzles)

    assert world.values()["user"] == "mallory"
    assert world.ask(identity).result == (None, 0, (), False)
    with pytest.raises(LoginNeeded):
        world.ask(require)


def test_no_value_raises_an_assurance():
    """What a user's session holds changes neither whose it is nor what it may do."""
    world = World(MemoryStore(), run)
    world.ask(lambda s: s.login("alice", factors=("password",)))
    world.ask(puzzles)

    assert world.ask(identity).result == ("alice", 1, ("password",), False)
    with pytest.raises(StepUpNeeded):
        world.ask(lambda s: require(s, assurance=2))


def test_login_that_a_provider_saw_long_ago_is_not_fresh():
    """Whoever an identity provider let in an hour ago has to prove it anew where that is asked."""
    world = World(MemoryStore(), run)
    seen = world.clock() - hours(1)
    world.ask(lambda s: s.login("alice", authenticated_at=seen))

    assert world.ask(require).result == "alice"
    with pytest.raises(StepUpNeeded):
        world.ask(lambda s: require(s, fresh=minutes(5)))
    world.ask(lambda s: s.login("alice"))
    assert world.ask(lambda s: require(s, fresh=minutes(5))).result == "alice"


def test_login_anew_ends_the_old_ticket_and_starts_both_clocks():
    """Who logs in again has a new session with all of its time, and the old one is dead."""
    world = World(MemoryStore(), run, policy=Policy(idle=hours(2), absolute=hours(3)))
    world.ask(lambda s: s.login("alice"))
    old = world.cookie
    world.clock.advance(hours(1))
    world.ask(lambda s: s.login("alice"))
    (info,) = world.sessions.sync.of("alice")

    assert (info.expires, info.ends) == (world.clock() + hours(2), world.clock() + hours(3))
    assert world.ask(lambda s: s.user, cookie=old).result is None
    assert world.ask(lambda s: s.user).result == "alice"


@pytest.mark.parametrize("preset", [Policy.aal1, Policy.aal2, Policy.aal3])
def test_level_remembers_nobody(preset):
    """Where a level is claimed no ticket outlives its browser: such a login is an error."""
    world = World(MemoryStore(), run, policy=preset())

    with pytest.raises(ConfigError, match="leave remember out"):
        world.ask(lambda s: s.login("alice", remember=True))
    assert world.sessions.sync.of("alice") == []
