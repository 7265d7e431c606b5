"""What idle-locked sessions and half-finished logins promise over any store: they are nobody's."""

import pytest

from sessile.core.identity import Lock
from sessile.core.policy import Policy, hours, minutes
from sessile.core.require import require
from sessile.core.session import Session
from sessile.errors import LoginNeeded
from sessile.service import events
from sessile.stores.contract import Store
from sessile.testing.drive import Drive
from sessile.testing.promises.stories import (
    Act,
    Stories,
    logs_in,
    logs_out,
    puts,
    reads,
    rotates,
    steps_up,
    unlocks,
)
from sessile.testing.world import ABROAD, HOME, World

LOCKING = Policy(idle=minutes(30), lock=hours(4))


def begins(user: str = "alice") -> Act:
    """Handle a request in which a first factor is given."""
    return lambda session: session.begin_login(user, factors=("password",))


def finishes(session: Session) -> None:
    """Handle a request in which the second factor is given."""
    session.finish_login(factors=("totp",))


def checks(session: Session) -> bool:
    """Handle a request that asks whether anybody is logged in."""
    try:
        require(session)
    except LoginNeeded:
        return False
    return True


class Locks(Stories):
    """An idle session waits for one factor; a half-finished login waits for the other."""

    def world_with_lock(self, store: Store, drive: Drive, policy: Policy = LOCKING) -> World:
        """Return a world whose session is locked."""
        world = World(store, drive, policy=policy)
        world.ask(puts(cart=["hat"]))
        world.ask(lambda session: session.login("alice", assurance=2, factors=("key",)))
        world.clock.advance(policy.idle)
        return world

    # Idle

    @pytest.mark.parametrize("policy", [LOCKING, Policy.aal1(lock=hours(1)), Policy.aal2()])
    def test_idle_session_locks(self, store: Store, drive: Drive, policy: Policy) -> None:
        """After the idle time it is nobody's and shows nothing, but knows whom to ask."""
        world = self.world_with_lock(store, drive, policy)
        seen = world.ask(lambda s: (s.user, s.lock, s.locked_user, s.assurance, dict(s)))

        assert seen.result == (None, Lock.IDLE, "alice", 0, {})
        assert world.ask(checks).result is False
        assert [type(event) for event in world.events[-2:]] == [events.Locked] * 2

    def test_session_locks_at_its_idle_time(self, store: Store, drive: Drive) -> None:
        """Until just before it was idle for that long it opens as ever."""
        world = self.world_with_lock(store, drive)
        world.clock.advance(-1)

        assert world.ask(reads).user == "alice"

    @pytest.mark.parametrize("act", [puts(cart=["bomb"]), rotates])
    def test_locked_session_takes_nothing(self, store: Store, drive: Drive, act: Act) -> None:
        """What is set in a locked session is dropped, and the ticket stays."""
        world = self.world_with_lock(store, drive)
        assert world.ask(act).set_cookie is None
        world.ask(unlocks)

        assert world.values() == {"cart": ["hat"]}
        assert bool(world.events_of(events.Dropped)) is (act is not rotates)

    def test_unlocked_session_goes_on(self, store: Store, drive: Drive) -> None:
        """One factor restores it: a new id, the old ticket dead, all else as it was."""
        world = self.world_with_lock(store, drive)
        (before,) = world.of("alice")
        old = world.cookie
        world.ask(unlocks)
        (after,) = world.of("alice")

        assert before.locked
        assert not after.locked
        assert after.id != before.id
        assert (after.created, after.ends) == (before.created, before.ends)
        assert (after.assurance, world.ask(lambda s: s.factors).result) == (2, ("key",))
        assert world.values() == {"cart": ["hat"]}
        assert world.ask(reads, cookie=old).user is None
        assert world.events_of(events.Reopened)

    def test_unlocked_session_is_not_fresh(self, store: Store, drive: Drive) -> None:
        """Opening a lock is no login: since when the user is logged in stays as it was."""
        world = self.world_with_lock(store, drive)
        world.ask(unlocks)

        login = world.clock() - LOCKING.idle
        assert world.ask(lambda session: session.authenticated_at).result == login

    def test_lock_runs_out(self, store: Store, drive: Drive) -> None:
        """A session that stayed locked for the lock's time is over, and cannot be opened."""
        world = self.world_with_lock(store, drive)
        world.clock.advance(hours(4))

        assert world.ask(lambda session: session.lock).result is None
        with pytest.raises(LoginNeeded):
            world.ask(unlocks)
        assert world.of("alice") == []

    @pytest.mark.parametrize("act", [reads, puts(v=1), rotates])
    def test_polling_revives_no_locked_session(self, store: Store, drive: Drive, act: Act) -> None:
        """Requests that come while it is locked neither open it nor make it last longer."""
        world = self.world_with_lock(store, drive)
        for _ in range(23):
            assert world.ask(act).user is None
            world.clock.advance(minutes(10))
        assert world.ask(lambda session: session.lock).result is Lock.IDLE
        world.clock.advance(minutes(10))

        assert world.ask(lambda session: session.lock).result is None

    @pytest.mark.parametrize("act", [reads, puts(v=1), rotates])
    def test_passive_requests_extend_nothing(self, store: Store, drive: Drive, act: Act) -> None:
        """A page that polls by itself saves what it has to and keeps nobody logged in."""
        world = self.world_with_login(store, drive)
        world.passive = True
        for _ in range(3):
            world.clock.advance(minutes(9))
            assert world.ask(act).user == "alice"
        world.clock.advance(minutes(3))

        assert world.ask(act).user is None

    def test_strictest_level_has_no_lock(self, store: Store, drive: Drive) -> None:
        """At AAL3 a session that was idle for a quarter of an hour is over."""
        world = self.world_with_lock(store, drive, Policy.aal3())

        assert world.ask(lambda session: (session.user, session.lock)).result == (None, None)
        with pytest.raises(LoginNeeded):
            world.ask(unlocks)

    def test_anonymous_session_is_not_locked(self, store: Store, drive: Drive) -> None:
        """A visitor's idle session has nobody to open it, so it ends."""
        world = World(store, drive, policy=LOCKING)
        world.ask(puts(cart=["hat"]))
        world.clock.advance(LOCKING.idle)

        assert world.ask(lambda session: (session.new, session.lock)).result == (True, None)

    def test_locked_session_moves_nowhere(self, store: Store, drive: Drive) -> None:
        """A request from elsewhere finds it locked, which is told; its client stays as it was."""
        world = self.world_with_lock(store, drive)
        for _ in range(2):
            assert world.ask(reads, peer=ABROAD).user is None
        (info,) = world.of("alice")

        assert info.address == HOME
        assert world.events_of(events.Mismatched) == []

    def test_locked_session_can_be_logged_out(self, store: Store, drive: Drive) -> None:
        """Ending it takes no factor."""
        world = self.world_with_lock(store, drive)
        world.ask(logs_out)

        assert world.of("alice") == []

    def test_locked_session_gives_another_user_nothing(self, store: Store, drive: Drive) -> None:
        """Whoever logs in over somebody else's locked session finds none of their values."""
        world = self.world_with_lock(store, drive)
        world.ask(logs_in("bob"))

        assert world.ask(reads).user == "bob"
        assert world.values() == {}

    # Half-finished logins

    def test_half_finished_login_is_nobody(self, store: Store, drive: Drive) -> None:
        """To every check nobody is logged in; the session is a new one, and the old one is dead."""
        world = World(store, drive)
        world.ask(puts(cart=["hat"]))
        old = world.cookie
        world.ask(begins())
        seen = world.ask(lambda s: (s.user, s.assurance, s.authenticated_at, s.factors))

        assert seen.result == (None, 0, None, ())
        assert world.ask(checks).result is False
        assert world.ask(lambda s: s.pending and s.pending.user).result == "alice"
        assert world.values() == {"cart": ["hat"]}
        assert world.values(old) == {}
        assert world.of("alice") == []

    def test_finished_login_has_all_factors(self, store: Store, drive: Drive) -> None:
        """What was given first and last counts together, under another new id."""
        world = World(store, drive)
        world.ask(puts(cart=["hat"]))
        world.ask(begins())
        half = world.cookie
        world.ask(finishes)
        seen = world.ask(lambda s: (s.user, s.assurance, s.factors, s.pending, dict(s)))

        assert seen.result == ("alice", 2, ("password", "totp"), None, {"cart": ["hat"]})
        assert world.ask(reads, cookie=half).user is None
        assert len(world.events_of(events.LoginBegun)) == len(world.events_of(events.LoggedIn)) == 1

    def test_half_finished_login_expires(self, store: Store, drive: Drive) -> None:
        """After its time the second factor comes too late; the visitor goes on as one."""
        world = World(store, drive)
        world.ask(begins())
        world.clock.advance(600)

        assert world.ask(lambda session: session.pending).result is None
        with pytest.raises(LoginNeeded):
            world.ask(finishes)

    @pytest.mark.parametrize("act", [steps_up(), steps_up("pay"), unlocks])
    def test_half_finished_login_proves_nothing_more(
        self, store: Store, drive: Drive, act: Act
    ) -> None:
        """It is neither stepped up nor unlocked."""
        world = World(store, drive)
        world.ask(begins())

        with pytest.raises(LoginNeeded):
            world.ask(act)

    def test_beginning_a_login_ends_the_one_before(self, store: Store, drive: Drive) -> None:
        """Whoever was logged in is so no more, and leaves nothing behind."""
        world = World(store, drive)
        world.ask(logs_in("bob"))
        world.ask(puts(secret=1))
        before = world.cookie
        world.ask(begins())

        assert world.ask(reads, cookie=before).user is None
        assert world.of("bob") == []
        assert world.values() == {}
