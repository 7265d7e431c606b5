"""What the grants of a step-up promise over any store: spent once, and never by a dead session.

Each race is stepped: one act is stopped before every act of I/O, and its rival runs there.
"""

from collections.abc import Callable
from typing import Any

import pytest

from sessile.core.flow import Flow
from sessile.core.policy import Policy, hours
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.errors import LoginNeeded, StepUpNeeded
from sessile.service import events
from sessile.service.open import open_transaction
from sessile.service.require import use_grant
from sessile.service.sessions import context_of
from sessile.stores.contract import Capability, Store
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.promises.proofs import ENDS, ends_all, in_order
from sessile.testing.promises.stories import (
    CROWD,
    Act,
    Stories,
    logs_in,
    puts,
    reads,
    rotates,
    steps_up,
    unlocks,
)
from sessile.testing.step import Outcome, interleavings
from sessile.testing.world import FIREFOX, HOME, World


async def spend(world: World, purpose: str = "pay", cookie: str | None = None) -> None:
    """Make a request that spends a grant and saves nothing, as a flow."""
    sent = world.cookie if cookie is None else cookie
    request = PlainRequest({"cookie": sent, "user-agent": FIREFOX}, peer=HOME)
    context = context_of(world.sessions)
    transaction = await open_transaction(context, request)
    await use_grant(context, Session(transaction.state), purpose)


def was_spent(outcome: Outcome[Any]) -> bool:
    """Tell whether a grant was spent; whatever else went wrong is an error."""
    if isinstance(outcome.error, StepUpNeeded):
        return False
    outcome.get()
    return True


