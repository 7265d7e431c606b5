"""What requests promise that turn no ticket, as a video player's, over any store."""

from collections.abc import Callable
from typing import Final

import pytest

from sessile.core.binding import Binding, OnMismatch
from sessile.core.policy import Policy, hours, minutes
from sessile.service import events
from sessile.stores.contract import Store
from sessile.testing.drive import Drive
from sessile.testing.promises.stale import (
    PATIENT,
    STALE,
    STRICT,
    comes_from_abroad,
    is_another_browser,
    turn,
)
from sessile.testing.promises.stories import Act, Stories, logs_in, puts, reads, rotates
from sessile.testing.step import interleavings
from sessile.testing.world import ABROAD, Reply, World

WARY: Final = Policy(binding=Binding(on_mismatch=OnMismatch.ROTATE))


def plays(world: World, ticket: str, act: Act = reads) -> Reply:
    """Make a request of a player, with the ticket that it keeps."""
    world.unrotated = True
    reply = world.ask(act, cookie=ticket)
    world.unrotated = False
    return reply


class UnrotatedRequests(Stories):
    """A copy of the cookie that is kept for hours is no theft where it is expected."""

    @pytest.mark.parametrize("act", [reads, rotates, puts(v=1)])
    def test_unrotated_request_turns_no_ticket(self, store: Store, drive: Drive, act: Act) -> None:
        """Though it is due, and whatever is asked for: the page's next request turns it."""
        world = self.world_with_login(store, drive)
        world.clock.advance(901)
        reply = plays(world, world.cookie, act)

        assert (reply.user, reply.set_cookie) == ("alice", None)
        assert not world.events_of(events.Rotated)
        assert world.ask(reads).set_cookie is not None

    @pytest.mark.parametrize("policy", [PATIENT, STRICT])
    @pytest.mark.parametrize("turns", [1, 2, 30])
    def test_unrotated_request_is_served_with_an_old_ticket(
        self, store: Store, drive: Drive, policy: Policy, turns: int
    ) -> None:
        """However often the page's has turned, it reads and writes, and is handed none."""
        world = self.world_with_login(store, drive, policy=policy)
        copy = world.cookie
        for _ in range(turns):
            turn(world, 2)
        world.clock.advance(hours(2))
        world.events.clear()
        replies = [plays(world, copy, act) for act in (reads, puts(v=1), rotates)]

        assert [(reply.user, reply.set_cookie) for reply in replies] == [("alice", None)] * 3
        assert world.values() == {"v": 1}
        assert {type(event) for event in world.events} <= {events.Rotated}  # by the page, at last

    def test_unrotated_request_takes_no_ticket_from_its_page(
        self, store: Store, drive: Drive
    ) -> None:
        """Where a page's answer was lost, or in the grace, the page is handed it and no other."""
        world = self.world_with_login(store, drive)
        old = world.cookie
        world.clock.advance(901)
        lost = world.ask(reads, cookie=old).cookie

        assert plays(world, old).set_cookie is None
        assert world.ask(reads, cookie=old).cookie == lost
        world.ask(reads, cookie=lost)
        assert plays(world, old).set_cookie is None
        assert world.ask(reads, cookie=old).cookie == lost

    @pytest.mark.parametrize("name", STALE)
    @pytest.mark.parametrize("becomes", [comes_from_abroad, is_another_browser])
    def test_unrotated_request_of_another_client_is_a_replay(
        self, store: Store, drive: Drive, name: str, becomes: Callable[[World], None]
    ) -> None:
        """An old ticket from elsewhere ends the session there as anywhere."""
        world = self.world_with_login(store, drive, policy=PATIENT)
        old = STALE[name](world)
        becomes(world)

        assert plays(world, old).user is None
        assert world.events_of(events.Replayed)

    def test_old_ticket_is_a_replay_where_tickets_turn(self, store: Store, drive: Drive) -> None:
        """What a player may show on its own path opens no other one."""
        world = self.world_with_login(store, drive, policy=PATIENT)
        copy = turn(world, minutes(2))
        world.clock.advance(hours(1))
        assert plays(world, copy).user == "alice"

        assert world.ask(reads, cookie=copy).user is None
        assert world.events_of(events.Replayed)

    def test_unrotated_login_is_handed_its_own_ticket(self, store: Store, drive: Drive) -> None:
        """A new session's ticket is no turn of an old one."""
        world = World(store, drive)
        first = plays(world, "", puts(v=1)).cookie
        second = plays(world, first, logs_in()).cookie

        assert world.ask(reads, cookie=second).result == {"v": 1}

    def test_unrotated_request_moves_no_client_that_is_to_be_turned(
        self, store: Store, drive: Drive
    ) -> None:
        """Under ``ROTATE`` another client waits for a request that can bring it the ticket."""
        world = self.world_with_login(store, drive, policy=WARY)
        world.peer = ABROAD

        assert plays(world, world.cookie).set_cookie is None
        assert world.ask(reads).set_cookie is not None

    def test_unrotated_request_gets_no_ticket_wherever_a_turn_falls(
        self, store: Store, drive: Drive
    ) -> None:
        """Its page turns the ticket while it writes."""

        def begin() -> tuple[World, World]:
            page = self.world_with_login(store, drive)
            player = World(store, drive, clock=page.clock)
            player.cookie, player.unrotated = page.cookie, True
            return player, page

        for met in interleavings(
            begin,
            lambda it: it[0].request(it[0].cookie, puts(v=1)),
            lambda it: it[1].request(it[1].cookie, rotates),
            drive=drive,
        ):
            assert met.a.get().set_cookie is None, met.stop
            assert met.b.get().set_cookie is not None, met.stop
