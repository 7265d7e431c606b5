"""What sessions promise over a store that can be read and, for a while, not written."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from sessile.core.binding import OnMismatch
from sessile.core.flow import Flow
from sessile.core.policy import Policy
from sessile.errors import StoreUnavailable
from sessile.service.events import Ended, Mismatched, Replayed, Rotated, StoreFailing
from sessile.service.housekeeping import PAUSE
from sessile.stores.contract import (
    Change,
    CommitResult,
    Corrupt,
    Key,
    Record,
    Replacement,
    ReplaceResult,
    Store,
)
from sessile.testing.drive import Drive
from sessile.testing.promises.bindings import binding_policy
from sessile.testing.promises.stories import (
    Act,
    adds,
    logs_in,
    logs_out,
    puts,
    reads,
    rotates,
    steps_up,
)
from sessile.testing.step import Meeting, interleavings
from sessile.testing.world import ABROAD, Reply, World


class Unwritable:
    """A store that refuses every write while ``refuses`` is set, and counts what it refused."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.refuses = False
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def create(self, record: Record) -> None:
        """Store a new record, unless it refuses."""
        self._refuse()
        await self._store.create(record)

    async def commit(self, change: Change) -> CommitResult:
        """Replace a record, unless it refuses."""
        self._refuse()
        return await self._store.commit(change)

    async def replace(self, replacement: Replacement) -> ReplaceResult:
        """Store a record in another's place, unless it refuses."""
        self._refuse()
        return await self._store.replace(replacement)

    async def delete(
        self, key: Key, owner: str | None = None, *, leaving: Record | None = None
    ) -> Record | Corrupt | None:
        """Remove a record, unless it refuses."""
        self._refuse()
        return await self._store.delete(key, owner, leaving=leaving)

    def _refuse(self) -> None:
        if self.refuses:
            self.refused += 1
            raise StoreUnavailable(self._store.name, "a test lets nobody write")


def _begin(store: Store, drive: Drive, policy: Policy | None = None) -> tuple[World, Unwritable]:
    """Return a world whose browser is logged in and has shown its ticket."""
    unwritable = Unwritable(store)
    world = World(unwritable, drive, policy=policy)  # type: ignore[arg-type]  # the rest is the store's own
    world.ask(puts(lang="en"))
    world.ask(logs_in())
    world.ask(reads)
    world.events.clear()
    return world, unwritable


def _rotate_unseen(world: World) -> None:
    world.ask(rotates)
    world.events.clear()


DUE: Final[dict[str, Callable[[World], object]]] = {
    "that a ticket was seen": _rotate_unseen,
    "the idle clock": lambda world: world.clock.advance(Policy().idle / 20),
    "a rotation": lambda world: world.clock.advance(Policy().rotate or 0.0),
}
"""Housekeeping, and what makes it due."""

ASKED: Final[dict[str, Act]] = {
    "a value": puts(v=1),
    "a counter": adds,
    "a login": logs_in("bob"),
    "a logout": logs_out,
    "a step-up": steps_up(),
    "a rotation": rotates,
}
"""What somebody asks for, and who asks is told whether it was done."""


class Outages:
    """While nothing can be written, pages that change nothing are served."""

    def meetings_with_outage(
        self, store: Store, drive: Drive, due: Callable[[World], object], act: Act
    ) -> Iterator[tuple[Meeting[World, Reply, None], Unwritable]]:
        """Yield each way in which an outage of all writes begins within a request."""
        stores = []

        def world() -> World:
            new, unwritable = _begin(store, drive)
            due(new)
            stores.append(unwritable)
            return new

        async def outage(_: World) -> None:
            stores[-1].refuses = True

        def request(world: World) -> Flow[Reply]:
            return world.request(world.cookie, act)

        for meeting in interleavings(world, request, outage, drive=drive):
            yield meeting, stores[-1]

    @pytest.mark.parametrize("due", DUE)
    def test_page_is_served_while_nothing_can_be_written(
        self, store: Store, drive: Drive, due: str
    ) -> None:
        """What is due by the clock waits, and the page is served; a later request makes up for it.

        Nothing else comes of it: no ticket that the store does not know, and no end.
        """
        for meeting, unwritable in self.meetings_with_outage(store, drive, DUE[due], reads):
            world, reply = meeting.world, meeting.a.get()
            assert (reply.user, reply.result) == ("alice", {"lang": "en"}), meeting.stop
            if unwritable.refused:
                assert reply.set_cookie is None, meeting.stop
            elif reply.set_cookie is not None:
                world.cookie = reply.cookie
            unwritable.refuses = False
            world.clock.advance(PAUSE)
            for _ in range(2):
                assert world.ask(reads).user == "alice", meeting.stop
            assert len(world.events_of(Rotated)) == (due == "a rotation"), meeting.stop
            world.clock.advance(60)
            assert world.ask(reads).user == "alice", meeting.stop

    @pytest.mark.parametrize("asked", ASKED)
    def test_what_somebody_asked_for_does_not_wait(
        self, store: Store, drive: Drive, asked: str
    ) -> None:
        """A change, a login, an end that cannot be written is refused, whatever is due besides."""
        for due in DUE.values():
            world, unwritable = _begin(store, drive)
            due(world)
            unwritable.refuses = True
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    world.ask(ASKED[asked])
            unwritable.refuses = False

            assert world.ask(reads).result == {"lang": "en"}

    def test_replay_is_refused_until_its_session_can_be_ended(
        self, store: Store, drive: Drive
    ) -> None:
        """A used ticket that comes back is answered with no page, and ends its session later."""
        world, unwritable = _begin(store, drive)
        stolen = world.cookie
        world.ask(rotates)
        world.ask(reads)
        world.clock.advance(91)
        unwritable.refuses = True
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                world.ask(reads, cookie=stolen, peer=ABROAD)
        unwritable.refuses = False

        assert world.ask(reads, cookie=stolen, peer=ABROAD).user is None
        assert len(world.events_of(Replayed)) == len(world.events_of(Ended)) == 1
        assert world.ask(reads).user is None

    def test_stranger_is_turned_away_while_nothing_can_be_written(
        self, store: Store, drive: Drive
    ) -> None:
        """Another client is nobody, as ever; that it came is told, though no line can be kept."""
        world, unwritable = _begin(store, drive, binding_policy(OnMismatch.STEP_UP))
        unwritable.refuses = True

        assert world.ask(reads, cookie=world.cookie, peer=ABROAD).user is None
        assert len(world.events_of(Mismatched)) == 1
        assert world.ask(reads).user == "alice"

    def test_outage_of_writes_is_told_and_tried_once_in_a_while(
        self, store: Store, drive: Drive
    ) -> None:
        """Ten requests while nothing can be written cost one try, and one event, each pause."""
        world, unwritable = _begin(store, drive)
        DUE["a rotation"](world)
        unwritable.refuses = True
        for times in (1, 2):
            for _ in range(10):
                world.ask(reads)
            told = world.events_of(StoreFailing)
            assert len(told) == unwritable.refused == times
            assert all(event.client is not None for event in told)
            world.clock.advance(PAUSE)
