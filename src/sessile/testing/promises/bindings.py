"""What binding promises over any store: what thief and victim see when a ticket changes hands.

``promises.thefts`` has what becomes of a stolen session, ``promises.locks`` of an idle one.
"""

from typing import Final

import pytest

from sessile.core.binding import AgentMatch, Binding, OnMismatch
from sessile.core.identity import Lock
from sessile.core.policy import Policy
from sessile.core.session import Session
from sessile.core.trail import MAX_ENTRIES
from sessile.service import events
from sessile.service.events import End
from sessile.stores.contract import Capability, Store
from sessile.testing.drive import Drive
from sessile.testing.place import unless
from sessile.testing.promises.stories import (
    Act,
    Stories,
    costs,
    logs_in,
    puts,
    reads,
    rotates,
    steps_up,
    unlocks,
)
from sessile.testing.step import Stepped, interleavings
from sessile.testing.world import ABROAD, FIREFOX, HOME, NEARBY, World

CHROME: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36"
)
SAME_PLACE: Final = (
    (HOME, NEARBY),
    (HOME, f"::ffff:{HOME}"),
    ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"),
    ("::ffff:192.0.2.7", "192.0.2.8"),
)
ANOTHER_PLACE: Final = (
    (HOME, ABROAD),
    ("192.0.2.255", "192.0.3.0"),
    ("2001:db8:0:1::1", "2001:db8:0:2::1"),
    (HOME, "2001:db8::1"),
    (HOME, f"::ffff:{ABROAD}"),
    (HOME, ""),
)


def binding_policy(mismatch: OnMismatch) -> Policy:
    """Return a policy with that reaction to another client."""
    return Policy(binding=Binding(on_mismatch=mismatch))


def words(world: World) -> list[str]:
    """Return the lines of the only session's trail."""
    (info,) = world.of("alice")
    return [line.what for line in info.trail]


def looks(session: Session) -> tuple[dict[str, object], Lock | None, str | None]:
    """Handle a request that looks at everything a locked session might give away."""
    return dict(session), session.lock, session.user


def _id(session: Session) -> str:
    return session.id


