"""What step-up promises over any store: no ended session goes on, and limits hold.

``promises.grants`` has what a step-up allows.

Each race is stepped: one act is stopped before every act of I/O, and its rival runs there.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from sessile.core.flow import Flow
from sessile.core.policy import Policy, hours
from sessile.core.session import Session
from sessile.errors import LoginNeeded
from sessile.service import events
from sessile.service.manage import end, end_all, end_everybody
from sessile.service.sessions import context_of
from sessile.stores.contract import Capability, OnLimit, Store
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.promises.stories import (
    Act,
    Stories,
    logs_in,
    logs_out,
    puts,
    reads,
    steps_up,
    unlocks,
)
from sessile.testing.step import interleavings
from sessile.testing.world import World


def tries(act: Act) -> Act:
    """Handle a request that acts if it still finds its session."""

    def acts(session: Session) -> None:
        with suppress(LoginNeeded):
            act(session)

    return acts


async def end_first(world: World) -> Any:
    """End the session that is listed first, by its id."""
    context = context_of(world.sessions)
    if Capability.OWNERS not in context.store.capabilities:
        return await end(context, world.session_id)
    found = (await context.store.owned_by("alice")).records
    return bool(found) and await end(context, found[0].key)


ENDS: dict[str, Callable[[World], Flow[Any]]] = {
    "end": end_first,
    "end everybody": lambda world: end_everybody(context_of(world.sessions)),
    "logout": lambda world: world.request(world.cookie, logs_out),
}


def ends_all(world: World) -> Flow[Any]:
    """End every session of the user."""
    return end_all(context_of(world.sessions), "alice", None)


class Proofs(Stories):
    """A factor given once more is worth what was said, to one session."""

    def test_step_up_makes_a_new_session(self, store: Store, drive: Drive) -> None:
        """It has a new id and the values; the old ticket is dead."""
        world = World(store, drive)
        world.ask(puts(cart=["hat"]))
        world.ask(logs_in())
        (before,), old = world.of("alice"), world.cookie
        world.ask(lambda s: s.step_up(factors=("totp",), assurance=2))
        (after,) = world.of("alice")

        assert after.id != before.id
        assert world.ask(lambda s: (s.user, s.assurance, s.factors)).result == (
            "alice", 2, ("totp",),
        )  # fmt: skip
        assert world.values() == {"cart": ["hat"]}
        assert world.ask(reads, cookie=old).user is None
        assert len(world.events_of(events.SteppedUp)) == 1

    def test_step_up_moves_no_overall_clock(self, store: Store, drive: Drive) -> None:
        """However often the user steps up, the session ends when it would have."""
        policy = Policy(idle=hours(2), absolute=hours(3))
        world = self.world_with_login(store, drive, policy=policy)
        (before,) = world.of("alice")
        for _ in range(2):
            world.clock.advance(hours(1))
            world.ask(steps_up("pay"))
        (after,) = world.of("alice")
        world.clock.advance(hours(1))

        assert (after.created, after.ends) == (before.created, before.ends)
        assert world.ask(reads).user is None

    @pytest.mark.parametrize("ending", ENDS)
    @pytest.mark.parametrize("act", [steps_up("pay"), unlocks])
    def test_ended_session_goes_on_in_no_other(
        self, store: Store, drive: Drive, act: Act, ending: str
    ) -> None:
        """Wherever its end falls into a step-up or an unlocking, nothing lives once it is told."""
        self._check_end(store, drive, act, ENDS[ending], may_fail=ending == "logout")

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("act", [steps_up("pay"), unlocks])
    def test_session_that_ended_with_all_goes_on_in_no_other(
        self, store: Store, drive: Drive, act: Act
    ) -> None:
        """Nor does anything live where all of the user's sessions were ended meanwhile."""
        self._check_end(store, drive, act, ends_all)

    def _check_end(
        self,
        store: Store,
        drive: Drive,
        act: Act,
        ending: Callable[[World], Flow[Any]],
        *,
        may_fail: bool = False,
    ) -> None:
        for swapped in (False, True):
            for met in interleavings(
                lambda: self._world_that_waits(store, drive, act),
                *in_order(lambda world: world.request(world.cookie, tries(act)), ending, swapped),
                drive=drive,
            ):
                world, ended = met.world, (met.a if swapped else met.b)
                reply = ended.get()
                cookies = [world.cookie, *world.issued]
                living = {world.ask(reads, cookie=cookie).user for cookie in cookies} - {None}
                if may_fail and reply.set_cookie is None:
                    continue  # it came with the ticket of before, and ended nothing
                assert living == set(), (met.stop, swapped)
                assert world.of("alice") == [], (met.stop, swapped)

    def _world_that_waits(self, store: Store, drive: Drive, act: Act) -> World:
        """Return a world whose session can be stepped up, or unlocked; nobody else's is there."""
        world = self.world_with_one_session(store, drive, Policy(idle=600.0, lock=hours(1)))
        world.clock.advance(600 if act is unlocks else 0)
        world.issued.clear()
        return world

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("on_limit", list(OnLimit))
    def test_rival_step_ups_leave_one_session(
        self, store: Store, drive: Drive, on_limit: OnLimit
    ) -> None:
        """A form sent twice at a limit of one logs nobody out, and neither is an error."""
        step = tries(steps_up("pay"))
        for met in interleavings(
            lambda: self.world_with_one_session(store, drive, Policy(limit=1, on_limit=on_limit)),
            lambda world: world.request(world.cookie, step),
            lambda world: world.request(world.cookie, step),
            drive=drive,
        ):
            cookies = [reply.get().set_cookie for reply in (met.a, met.b)]
            living = [c for c in cookies if c and met.world.ask(reads, cookie=c).user]
            assert len(living) == 1, met.stop

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("on_limit", list(OnLimit))
    @pytest.mark.parametrize("swapped", [True, False])
    def test_limit_holds_beside_a_step_up(
        self, store: Store, drive: Drive, on_limit: OnLimit, *, swapped: bool
    ) -> None:
        """Wherever a login, here or elsewhere, falls into a step-up, one session is left."""
        for here in (True, False):
            for met in interleavings(
                lambda: self.world_with_one_session(
                    store, drive, Policy(limit=1, on_limit=on_limit)
                ),
                *in_order(
                    lambda world: world.request(world.cookie, tries(steps_up("pay"))),
                    _logs_in_here if here else _logs_in_elsewhere,
                    swapped,
                ),
                drive=drive,
            ):
                for outcome in (met.a, met.b):
                    assert outcome.error is None or on_limit is OnLimit.REFUSE, met.stop
                assert len(met.world.of("alice")) == 1, (met.stop, here)


def _logs_in_here(world: World) -> Flow[Any]:
    return world.request(world.cookie, logs_in())


def _logs_in_elsewhere(world: World) -> Flow[Any]:
    return world.request("", logs_in())


def in_order(
    one: Callable[[World], Flow[Any]], other: Callable[[World], Flow[Any]], swapped: bool
) -> tuple[Callable[[World], Flow[Any]], Callable[[World], Flow[Any]]]:
    """Return two flows in this order, or the other way round."""
    return (other, one) if swapped else (one, other)
