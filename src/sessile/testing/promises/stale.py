"""What stale tickets promise over any store: the honest are served, and thieves still show.

``promises.tickets`` has the ratchet itself, ``promises.thefts`` what a replay comes to.
"""

from collections.abc import Callable
from typing import Final

import pytest

from sessile.core.policy import Policy, hours, minutes
from sessile.core.session import Session
from sessile.service import events
from sessile.stores.contract import Store
from sessile.testing.drive import Drive
from sessile.testing.promises.bindings import CHROME
from sessile.testing.promises.stories import (
    Act,
    Stories,
    costs,
    logs_in,
    logs_out,
    puts,
    reads,
    rotates,
)
from sessile.testing.step import interleavings
from sessile.testing.world import ABROAD, HOME, World

PATIENT: Final = Policy(idle=hours(11))  # so that nothing else ends a session meanwhile
STRICT: Final = Policy(idle=hours(11), stale=None)


def turn(world: World, used: float) -> str:
    """Turn the ticket, and use the new one for so long; return the old one."""
    old = world.cookie
    world.clock.advance(901)
    world.ask(reads)
    world.ask(reads)
    world.clock.advance(used)
    world.ask(reads)
    return old


def kill(world: World, waits: float = minutes(3)) -> str:
    """Return the ticket that a browser holds which was killed a moment after a turn."""
    old = turn(world, 2)
    world.clock.advance(waits)
    return old


def hold_back(world: World) -> str:
    """Return the ticket of a request that a proxy has held back for a while."""
    old = turn(world, minutes(2))
    world.clock.advance(minutes(3))
    return old


def hold_back_long(world: World) -> str:
    """Return the ticket of one that three turns overtook."""
    old = turn(world, minutes(2))
    turn(world, minutes(2))
    turn(world, minutes(2))
    return old


STALE: Final[dict[str, Callable[[World], str]]] = {
    "killed": kill, "held back": hold_back, "held back long": hold_back_long,
}  # fmt: skip


def comes_from_abroad(world: World) -> None:
    """Be in another network."""
    world.peer = ABROAD


def is_another_browser(world: World) -> None:
    """Be a browser of another family."""
    world.agent = CHROME


def stale_events(world: World) -> list[tuple[str | None, bool]]:
    """Return of each stale ticket that was served whose it was, and whether one was returned."""
    told = world.events_of(events.StaleTicket)
    return [(e.owner, e.returned) for e in told]


