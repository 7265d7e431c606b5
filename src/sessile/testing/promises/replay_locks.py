"""What ``OnReplay.LOCK`` promises over any store: a theft locks the session, and nothing is lost.

``promises.thefts`` has what the other policies come to, ``promises.locks`` the idle lock.
"""

from typing import Any, Final

import pytest

from sessile.core.identity import Lock
from sessile.core.policy import OnReplay, Policy, minutes
from sessile.core.session import Session
from sessile.errors import StoreUnavailable
from sessile.service import events
from sessile.stores.contract import Store
from sessile.testing.drive import Drive
from sessile.testing.promises.outages import Unwritable
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
from sessile.testing.step import interleavings
from sessile.testing.world import ABROAD, HOME, World

LOCKING: Final = Policy(on_replay=OnReplay.LOCK)


def looks(session: Session) -> tuple[Any, ...]:
    """Handle a request that looks at everything that a locked session might give away."""
    return dict(session), session.lock, session.user, session.locked_user


PUTS: Final = puts(v=1)
NOTHING: Final[tuple[Any, ...]] = ({}, Lock.REPLAY, None, "alice")


class ReplayLocks(Stories):
    """A used ticket that comes back locks the session until its owner gives a factor."""

    def world_with_copy(
        self, store: Store, drive: Drive, policy: Policy = LOCKING
    ) -> tuple[World, str]:
        """Return a world whose owner has a cart, and a used ticket that a thief has."""
        world = self.world_with_login(store, drive, policy=policy)
        stolen = world.cookie
        world.ask(rotates)
        world.ask(puts(cart=["hat"]))
        world.clock.advance(91)
        world.events.clear()
        return world, stolen

    def test_theft_locks_the_session_for_all_who_hold_it(self, store: Store, drive: Drive) -> None:
        """Thief and owner see no user and no value, and change nothing, with either ticket."""
        world, stolen = self.world_with_copy(store, drive)
        for cookie, peer in ((stolen, ABROAD), (world.cookie, HOME), (world.cookie, ABROAD)):
            for act in (looks, puts(cart=[]), rotates, looks):
                reply = world.ask(act, cookie=cookie, peer=peer)
                assert (reply.user, reply.set_cookie) == (None, None)
                assert act is not looks or reply.result == NOTHING
        assert len(world.events_of(events.Dropped)) == 3

    @pytest.mark.parametrize("holds", ["the current ticket", "the used one"])
    @pytest.mark.parametrize("proves", [unlocks, logs_in()])
    def test_one_factor_reopens_it_and_nothing_is_lost(
        self, store: Store, drive: Drive, proves: Act, holds: str
    ) -> None:
        """Under a new id, with all that was in it; both old tickets are dead."""
        world, stolen = self.world_with_copy(store, drive)
        world.ask(reads, cookie=stolen, peer=ABROAD)
        current = world.cookie
        world.cookie = stolen if holds == "the used one" else current
        world.ask(proves)

        assert world.ask(looks).result == ({"cart": ["hat"]}, None, "alice", None)
        assert world.cookie[:24] != current[:24]
        for old in (stolen, current):
            assert world.ask(reads, cookie=old, peer=ABROAD).user is None
            assert world.ask(reads, cookie=old).user is None
        assert world.ask(reads).user == "alice"
        assert len(world.of("alice")) == 1

    def test_reopened_session_keeps_its_overall_clock(self, store: Store, drive: Drive) -> None:
        """What rests on it ends when it would have."""
        world, stolen = self.world_with_copy(store, drive)
        (before,) = world.of("alice")
        world.ask(reads, cookie=stolen, peer=ABROAD)
        world.ask(unlocks)
        (after,) = world.of("alice")

        assert (after.ends, after.created) == (before.ends, before.created)
        assert not after.locked

    def test_lock_is_told_and_stands_in_the_trail(self, store: Store, drive: Drive) -> None:
        """One ``Replayed`` says who came and who was expected; the list says that it is locked."""
        world, stolen = self.world_with_copy(store, drive)
        for _ in range(2):
            world.ask(reads, cookie=stolen, peer=ABROAD)
        (info,) = world.of("alice")
        replayed, *locked = world.events

        assert isinstance(replayed, events.Replayed)
        assert (replayed.owner, replayed.expected.address) == ("alice", HOME)
        assert (replayed.client and replayed.client.address) == ABROAD
        assert replayed.evidence == info.ends
        assert [event.reason for event in locked if isinstance(event, events.Locked)] == [
            Lock.REPLAY
        ] * 2
        assert len(locked) == 2
        assert info.locked
        assert [(line.what, line.address) for line in info.trail] == [
            ("login", HOME), ("locked: a used ticket came back", ABROAD),
        ]  # fmt: skip

    def test_locked_session_ends_by_its_own_clocks(self, store: Store, drive: Drive) -> None:
        """Whoever asks, it is not kept awake: it ends with the idle time."""
        world, stolen = self.world_with_copy(store, drive)
        world.ask(reads, cookie=stolen, peer=ABROAD)
        for _ in range(3):
            world.clock.advance(minutes(9))
            world.ask(reads)
            world.ask(reads, cookie=stolen, peer=ABROAD)
        assert world.of("alice") != []
        world.clock.advance(minutes(2))

        assert world.of("alice") == []
        assert world.ask(looks).result == ({}, None, None, None)

    @pytest.mark.parametrize("act", [PUTS, rotates, steps_up()])
    def test_what_falls_into_a_theft_is_saved_before_it_or_not_at_all(
        self, store: Store, drive: Drive, act: Act
    ) -> None:
        """A request of the owner in flight changes nothing that is locked."""
        for met in interleavings(
            lambda: self.world_with_copy(store, drive),
            lambda it: it[0].request(it[0].cookie, act),
            lambda it: it[0].request(it[1], reads, peer=ABROAD),
            drive=drive,
        ):
            world, stolen = met.world
            is_saved = act is PUTS and met.stop == "after the last"
            assert bool(world.events_of(events.Dropped)) is (act is PUTS and not is_saved), met.stop
            assert met.b.get().user is None, met.stop
            assert world.ask(reads, cookie=stolen, peer=ABROAD).user is None, met.stop
            mine = world.issued[-1] if met.a.value and met.a.value.set_cookie else world.cookie
            if world.ask(looks, cookie=mine).result[1] is Lock.REPLAY:
                world.cookie = mine
                world.ask(unlocks)
                mine = world.cookie
            values = world.ask(reads, cookie=mine).result
            assert values.pop("v", None) == (1 if is_saved else None), met.stop
            assert values == {"cart": ["hat"]}, met.stop

    def test_rival_thefts_lock_once(self, store: Store, drive: Drive) -> None:
        """Of two used tickets at once one is told, and one line is in the trail."""
        for met in interleavings(
            lambda: self.world_with_copy(store, drive),
            lambda it: it[0].request(it[1], reads, peer=ABROAD),
            lambda it: it[0].request(it[1], puts(v=1), peer=ABROAD),
            drive=drive,
        ):
            world, _ = met.world
            assert (met.a.get().user, met.b.get().user) == (None, None), met.stop
            assert len(world.events_of(events.Replayed)) == 1, met.stop
            key = world.cookie.partition("=")[2][:20]
            info = world.sessions.sync.show(key)
            assert info is not None
            assert len(info.trail) == 2, met.stop

    def test_theft_of_half_a_login_ends_it(self, store: Store, drive: Drive) -> None:
        """There is nobody yet who could reopen it."""
        world = World(store, drive, policy=LOCKING)
        world.ask(lambda session: session.begin_login("alice", factors=("password",)))
        stolen = world.cookie
        world.ask(rotates)
        world.ask(reads)
        world.clock.advance(91)
        world.ask(reads, cookie=stolen, peer=ABROAD)

        assert world.events_of(events.Ended)
        assert world.ask(lambda session: session.pending).result is None

    def test_theft_is_refused_until_its_session_can_be_locked(
        self, store: Store, drive: Drive
    ) -> None:
        """While nothing can be written a used ticket is answered with no page."""
        unwritable = Unwritable(store)
        world, stolen = self.world_with_copy(unwritable, drive)  # type: ignore[arg-type]  # as there
        unwritable.refuses = True
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                world.ask(reads, cookie=stolen, peer=ABROAD)
        unwritable.refuses = False

        assert world.ask(looks, cookie=stolen, peer=ABROAD).result == NOTHING
        assert len(world.events_of(events.Replayed)) == 1
