"""What binding promises of a client with an address of IPv4 and one of IPv6, over any store.

Browsers take now the one and now the other (RFC 8305), and so would a thief: where two places come
with one ticket, they are one client's for as long as that ticket is current, and no longer.
"""

from typing import Final

import pytest

from sessile.core.binding import OnMismatch
from sessile.core.policy import Policy
from sessile.service import events
from sessile.stores.contract import Store
from sessile.testing.drive import Drive
from sessile.testing.promises.bindings import CHROME, binding_policy, looks, words
from sessile.testing.promises.stories import (
    Act,
    Stories,
    logs_in,
    puts,
    reads,
    rotates,
    steps_up,
    unlocks,
)
from sessile.testing.step import Stepped
from sessile.testing.world import ABROAD, HOME, World

IPV6: Final = "2001:db8:0:1::1"
IPV6_NEARBY: Final = "2001:db8:0:1::2"


class TwoAddresses(Stories):
    """A client that alternates is told once; a thief at the other family is found out as before."""

    def at_home(self, store: Store, drive: Drive, mismatch: OnMismatch) -> World:
        """Return a world whose owner is logged in at home, with something in the session."""
        world = self.world_with_login(store, drive, policy=binding_policy(mismatch))
        world.ask(puts(cart=["hat"]))
        return world

    @pytest.mark.parametrize("mismatch", [OnMismatch.RECORD, OnMismatch.ROTATE])
    def test_second_face_of_a_client_is_told_once(
        self, store: Store, drive: Drive, mismatch: OnMismatch
    ) -> None:
        """A browser that alternates between the families is told, and written down, once."""
        world = self.at_home(store, drive, mismatch)
        version = world.of("alice")[0].version
        replies = [world.ask(reads, peer=peer) for peer in (IPV6, HOME) * 25]

        assert {reply.user for reply in replies} == {"alice"}
        assert len(world.events_of(events.Mismatched)) == 1
        assert words(world) == ["login", "another client"]
        assert world.of("alice")[0].version - version == (
            1 if mismatch is OnMismatch.RECORD else 2  # that the turned ticket was shown
        )
        turned = sum(reply.set_cookie is not None for reply in replies)
        assert turned == (mismatch is OnMismatch.ROTATE)

    def test_second_face_is_written_down_with_the_next_save(
        self, store: Store, drive: Drive
    ) -> None:
        """The list of devices shows where the client was last; neither place is a new one."""
        world = self.at_home(store, drive, OnMismatch.RECORD)
        for peer in (IPV6, HOME, IPV6_NEARBY):
            world.ask(puts(v=peer), peer=peer)
            assert world.of("alice")[0].address == peer

        assert len(world.events_of(events.Mismatched)) == 1

    @pytest.mark.parametrize("peer", [ABROAD, "2001:db8:9::1"])
    @pytest.mark.parametrize("first", [HOME, IPV6])
    def test_third_place_is_another_client(
        self, store: Store, drive: Drive, first: str, peer: str
    ) -> None:
        """A session knows one place of each family; it moves into any other, and tells so."""
        world = self.at_home(store, drive, OnMismatch.RECORD)
        world.ask(reads, peer=IPV6)
        world.ask(puts(v=1), peer=first)
        assert len(world.events_of(events.Mismatched)) == 1
        world.ask(reads, peer=peer)

        assert len(world.events_of(events.Mismatched)) == 2

    def test_other_browser_at_the_second_address_is_another_client(
        self, store: Store, drive: Drive
    ) -> None:
        """The address is not enough where the browser counts."""
        world = self.at_home(store, drive, OnMismatch.RECORD)
        world.ask(reads, peer=IPV6)
        world.agent = CHROME
        world.ask(reads, peer=HOME)

        assert len(world.events_of(events.Mismatched)) == 2

    @pytest.mark.parametrize("proves", [unlocks, logs_in()])
    def test_second_face_proves_once(self, store: Store, drive: Drive, proves: Act) -> None:
        """Where a new place is asked for a factor, both are at peace after it."""
        world = self.at_home(store, drive, OnMismatch.STEP_UP)
        assert world.ask(reads, peer=IPV6).user is None
        world.ask(proves, peer=IPV6)
        replies = [world.ask(looks, peer=peer) for peer in (HOME, IPV6, HOME, IPV6)]

        assert [reply.result for reply in replies] == [({"cart": ["hat"]}, None, "alice")] * 4
        assert len(world.events_of(events.Mismatched)) == 1

    @pytest.mark.parametrize("mismatch", [OnMismatch.RECORD, OnMismatch.ROTATE])
    @pytest.mark.parametrize("thief_first", [True, False])
    @pytest.mark.parametrize("late", [30.0, 91.0])
    def test_thief_at_the_other_family_shows_when_the_ticket_turns(
        self, store: Store, drive: Drive, mismatch: OnMismatch, thief_first: bool, late: float
    ) -> None:
        """A place that came while a ticket was current is no excuse for an old copy of it.

        It is handed nothing within the grace, and ends the session beyond it.
        """
        world = self.at_home(store, drive, mismatch)
        came = world.ask(reads, cookie=world.cookie, peer=IPV6)
        holders = {IPV6: came.cookie if came.set_cookie else world.cookie, HOME: world.cookie}
        turns, other = (
            (IPV6, HOME) if thief_first or mismatch is OnMismatch.ROTATE else (HOME, IPV6)
        )
        if mismatch is OnMismatch.RECORD:
            world.clock.advance(120)
            holders[turns] = world.ask(rotates, cookie=holders[turns], peer=turns).cookie
        world.ask(reads, cookie=holders[turns], peer=turns)
        world.clock.advance(late)
        came = world.ask(reads, cookie=holders[other], peer=other)

        assert came.set_cookie is None or came.user is None
        assert len(world.events_of(events.Mismatched)) == 1
        if late > 90:
            assert world.events_of(events.Replayed)
            assert world.ask(reads, cookie=holders[turns], peer=turns).user is None

    def test_killed_browser_is_known_by_its_second_face(self, store: Store, drive: Drive) -> None:
        """Two tickets after a place was told it is the client's own like the first."""
        world = self.at_home(store, drive, OnMismatch.RECORD)
        world.ask(reads, peer=IPV6)
        for peer in (HOME, IPV6):
            world.clock.advance(901)
            world.ask(reads, peer=peer)
            world.ask(reads, peer=peer)
        old = world.cookie
        world.clock.advance(901)
        current = world.ask(reads, cookie=old, peer=IPV6).cookie
        world.ask(reads, cookie=current, peer=IPV6)
        world.clock.advance(300)

        assert world.ask(reads, cookie=old, peer=HOME).cookie == current

    def test_servers_whose_clocks_differ_vouch_for_no_place_too_early(
        self, store: Store, drive: Drive
    ) -> None:
        """By the slowest clock a place may have come while the ticket was current."""
        world = self.at_home(store, drive, OnMismatch.RECORD)
        world.ask(reads, peer=IPV6)
        world.clock.advance(Policy().clock_skew - 1)
        for peer in (HOME, HOME, IPV6, IPV6):
            old, _ = world.cookie, world.ask(rotates, peer=peer)
            world.ask(reads, peer=peer)

        assert world.ask(reads, cookie=old, peer=HOME).set_cookie is None

    def test_request_in_flight_from_the_second_face_is_handed_nothing(
        self, store: Store, drive: Drive
    ) -> None:
        """A thief who writes while the victim's ticket turns does not get the next one with it."""
        world = self.at_home(store, drive, OnMismatch.RECORD)
        world.ask(reads, cookie=world.cookie, peer=IPV6)
        stolen = Stepped(world.request(world.cookie, puts(v=1), peer=IPV6), drive)
        stolen.step()
        for act in (rotates, reads):
            world.ask(act)

        assert stolen.finish().get().set_cookie is None
        assert world.values() == {"cart": ["hat"], "v": 1}

    def test_thiefs_place_is_not_taken_along_by_a_step_up(self, store: Store, drive: Drive) -> None:
        """What the owner proves at home vouches for no place that came shortly before."""
        world = self.at_home(store, drive, OnMismatch.RECORD)
        stolen = Stepped(world.request(world.cookie, puts(ship_to="thief"), peer=IPV6), drive)
        world.ask(reads, cookie=world.cookie, peer=IPV6)
        stolen.step()
        risen = world.ask(steps_up()).cookie
        stolen.finish()

        assert world.values(risen) == {"cart": ["hat"]}