class Bindings(Stories):
    """Another client is noticed, and what follows harms the thief and not the owner."""

    def at_home(self, store: Store, drive: Drive, mismatch: OnMismatch) -> World:
        """Return a world whose owner is logged in at home, with something in the session."""
        world = World(store, drive, policy=binding_policy(mismatch))
        world.ask(puts(cart=["hat"]))
        world.ask(logs_in())
        world.ask(reads)
        return world

    @pytest.mark.parametrize(("here", "there"), SAME_PLACE)
    def test_neighbouring_address_is_the_same_client(
        self, store: Store, drive: Drive, here: str, there: str
    ) -> None:
        """An address of the same /24 or /64, however it is spelt, is no other client."""
        world = World(store, drive, policy=binding_policy(OnMismatch.END))
        world.ask(logs_in(), peer=here)

        assert world.ask(reads, peer=there).user == "alice"
        assert not world.events_of(events.Mismatched)

    @pytest.mark.parametrize(("here", "there"), ANOTHER_PLACE)
    def test_distant_address_is_another_client(
        self, store: Store, drive: Drive, here: str, there: str
    ) -> None:
        """An address of another network, or none where there was one, is another client."""
        world = World(store, drive, policy=binding_policy(OnMismatch.END))
        world.ask(logs_in(), peer=here)

        assert world.ask(reads, peer=there).user is None
        assert world.events_of(events.Mismatched)

    def test_newer_version_is_the_same_browser(self, store: Store, drive: Drive) -> None:
        """A browser that was updated is the same client; one of another family is not."""
        world = World(store, drive, policy=binding_policy(OnMismatch.END))
        world.ask(logs_in())
        world.agent = FIREFOX.replace("140", "151")
        assert world.ask(reads).user == "alice"
        world.agent = CHROME

        assert world.ask(reads).user is None

    def test_what_is_ignored_may_change(self, store: Store, drive: Drive) -> None:
        """A policy that ignores browsers takes any browser."""
        binding = Binding(agent=AgentMatch.IGNORE, on_mismatch=OnMismatch.END)
        world = self.world_with_login(store, drive, policy=Policy(binding=binding))
        world.agent = CHROME

        assert world.ask(reads).user == "alice"

    @pytest.mark.parametrize("mismatch", list(OnMismatch))
    def test_anonymous_session_moves_silently(
        self, store: Store, drive: Drive, mismatch: OnMismatch
    ) -> None:
        """A visitor who changes networks keeps their values, and nobody hears of it."""
        world = World(store, drive, policy=binding_policy(mismatch))
        world.ask(puts(cart=["hat"]))
        moved = world.ask(reads, peer=ABROAD)

        assert moved.result == {"cart": ["hat"]}
        assert moved.set_cookie is None
        assert not world.events_of(events.Mismatched)

    @pytest.mark.parametrize("mismatch", [OnMismatch.STEP_UP, OnMismatch.END])
    def test_half_finished_login_does_not_move(
        self, store: Store, drive: Drive, mismatch: OnMismatch
    ) -> None:
        """A login that another client is to finish ends: there is nobody yet to prove more."""
        world = World(store, drive, policy=binding_policy(mismatch))
        world.ask(lambda session: session.begin_login("alice", factors=("password",)))

        assert world.ask(lambda session: session.pending, peer=ABROAD).result is None
        assert world.ask(lambda session: session.pending).result is None

    # RECORD

    def test_recorded_client_is_served_and_told(self, store: Store, drive: Drive) -> None:
        """The session goes on with the new client; an event and a line in the trail tell of it."""
        world = self.at_home(store, drive, OnMismatch.RECORD)
        moved = world.ask(reads, peer=ABROAD)
        (told,) = world.events_of(events.Mismatched)

        assert (moved.user, moved.result, moved.set_cookie) == ("alice", {"cart": ["hat"]}, None)
        assert isinstance(told, events.Mismatched)
        assert told.client is not None
        assert (told.expected.address, told.client.address) == (HOME, ABROAD)
        assert words(world)[-1] == "another client"
        assert world.of("alice")[0].address == ABROAD

    @unless(Capability.COPIES)
    def test_change_of_client_costs_one_commit(self, store: Store, drive: Drive) -> None:
        """A steady client reads with one command; a change of client is one commit more, once."""
        world = self.at_home(store, drive, OnMismatch.RECORD)
        world.ask(puts(v=1))
        home = [world.request(world.cookie, reads) for _ in range(2)]
        abroad = [world.request(world.cookie, reads, peer=ABROAD) for _ in range(2)]

        assert [len(costs(flow, drive)) for flow in (*home, *abroad)] == [1, 1, 2, 1]

    def test_parallel_requests_that_move_are_noted_once(self, store: Store, drive: Drive) -> None:
        """Two requests from a new place at once are one line in the trail, and one commit."""
        for met in interleavings(
            lambda: self.at_home(store, drive, OnMismatch.RECORD),
            lambda world: world.request(world.cookie, reads, peer=ABROAD),
            lambda world: world.request(world.cookie, reads, peer=ABROAD),
            drive=drive,
        ):
            info = met.world.sessions.sync.show(met.world.ask(_id, peer=ABROAD).result)
            assert info is not None
            assert [line.what for line in info.trail] == ["login", "another client"], met.stop
            assert (info.version, info.address) == (3, ABROAD), met.stop

    def test_mismatch_is_told_once_a_request(self, store: Store, drive: Drive) -> None:
        """A request that has to look twice, because a rival committed, tells of its client once."""

        def world_after_rotation() -> World:
            world = self.at_home(store, drive, OnMismatch.RECORD)
            world.ask(rotates)
            return world

        for met in interleavings(
            world_after_rotation,
            lambda world: world.request(world.cookie, reads, peer=ABROAD),
            lambda world: world.request(world.cookie, puts(v=1)),
            drive=drive,
        ):
            told = [event.client for event in met.world.events_of(events.Mismatched)]
            assert [client and client.address for client in told].count(ABROAD) == 1, met.stop

    # ROTATE

    def test_copy_of_a_turned_ticket_shows_as_a_replay(self, store: Store, drive: Drive) -> None:
        """A thief's first request turns the ticket; once they use it, the victim's ends it all."""
        world = self.at_home(store, drive, OnMismatch.ROTATE)
        theirs = world.ask(reads, cookie=world.cookie, peer=ABROAD).cookie
        assert theirs != world.cookie
        world.ask(reads, cookie=theirs, peer=ABROAD)
        world.clock.advance(91)

        assert world.ask(reads).user is None
        assert world.events_of(events.Replayed)
        assert world.ask(reads, cookie=theirs, peer=ABROAD).user is None

    def test_owner_who_moves_with_a_turned_ticket_is_at_peace(
        self, store: Store, drive: Drive
    ) -> None:
        """The owner's own move turns the ticket once, and nothing more happens."""
        world = self.at_home(store, drive, OnMismatch.ROTATE)
        replies = [world.ask(reads, peer=ABROAD) for _ in range(4)]

        assert {reply.user for reply in replies} == {"alice"}
        assert [reply.set_cookie is not None for reply in replies] == [True, False, False, False]

    @pytest.mark.parametrize("mismatch", [OnMismatch.RECORD, OnMismatch.ROTATE])
    @pytest.mark.parametrize("act", [reads, rotates, puts(v=1)])
    @pytest.mark.parametrize("late", [0.0, 890.0])
    def test_used_ticket_in_grace_brings_another_client_no_successor(
        self, store: Store, drive: Drive, mismatch: OnMismatch, act: Act, late: float
    ) -> None:
        """A predecessor in its grace hands the current ticket to the owner's client alone."""
        world = self.at_home(store, drive, mismatch)
        stolen = world.cookie
        world.ask(rotates)
        world.clock.advance(late)
        world.ask(reads)
        world.clock.advance(20)  # within the grace, and the second time another rotation is due

        assert world.ask(act, cookie=stolen, peer=ABROAD).set_cookie is None
        assert world.ask(reads).user == "alice"

    @pytest.mark.parametrize("mismatch", [OnMismatch.RECORD, OnMismatch.ROTATE])
    def test_another_clients_request_in_flight_moves_into_no_step_up(
        self, store: Store, drive: Drive, mismatch: OnMismatch
    ) -> None:
        """Who holds an old ticket elsewhere writes nothing into the session that goes on."""
        world = self.at_home(store, drive, mismatch)
        stolen = Stepped(world.request(world.cookie, puts(ship_to="thief"), peer=ABROAD), drive)
        stolen.step()  # it is served, and held back
        risen = world.ask(steps_up()).cookie
        stolen.finish()

        assert world.values(risen) == {"cart": ["hat"]}
        (info,) = world.of("alice")
        assert info.address != ABROAD

    def test_owner_who_moved_gets_a_lost_answer_again(self, store: Store, drive: Drive) -> None:
        """A successor that nobody has shown yet is handed over in the new place as well."""
        world = self.at_home(store, drive, OnMismatch.RECORD)
        lost = world.ask(rotates, cookie=world.cookie)

        assert world.ask(reads, peer=ABROAD).set_cookie == lost.set_cookie

    # STEP_UP

    def test_shut_session_is_nobodys_abroad(self, store: Store, drive: Drive) -> None:
        """The thief sees no user and no value; what they set is dropped, and told."""
        world = self.at_home(store, drive, OnMismatch.STEP_UP)
        seen = world.ask(looks, cookie=world.cookie, peer=ABROAD)
        wrote = world.ask(puts(cart=["bomb"]), cookie=world.cookie, peer=ABROAD)

        assert seen.result == ({}, Lock.MISMATCH, None)
        assert (seen.set_cookie, wrote.set_cookie) == (None, None)
        assert world.events_of(events.Dropped)
        assert world.events_of(events.Locked)
        assert len(world.events_of(events.Mismatched)) == 1

    def test_shut_session_goes_on_at_home(self, store: Store, drive: Drive) -> None:
        """Whatever a thief does with a copy abroad, the victim at home notices nothing."""
        world = self.at_home(store, drive, OnMismatch.STEP_UP)
        for act in (reads, puts(cart=[]), rotates):
            world.ask(act, cookie=world.cookie, peer=ABROAD)
            home = world.ask(reads)
            assert (home.user, home.result, home.set_cookie) == ("alice", {"cart": ["hat"]}, None)

    @pytest.mark.parametrize("proves", [unlocks, logs_in()])
    def test_owner_abroad_proves_once_and_is_at_peace(
        self, store: Store, drive: Drive, proves: Act
    ) -> None:
        """The owner in a new place gives a factor once: the same values, and no more questions."""
        world = self.at_home(store, drive, OnMismatch.STEP_UP)
        world.peer = ABROAD
        assert world.ask(reads).user is None
        old = world.cookie
        world.ask(proves)
        after = [world.ask(looks) for _ in range(3)]

        assert [reply.result for reply in after] == [({"cart": ["hat"]}, None, "alice")] * 3
        assert world.ask(reads, cookie=old, peer=HOME).user is None
        assert len(world.events_of(events.Mismatched)) == 1

    @pytest.mark.parametrize("mismatch", [OnMismatch.RECORD, OnMismatch.STEP_UP])
    def test_thief_who_hops_cannot_flush_the_trail(
        self, store: Store, drive: Drive, mismatch: OnMismatch
    ) -> None:
        """A hundred addresses leave the trail bounded, and the owner's own lines in it."""
        world = self.at_home(store, drive, mismatch)
        world.ask(lambda session: session.note("changed the password"))
        version = world.of("alice")[0].version
        for n in range(100):
            world.ask(reads, cookie=world.cookie, peer=f"198.51.{n}.1")
        world.ask(lambda session: session.note("paid"), peer=HOME)

        assert {"login", "changed the password", "paid"} <= set(words(world))
        assert len(words(world)) <= MAX_ENTRIES
        if mismatch is OnMismatch.STEP_UP:
            assert world.of("alice")[0].version - version < 10

    # END

    def test_another_client_ends_the_session(self, store: Store, drive: Drive) -> None:
        """Both thief and victim are logged out, and the evidence says who came."""
        world = self.at_home(store, drive, OnMismatch.END)
        (before,) = world.of("alice")

        assert world.ask(reads, cookie=world.cookie, peer=ABROAD).user is None
        assert world.ask(reads).user is None
        (ended,) = [one for one in world.events_of(events.Ended) if one.reason is End.MISMATCH]
        assert ended.client is not None
        assert ended.client.address == ABROAD
        kept = world.sessions.sync.evidence(before.id)
        assert kept is not None
        assert (kept.address, kept.trail[-1].address) == (HOME, ABROAD)
        assert world.ask(logs_in()).user == "alice"
