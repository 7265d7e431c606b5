"""What an act on one owner's sessions promises, however many they are and however large.

It looks at no more than so many, so that nobody waits for long, and the next act goes on.
"""

from itertools import count

import pytest

from sessile.core.flow import Flow
from sessile.core.record import RecordKind
from sessile.stores.contract import (
    MOST_ENDED,
    Capability,
    Deleted,
    Full,
    Key,
    OnLimit,
    Record,
    Replaced,
    ReplaceResult,
    Store,
)
from sessile.testing.drive import Drive
from sessile.testing.place import Place, needs
from sessile.testing.promises.scanning import FAT
from sessile.testing.sample import key, login, record, records_of
from sessile.testing.step import interleavings

ENOUGH = 50
"""Pages after which whoever removes them is told of more for ever."""

CROWD = MOST_ENDED + 8


async def empty(store: Store, owner: str, batch: int, before: Key | None = None) -> list[Key]:
    """Remove an owner's sessions page by page, and return their keys."""
    found: list[Key] = []
    for _ in range(ENOUGH):
        page = await store.delete_owned(owner, before=before, batch=batch)
        assert len(page.keys) <= batch
        found += page.keys
        if not page.more:
            return found
    raise AssertionError(f"there was more to remove after {ENOUGH} pages")


def store_sessions(store: Store, drive: Drive, number: int, size: int = 1) -> list[Record]:
    """Return sessions of alice's, stored, oldest first."""
    data = {"v": b"x" * size}
    rows = [record(f"row {n}", owner="alice", data=data) for n in range(number)]
    for row in rows:
        drive(store.replace(login(row)))
    return rows