class StaleTickets(Stories):
    """An honest client that is late is not taken for a thief, and a thief still is."""

    @pytest.mark.parametrize("name", ["held back", "held back long"])
    @pytest.mark.parametrize("act", [puts(v=1), lambda s: (rotates(s), s.update(v=1))])
    def test_held_back_request_is_served_and_handed_nothing(
        self, store: Store, drive: Drive, name: str, act: Act
    ) -> None:
        """An upload that arrives when its ticket has turned is saved, and turns and gets none."""
        world = self.world_with_login(store, drive, policy=PATIENT)
        old = STALE[name](world)
        world.events.clear()
        late = world.ask(act, cookie=old)

        assert (late.user, late.set_cookie) == ("alice", None)
        assert stale_events(world) == [("alice", False)]
        assert not world.events_of(events.Rotated)
        assert world.values() == {"v": 1}
        assert not world.events_of(events.Replayed)

    @pytest.mark.parametrize("waits", [minutes(2), minutes(20), hours(9)])
    def test_killed_browser_is_handed_the_current_ticket(
        self, store: Store, drive: Drive, waits: float
    ) -> None:
        """It never wrote its newest cookie: started again, whenever, it goes on with it."""
        world = self.world_with_login(store, drive, policy=PATIENT)
        old = kill(world, waits)
        newest, world.cookie = world.cookie, old
        back = world.ask(puts(v=1))

        assert (back.user, back.cookie) == ("alice", newest)
        assert stale_events(world) == [("alice", True)]
        assert world.ask(reads).result == {"v": 1}
        old = kill(world)  # once more
        newest, world.cookie = world.cookie, old
        assert world.ask(reads).cookie == newest
        assert not world.events_of(events.Replayed)

    def test_poll_is_use_of_a_ticket_too(self, store: Store, drive: Drive) -> None:
        """A page that nobody looks at polls with the new ticket; a thief is not handed it."""

        def clocks(session: Session) -> tuple[float, float]:
            assert session.info is not None
            return session.info.last_seen, session.info.expires

        world = self.world_with_login(store, drive)
        before, old = world.ask(clocks).result, world.cookie
        world.passive = True
        world.clock.advance(minutes(16))
        world.ask(reads)
        assert world.cookie != old
        for _ in range(4):
            world.clock.advance(minutes(1))
            world.ask(reads)
        assert world.ask(clocks).result == before  # no poll has moved them
        world.passive = False
        thief = world.ask(reads, old)

        assert (thief.user, thief.set_cookie) == ("alice", None)
        assert stale_events(world) == [("alice", False)]

    def test_browser_that_starts_again_sends_many_requests(
        self, store: Store, drive: Drive
    ) -> None:
        """Wherever one meets another, the old ticket or the new one, all are of one session."""

        def world_of_killed() -> World:
            world = self.world_with_login(store, drive, policy=PATIENT)
            old = kill(world)
            world.issued.append(world.cookie)
            world.cookie = old
            return world

        for met in interleavings(
            world_of_killed,
            lambda world: world.request(world.cookie, puts(a=1)),
            lambda world: world.request(world.cookie, puts(b=2)),
            drive=drive,
        ):
            world, newest = met.world, met.world.issued[-1]
            assert [met.a.get().cookie, met.b.get().cookie] == [newest] * 2, met.stop
            assert world.ask(reads, cookie=newest).result == {"a": 1, "b": 2}, met.stop
            world.clock.advance(80)
            slow = world.ask(reads)
            assert (slow.user, slow.cookie) == ("alice", newest), met.stop

    @pytest.mark.parametrize("name", STALE)
    @pytest.mark.parametrize("becomes", [comes_from_abroad, is_another_browser])
    def test_stale_ticket_from_another_client_is_a_replay(
        self, store: Store, drive: Drive, name: str, becomes: Callable[[World], None]
    ) -> None:
        """What a binding tells apart is found out at once: the session ends for both."""
        world = self.world_with_login(store, drive, policy=PATIENT)
        old, current = STALE[name](world), world.cookie
        becomes(world)

        assert world.ask(reads, cookie=old).user is None
        assert world.events_of(events.Replayed)
        assert not world.events_of(events.StaleTicket)
        world.peer, world.agent = HOME, World(store, drive).agent
        assert world.ask(reads, cookie=current).user is None

    @pytest.mark.parametrize("name", ["killed", "held back"])
    def test_another_client_since_makes_a_stale_ticket_a_replay(
        self, store: Store, drive: Drive, name: str
    ) -> None:
        """Where somebody else has used the session since then, nobody can be taken at a word."""
        world = self.world_with_login(store, drive, policy=PATIENT)
        old = STALE[name](world)
        stolen = world.cookie
        world.ask(reads, cookie=stolen, peer=ABROAD)
        world.ask(reads, cookie=stolen)

        assert world.ask(reads, cookie=old).user is None
        assert world.events_of(events.Replayed)

    def test_client_that_moved_before_is_late_all_the_same(
        self, store: Store, drive: Drive
    ) -> None:
        """Whoever changed networks before the ticket turned, and came back, is nobody else."""
        world = self.world_with_login(store, drive, policy=PATIENT)
        world.ask(reads, peer=ABROAD)
        world.clock.advance(1)
        world.ask(reads)

        assert world.ask(reads, cookie=hold_back(world)).user == "alice"

    def test_thief_with_the_same_browser_is_found_out_when_the_window_is_over(
        self, store: Store, drive: Drive
    ) -> None:
        """Two who go on with one ticket on one network: the second shows within the window."""
        world = self.world_with_login(store, drive, policy=PATIENT)
        stolen = turn(world, minutes(2))
        for _ in range(5):
            world.clock.advance(minutes(10))
            thief = world.ask(reads, cookie=stolen)
            assert (thief.user, thief.set_cookie) == ("alice", None)
            assert world.ask(reads).user == "alice"
        assert not world.events_of(events.Replayed)
        world.clock.advance(minutes(8) + 1)  # an hour after the successor was shown

        assert world.ask(reads, cookie=stolen).user is None
        assert world.events_of(events.Replayed)
        assert world.ask(reads).user is None

    @pytest.mark.parametrize("name", STALE)
    def test_without_a_window_a_stale_ticket_is_a_replay(
        self, store: Store, drive: Drive, name: str
    ) -> None:
        """``Policy(stale=None)`` ends the session at the first used ticket after the grace."""
        world = self.world_with_login(store, drive, policy=STRICT)

        assert world.ask(reads, cookie=STALE[name](world)).user is None
        assert world.events_of(events.Replayed)

    @pytest.mark.parametrize("policy", [PATIENT, STRICT])
    @pytest.mark.parametrize("peer", [HOME, ABROAD])
    def test_nobodys_old_ticket_is_never_a_replay(
        self, store: Store, drive: Drive, policy: Policy, peer: str
    ) -> None:
        """A visitor who is logged in to nothing keeps the cart: there is nothing to steal."""
        world = World(store, drive, policy=policy)
        world.ask(puts(cart=["hat"]))
        world.ask(reads)
        old = turn(world, minutes(2))
        turn(world, minutes(2))
        world.clock.advance(hours(2))
        late = world.ask(reads, cookie=old, peer=peer)

        assert late.result == {"cart": ["hat"]}
        assert late.cookie == world.cookie
        assert world.ask(reads).result == {"cart": ["hat"]}

    @pytest.mark.parametrize("rival", [reads, rotates, puts(v=2), logs_out, logs_in()])
    def test_late_request_gets_no_ticket_wherever_a_rival_falls(
        self, store: Store, drive: Drive, rival: Act
    ) -> None:
        """Whatever its page does meanwhile, no answer of it can put a ticket over a newer one."""

        def begin() -> tuple[World, str]:
            world = self.world_with_login(store, drive, policy=PATIENT)
            return world, hold_back(world)

        for met in interleavings(
            begin,
            lambda it: it[0].request(it[1], puts(late=1)),
            lambda it: it[0].request(it[0].cookie, rival),
            drive=drive,
        ):
            assert met.a.get().set_cookie is None, met.stop
            assert met.b.error is None, met.stop
            assert not met.world[0].events_of(events.Replayed), met.stop

    def test_stale_ticket_costs_one_commit_at_most(self, store: Store, drive: Drive) -> None:
        """To read with a ticket that is late takes one command; to be handed one takes three."""
        world = self.world_with_login(store, drive, policy=PATIENT)
        late = costs(world.request(hold_back(world), reads), drive)
        killed = costs(world.request(kill(world), reads), drive)

        assert (len(late), len(killed)) == (1, 3)