class Grants(Stories):
    """What a step-up allows is allowed to one session, once, and for its purpose."""

    def world_with_grant(self, store: Store, drive: Drive, *purposes: str) -> World:
        """Return a world whose user stepped up for those purposes."""
        world = self.world_with_login(store, drive)
        for purpose in purposes or ("pay",):
            world.ask(steps_up(purpose))
        return world

    def test_grant_is_spent_once(self, store: Store, drive: Drive) -> None:
        """What a step-up allows is allowed once, and an event tells of it."""
        world = self.world_with_grant(store, drive)
        assert world.ask(lambda session: session.has_grant("pay")).result is True
        drive(spend(world))

        assert world.ask(lambda session: session.has_grant("pay")).result is False
        with pytest.raises(StepUpNeeded):
            drive(spend(world))
        assert len(world.events_of(events.GrantUsed)) == 1

    def test_of_two_spends_one_wins(self, store: Store, drive: Drive) -> None:
        """Wherever one request that spends falls into another, exactly one has spent."""
        for met in interleavings(
            lambda: self.world_with_grant(store, drive), spend, spend, drive=drive
        ):
            assert [was_spent(met.a), was_spent(met.b)].count(True) == 1, met.stop

    def test_crowd_spends_once(self, store: Store, drive: Drive) -> None:
        """Of many at once exactly one has spent."""
        world = self.world_with_grant(store, drive)
        done = drive.together(spend(world) for _ in range(CROWD))

        assert [None if it is None else type(it) for it in done].count(None) == 1
        assert [type(it) for it in done].count(StepUpNeeded) == CROWD - 1

    @pytest.mark.parametrize("act", [puts(v=1), rotates, reads])
    def test_grant_is_spent_beside_other_changes(
        self, store: Store, drive: Drive, act: Act
    ) -> None:
        """A rival that saves or rotates neither stops a spending nor brings the grant back."""
        for swapped in (False, True):
            for met in interleavings(
                lambda: self.world_with_grant(store, drive),
                *in_order(spend, lambda world: world.request(world.cookie, act), swapped),
                drive=drive,
            ):
                met.a.get(), met.b.get()
                world = met.world
                world.cookie = world.issued[-1]
                assert not world.ask(lambda session: session.has_grant("pay")).result, met.stop

    def test_grant_is_for_its_purpose(self, store: Store, drive: Drive) -> None:
        """What was allowed for one purpose allows no other; two purposes stand side by side."""
        world = self.world_with_grant(store, drive, "pay", "delete")
        with pytest.raises(StepUpNeeded):
            drive(spend(world, "rename"))
        drive(spend(world, "delete"))

        drive(spend(world, "pay"))

    def test_grant_runs_out(self, store: Store, drive: Drive) -> None:
        """After its time it is worth nothing."""
        world = self.world_with_grant(store, drive)
        world.clock.advance(300)

        assert world.ask(lambda session: session.has_grant("pay")).result is False
        with pytest.raises(StepUpNeeded):
            drive(spend(world))

    @pytest.mark.parametrize("ending", ENDS)
    def test_grant_ends_with_its_session(self, store: Store, drive: Drive, ending: str) -> None:
        """After a logout or an end from elsewhere nothing is spent, whatever was opened before."""
        self._check_grant_ends(store, drive, ENDS[ending])

    @needs(Capability.OWNERS)
    def test_grant_ends_with_all_sessions(self, store: Store, drive: Drive) -> None:
        """Nor is it where all of the user's sessions were ended."""
        self._check_grant_ends(store, drive, ends_all)

    def _check_grant_ends(
        self, store: Store, drive: Drive, ending: Callable[[World], Flow[Any]]
    ) -> None:
        for met in interleavings(
            lambda: self._world_with_one_grant(store, drive), spend, ending, drive=drive
        ):
            met.b.get()
            in_flight = bool(met.world.events_of(events.GrantUsed))
            assert was_spent(met.a) is in_flight, met.stop
            with pytest.raises(StepUpNeeded):
                drive(spend(met.world))

    def _world_with_one_grant(self, store: Store, drive: Drive) -> World:
        world = self.world_with_one_session(store, drive)
        world.ask(steps_up("pay"))
        return world

    @pytest.mark.parametrize("lock", [None, hours(2)])
    def test_grant_is_not_spent_past_the_idle_time(
        self, store: Store, drive: Drive, lock: float | None
    ) -> None:
        """A session that ended or locked while it was in hand spends nothing."""
        world = self.world_with_login(store, drive, policy=Policy(lock=lock))
        world.ask(lambda s: s.step_up("pay", factors=("totp",), lasts=hours(3)))

        async def slow(session_of: World) -> None:
            request = PlainRequest({"cookie": session_of.cookie, "user-agent": FIREFOX}, peer=HOME)
            context = context_of(session_of.sessions)
            transaction = await open_transaction(context, request)
            session_of.clock.advance(hours(1))
            await use_grant(context, Session(transaction.state), "pay")

        with pytest.raises(StepUpNeeded):
            drive(slow(world))

    def test_grant_is_its_sessions_alone(self, store: Store, drive: Drive) -> None:
        """Neither the user's other session nor another user has it, nor a login of the same one."""
        world = self.world_with_grant(store, drive)
        for user in ("alice", "bob"):
            other = world.ask(logs_in(user), cookie="").cookie
            with pytest.raises(StepUpNeeded):
                drive(spend(world, cookie=other))
        world.ask(logs_in("alice"))

        with pytest.raises(StepUpNeeded):
            drive(spend(world))

    def test_spent_grant_does_not_come_back(self, store: Store, drive: Drive) -> None:
        """A step-up for another purpose carries over what is unspent, not what a rival spent."""
        for swapped in (False, True):
            for met in interleavings(
                lambda: self.world_with_grant(store, drive),
                *in_order(
                    spend, lambda world: world.request(world.cookie, steps_up("delete")), swapped
                ),
                drive=drive,
            ):
                world, spender = met.world, (met.b if swapped else met.a)
                world.cookie = world.issued[-1]
                left = world.ask(lambda s: (s.has_grant("pay"), s.has_grant("delete"))).result
                assert left == (not was_spent(spender), True), (met.stop, swapped)

    def test_line_of_a_rival_moves_over(self, store: Store, drive: Drive) -> None:
        """What a request added to the trail before a step-up is there after it."""

        def notes(session: Session) -> None:
            session.note("changed the password")

        for met in interleavings(
            lambda: self.world_with_one_session(store, drive),
            lambda world: world.request(world.cookie, steps_up("pay")),
            lambda world: world.request(world.cookie, notes),
            drive=drive,
        ):
            (info,) = met.world.of("alice")
            lines = [line.what for line in info.trail]
            in_time = met.b.get().user is not None
            assert lines.count("changed the password") == in_time, met.stop
            assert [line for line in lines if "password" not in line] == ["login", "step up"]

    def test_locked_session_spends_nothing(self, store: Store, drive: Drive) -> None:
        """A grant waits while its session is locked, and cannot be used."""
        world = self.world_with_login(store, drive, policy=Policy(lock=hours(2)))
        world.ask(lambda s: s.step_up("pay", factors=("totp",), lasts=hours(2)))
        world.clock.advance(hours(0.5))
        with pytest.raises(StepUpNeeded):
            drive(spend(world))
        with pytest.raises(LoginNeeded):
            world.ask(steps_up("pay"))
        world.ask(unlocks)

        drive(spend(world))

    def test_half_finished_login_spends_nothing(self, store: Store, drive: Drive) -> None:
        """Not even a grant that its browser's session had before."""
        world = self.world_with_grant(store, drive)

        def begins(session: Session) -> None:
            session.begin_login("alice", factors=("password",))

        world.ask(begins)

        with pytest.raises(StepUpNeeded):
            drive(spend(world))