class OwnerBounds:
    """A user with many sessions is served as anybody else, and so is everybody else."""

    # Listing

    @needs(Capability.OWNERS)
    def test_page_of_an_index_is_bounded_in_bytes(self, store: Store, drive: Drive) -> None:
        """A page ends with the record that fills it, and nothing is missing on the next."""
        rows = store_sessions(store, drive, 5, FAT)
        page = drive(store.owned_by("alice"))

        assert page.records == rows[:3]
        assert records_of(store, drive, "alice") == rows

    # Deleting

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("batch", [1, 2, 7, 8])
    def test_owned_sessions_are_deleted_page_by_page(
        self, store: Store, drive: Drive, batch: int
    ) -> None:
        """Each act removes a page, oldest login first, and says when that was the last."""
        rows = store_sessions(store, drive, 7)
        drive(store.replace(login(record("bobs", owner="bob"))))
        first = drive(store.delete_owned("alice", batch=batch))

        assert first.keys == tuple(row.key for row in rows[:batch])
        assert first.more or batch > len(rows)
        assert records_of(store, drive, "alice") == rows[batch:]
        assert drive(empty(store, "alice", batch)) == [row.key for row in rows[batch:]]
        assert [drive(store.read(Key(row.key))) for row in rows] == [None] * 7
        assert records_of(store, drive, "bob") == [record("bobs", owner="bob")]

    @needs(Capability.OWNERS)
    def test_nothing_is_deleted_of_nobody(self, store: Store, drive: Drive) -> None:
        """A user without sessions has none to remove, and the visitors stay."""
        drive(store.create(record("visitor")))

        assert drive(store.delete_owned("nobody")) == Deleted()
        assert drive(store.read(key("visitor"))) == record("visitor")

    @needs(Capability.OWNERS)
    def test_deletion_is_bounded_in_bytes(self, store: Store, drive: Drive) -> None:
        """An act that has removed so many bytes stops, and the next one goes on."""
        rows = store_sessions(store, drive, 5, FAT)
        first = drive(store.delete_owned("alice"))

        assert first == Deleted(tuple(Key(row.key) for row in rows[:3]), more=True)
        assert drive(empty(store, "alice", 100)) == [row.key for row in rows[3:]]

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("kept", [(0, 1), (3, 6), (6, 6)])
    @pytest.mark.parametrize("batch", [1, 100])
    def test_kept_sessions_stay(
        self, store: Store, drive: Drive, kept: tuple[int, int], batch: int
    ) -> None:
        """Those to keep stay, wherever they stand and however small the pages are."""
        rows = store_sessions(store, drive, 7)
        keep = {rows[n].key for n in kept}
        for _ in rows:
            page = drive(store.delete_owned("alice", keep=keep, batch=batch))
            if not page.more:
                break

        assert records_of(store, drive, "alice") == [row for row in rows if row.key in keep]

    @needs(Capability.OWNERS)
    def test_later_logins_stay(self, store: Store, drive: Drive) -> None:
        """Of those before a session none is left, and it stays with what came later."""
        rows = store_sessions(store, drive, 5)

        assert drive(empty(store, "alice", 2, Key(rows[3].key))) == [row.key for row in rows[:3]]
        assert records_of(store, drive, "alice") == rows[3:]
        assert drive(store.delete_owned("alice", before=Key(rows[0].key))) == Deleted()
        assert drive(store.delete_owned("alice", before=key("of nobody"))) == Deleted()
        assert records_of(store, drive, "alice") == rows[3:]

    @needs(Capability.OWNERS)
    def test_what_an_end_left_is_not_deleted(self, store: Store, drive: Drive) -> None:
        """Tombstones and evidence stand in no index, and outlast the end of all sessions."""
        first, second = store_sessions(store, drive, 2)
        grave = record(key=first.key, version=0, kind=RecordKind.TOMBSTONE)
        kept = record(key=second.key, version=0, kind=RecordKind.EVIDENCE)
        drive(store.replace(login(record("new", owner="bob"), old=first, tombstone=grave)))
        drive(store.delete(Key(second.key), "alice", leaving=kept))

        assert drive(store.delete_owned("alice")) == Deleted()
        assert drive(store.read(Key(first.key))) == grave
        assert drive(store.read(Key(second.key))) == kept

    @needs(Capability.OWNERS, Place.spoil)
    def test_malformed_row_is_deleted_with_the_rest(
        self, store: Store, drive: Drive, place: Place
    ) -> None:
        """A row that is no record hinders nobody who ends all sessions of its owner."""
        rows = store_sessions(store, drive, 3)
        place.spoil(Key(rows[1].key), b"nonsense")
        drive(empty(store, "alice", 100))

        assert [drive(store.read(Key(row.key))) for row in rows] == [None] * 3

    @needs(Capability.OWNERS)
    def test_session_that_goes_on_elsewhere_is_deleted_too(
        self, store: Store, drive: Drive
    ) -> None:
        """Wherever a step-up falls into the end of all sessions, what it makes ends as well."""
        names, went_on = count(), set()

        def world() -> list[Record]:
            owner = f"owner {next(names)}"
            rows = [record(f"{n} of {owner}", owner=owner) for n in range(3)]
            for row in rows:
                drive(store.replace(login(row)))
            return rows

        def step_up(rows: list[Record]) -> Flow[ReplaceResult]:
            return store.replace(
                login(record(f"new of {rows[2].key}", owner=rows[2].owner), old=rows[2])
            )

        for met in interleavings(
            world, lambda rows: empty(store, rows[2].owner or "", 1), step_up, drive=drive
        ):
            met.a.get()
            went_on.add(isinstance(met.b.get(), Replaced))
            rows, owner = met.world, met.world[2].owner or ""
            assert records_of(store, drive, owner) == [], met.stop
            assert drive(store.read(key(f"new of {rows[2].key}"))) is None, met.stop
        assert went_on == {True, False}

    # Logins

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("on_limit", [OnLimit.END_OLDEST, OnLimit.END_OTHERS])
    def test_login_ends_no_more_than_an_act_may(
        self, store: Store, drive: Drive, on_limit: OnLimit
    ) -> None:
        """Beyond a crowd a login ends some by itself and names the rest; together that is all."""
        rows = store_sessions(store, drive, CROWD)
        new = record("new", owner="alice")
        answer = drive(store.replace(login(new, limit=3, on_limit=on_limit)))
        assert isinstance(answer, Replaced)
        assert 0 < len(answer.ended) <= MOST_ENDED
        assert answer.rest is not None
        left = len(records_of(store, drive, "alice", CROWD))
        assert left == CROWD + 1 - len(answer.ended)

        also = drive(empty(store, "alice", 5, answer.rest))
        stay = [new] if on_limit is OnLimit.END_OTHERS else [*rows, new][-3:]
        assert records_of(store, drive, "alice") == stay
        ended = sorted([*answer.ended, *also])
        assert ended == sorted(row.key for row in rows if row not in stay)

    @needs(Capability.OWNERS)
    def test_login_within_an_act_has_no_rest(self, store: Store, drive: Drive) -> None:
        """As many as an act may end are ended by the login itself."""
        rows = store_sessions(store, drive, MOST_ENDED)
        answer = drive(store.replace(login(record("new", owner="alice"), limit=1)))

        assert answer == Replaced(tuple(Key(row.key) for row in rows))

    @needs(Capability.OWNERS)
    def test_crowd_is_refused_as_it_stands(self, store: Store, drive: Drive) -> None:
        """A limit that refuses ends nobody, however many are over it already."""
        rows = store_sessions(store, drive, CROWD)
        late = login(record("new", owner="alice"), limit=2, on_limit=OnLimit.REFUSE)

        assert drive(store.replace(late)) == Full()
        assert records_of(store, drive, "alice") == rows
