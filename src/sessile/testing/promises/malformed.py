"""What a store promises about rows that are no records: truncated, foreign, swapped, hostile."""

import pickle
from collections.abc import Iterator

import msgspec

from sessile.core.record import pack
from sessile.stores.contract import Capability, Corrupt, OnLimit, Replaced, Store
from sessile.testing.drive import Drive
from sessile.testing.place import Place, needs
from sessile.testing.promises.scanning import scan_all
from sessile.testing.sample import change, key, login, record, records_of


class Bomb:
    """Goes off when somebody unpickles it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise AssertionError('a row was unpickled')",)


def no_records() -> Iterator[bytes]:
    """Yield bytes that are no record of the key ``a``."""
    whole = pack(record("a"))
    newer = msgspec.msgpack.encode([99, *msgspec.msgpack.decode(whole)[1:]])
    yield from (b"", b"\x00", b"nonsense", whole[:-1], whole[: len(whole) // 2], whole + b"\x00")
    yield from (pickle.dumps(Bomb()), newer, pack(record("b")), b"\x91" * 10_000)


class MalformedRows:
    """A row that is no record is ``Corrupt`` by its key; it hurts nobody else."""

    @needs(Place.spoil)
    def test_malformed_row_reads_as_corrupt(self, store: Store, drive: Drive, place: Place) -> None:
        """A row that is no record of its key is ``Corrupt``, never an error, never executed."""
        drive(store.create(record("a")))
        for blob in no_records():
            place.spoil(key("a"), blob)

            assert drive(store.read(key("a"))) == Corrupt(key("a"))

    @needs(Place.spoil)
    def test_malformed_row_is_told_by_its_key(
        self, store: Store, drive: Drive, place: Place
    ) -> None:
        """The answer names the key of the row that is no record; the others are as they were."""
        for name in "ab":
            drive(store.create(record(name)))
        place.spoil(key("a"), b"nonsense")

        answers = [drive(store.read(key(name))) for name in "abc"]
        assert answers == [Corrupt(key("a")), record("b"), None]

    @needs(Place.spoil)
    def test_malformed_row_takes_no_commit(self, store: Store, drive: Drive, place: Place) -> None:
        """A commit to a row that is no record is told so, and the row stays as it is."""
        row = record("a")
        drive(store.create(row))
        place.spoil(key("a"), b"nonsense")

        assert drive(store.commit(change(row))) == Corrupt(key("a"))
        assert drive(store.read(key("a"))) == Corrupt(key("a"))

    @needs(Place.spoil)
    def test_malformed_row_can_be_deleted(self, store: Store, drive: Drive, place: Place) -> None:
        """Deleting a row that is no record returns that, and its key is free again."""
        drive(store.create(record("a")))
        place.spoil(key("a"), b"nonsense")

        assert drive(store.delete(key("a"))) == Corrupt(key("a"))
        drive(store.create(record("a")))
        assert drive(store.read(key("a"))) == record("a")

    @needs(Capability.OWNERS, Place.spoil)
    def test_malformed_row_hides_no_other_of_its_owner(
        self, store: Store, drive: Drive, place: Place
    ) -> None:
        """An owner's sound sessions are found and counted beside a row that is no record."""
        rows = [record(name, owner="alice") for name in "abc"]
        for row in rows:
            drive(store.replace(login(row)))
        place.spoil(key("b"), b"nonsense")

        assert records_of(store, drive, "alice") == [rows[0], Corrupt(key("b")), rows[2]]
        late = login(record("d", owner="alice"), limit=3, on_limit=OnLimit.REFUSE)
        assert drive(store.replace(late)) == Replaced()

    @needs(Capability.SCAN, Place.spoil)
    def test_malformed_row_stops_no_scan(self, store: Store, drive: Drive, place: Place) -> None:
        """A scan goes on past a row that is no record."""
        rows = [record(name) for name in "abc"]
        for row in rows:
            drive(store.create(row))
        place.spoil(key("b"), b"nonsense")

        found = scan_all(store, drive).values()
        assert [row for row in found if isinstance(row, Corrupt)] == [Corrupt(key("b"))]
        assert {row.key for row in found} == {key("a"), key("b"), key("c")}
