"""What ``replace`` promises of the record whose place is taken: one act, all of it or nothing."""

from itertools import count

import pytest

from sessile.core.flow import Flow
from sessile.core.record import RecordKind
from sessile.errors import KeyTaken
from sessile.stores.contract import (
    GONE,
    Capability,
    CommitResult,
    Committed,
    Conflict,
    Corrupt,
    Deleted,
    Key,
    Record,
    Replaced,
    ReplaceResult,
    Store,
)
from sessile.testing.clock import T0
from sessile.testing.drive import Drive
from sessile.testing.place import Place, needs
from sessile.testing.sample import change, key, login, record, records_of
from sessile.testing.step import interleavings

RIVALS = 8
GRAVE = record("old", idle=120.0, version=0, kind=RecordKind.TOMBSTONE)


class Replacing:
    """Whoever looks finds the old session or the new one, never both and never none."""

    def test_new_record_stands_and_the_old_is_gone(self, store: Store, drive: Drive) -> None:
        """After a login without a tombstone there is the new session alone."""
        drive(store.create(record("old")))

        assert drive(store.replace(login(record("new"), old=record("old")))) == Replaced()
        assert drive(store.read(key("new"))) == record("new")
        assert drive(store.read(key("old"))) is None

    def test_tombstone_stands_under_the_old_key(self, store: Store, drive: Drive) -> None:
        """A tombstone takes the old record's place, and no late commit takes its own."""
        drive(store.create(record("old")))
        drive(store.replace(login(record("new"), old=record("old"), tombstone=GRAVE)))

        assert drive(store.read(key("old"))) == GRAVE
        assert drive(store.commit(change(record("old")))) == Conflict(GRAVE)

    def test_nothing_is_replaced_where_nothing_was(self, store: Store, drive: Drive) -> None:
        """A login in place of none is a new record; in place of one that is gone it is refused."""
        assert drive(store.replace(login(record("first")))) == Replaced()
        refused = login(record("new"), old=record("old"), tombstone=GRAVE)

        assert drive(store.replace(refused)) == GONE
        assert drive(store.read(key("new"))) is None
        assert drive(store.read(key("old"))) is None

    def test_changed_record_is_not_replaced(self, store: Store, drive: Drive) -> None:
        """A login in place of a version that is no more is told which one is; nothing changed."""
        drive(store.create(record("old")))
        winner = change(record("old"), {"who": b"winner"})
        drive(store.commit(winner))
        refused = login(record("new"), old=record("old"), tombstone=GRAVE)

        assert drive(store.replace(refused)) == Conflict(winner.record)
        assert drive(store.read(key("new"))) is None
        assert drive(store.read(key("old"))) == winner.record

    def test_tombstone_is_not_replaced(self, store: Store, drive: Drive) -> None:
        """Of two logins in place of one session, the second is told of the tombstone."""
        drive(store.create(record("old")))
        drive(store.replace(login(record("a"), old=record("old"), tombstone=GRAVE)))
        late = login(record("b"), old=record("old"), tombstone=GRAVE)

        assert drive(store.replace(late)) == Conflict(GRAVE)
        assert drive(store.read(key("b"))) is None

    def test_taken_key_replaces_nothing(self, store: Store, drive: Drive) -> None:
        """Where the new key is taken, the old session stays as it was."""
        drive(store.create(record("old")))
        drive(store.create(record("new", data={"who": b"first"})))
        with pytest.raises(KeyTaken) as refused:
            drive(store.replace(login(record("new"), old=record("old"), tombstone=GRAVE)))

        assert refused.value.key == key("new")
        assert drive(store.read(key("old"))) == record("old")
        assert drive(store.read(key("new"))) == record("new", data={"who": b"first"})

    @needs(Capability.OWNERS)
    def test_index_changes_with_the_record(self, store: Store, drive: Drive) -> None:
        """The old session leaves its owner's index when the new one enters its own."""
        old, grave = record("old", owner="bob"), GRAVE
        drive(store.replace(login(old)))
        new = record("new", owner="alice")
        drive(store.replace(login(new, old=old, tombstone=grave)))

        assert records_of(store, drive, "bob") == []
        assert drive(store.delete_owned("bob")) == Deleted()
        assert records_of(store, drive, "alice") == [new]

    @needs(Capability.OWNERS)
    def test_session_of_nobody_takes_an_owned_ones_place(self, store: Store, drive: Drive) -> None:
        """A login that is half finished has no owner: its record is in no index."""
        old = record("old", owner="alice")
        drive(store.replace(login(old)))

        assert drive(store.replace(login(record("new"), old=old))) == Replaced()
        assert drive(store.read(key("new"))) == record("new")
        assert records_of(store, drive, "alice") == []

    @needs(Place.spoil)
    def test_corrupt_record_is_not_replaced(self, store: Store, drive: Drive, place: Place) -> None:
        """A row that is no record is the answer, and nothing was written."""
        drive(store.create(record("old")))
        place.spoil(key("old"), b"nonsense")
        refused = login(record("new"), old=record("old"), tombstone=GRAVE)

        assert drive(store.replace(refused)) == Corrupt(key("old"))
        assert drive(store.read(key("new"))) is None

    def test_nobody_sees_both_or_none(self, store: Store, drive: Drive) -> None:
        """Wherever somebody looks while a login is under way, one of the two sessions is there."""
        names = (f"old {n}" for n in count())

        def world() -> tuple[Record, Record]:
            old = record(next(names))
            drive(store.create(old))
            return old, record(f"new of {old.key}")

        def replace(rows: tuple[Record, Record]) -> Flow[ReplaceResult]:
            return store.replace(login(rows[1], old=rows[0]))

        async def look(rows: tuple[Record, Record]) -> list[Record | Corrupt | None]:
            return [await store.read(Key(row.key)) for row in rows]

        for met in interleavings(world, replace, look, drive=drive):
            old, new = met.world
            assert met.b.get() in ([old, None], [None, new]), met.stop

    def test_of_rival_logins_one_replaces(self, store: Store, drive: Drive) -> None:
        """Of several logins in place of one session at once, one stands, and the others know."""
        drive(store.create(record("old")))
        rows = [record(f"rival {n}") for n in range(RIVALS)]
        answers = drive.together(
            store.replace(login(row, old=record("old"), tombstone=GRAVE)) for row in rows
        )

        there = [row for row in rows if drive(store.read(Key(row.key))) is not None]
        assert answers.count(Replaced()) == len(there) == 1
        assert answers.count(Conflict(GRAVE)) == RIVALS - 1

    def test_login_and_commit_lose_nothing(self, store: Store, drive: Drive) -> None:
        """Wherever a login and a commit fall into each other, one of the two is told."""
        names = (f"old {n}" for n in count())

        def world() -> Record:
            row = record(next(names))
            drive(store.create(row))
            return row

        def replace(row: Record) -> Flow[ReplaceResult]:
            return store.replace(login(record(f"new of {row.key}", at=T0), old=row))

        def commit(row: Record) -> Flow[CommitResult]:
            return store.commit(change(row, {"who": b"rival"}))

        for met in interleavings(world, replace, commit, drive=drive):
            stood = isinstance(met.a.get(), Replaced), isinstance(met.b.get(), Committed)
            assert sorted(stood) == [False, True], met.stop
            old = drive(store.read(Key(met.world.key)))
            new = drive(store.read(key(f"new of {met.world.key}")))
            assert (old is None, new is None) == (stood[0], not stood[0]), met.stop
