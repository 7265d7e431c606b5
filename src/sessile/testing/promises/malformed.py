"""What a store promises about rows that are no records: truncated, foreign, swapped, hostile."""

import pickle
from collections.abc import Iterator

import msgspec

from sessile.core.change import GONE, Capability
from sessile.core.record import pack
from sessile.core.ticket import Key
from sessile.stores.contract import Store
from sessile.testing.clock import T0
from sessile.testing.drive import Drive
from sessile.testing.place import Place, needs
from sessile.testing.sample import change, key, record


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
    """A malformed row is absent and reported; it hurts nobody else."""

    @needs(Place.spoil)
    def test_malformed_row_reads_as_none(self, store: Store, drive: Drive, place: Place) -> None:
        """A row that is no record of its key is None, never an error and never executed."""
        drive(store.create(record("a")))
        for blob in no_records():
            place.spoil(key("a"), blob)

            assert drive(store.read(key("a"), T0)) is None

    @needs(Place.spoil)
    def test_malformed_row_is_reported(self, store: Store, drive: Drive, place: Place) -> None:
        """The store's listener hears the key of a row that is no record, and of no other."""
        heard: list[Key] = []
        store.malformed = heard.append
        for name in "ab":
            drive(store.create(record(name)))
        place.spoil(key("a"), b"nonsense")
        for name in "abc":
            drive(store.read(key(name), T0))

        assert set(heard) == {key("a")}

    @needs(Place.spoil)
    def test_malformed_row_takes_no_commit(self, store: Store, drive: Drive, place: Place) -> None:
        """A commit finds no session in a row that is no record."""
        row = record("a")
        drive(store.create(row))
        place.spoil(key("a"), b"nonsense")

        assert drive(store.commit(change(row))) == GONE
        assert drive(store.read(key("a"), T0)) is None

    @needs(Place.spoil)
    def test_malformed_row_can_be_deleted(self, store: Store, drive: Drive, place: Place) -> None:
        """Deleting a row that is no record returns None, and its key is free again."""
        drive(store.create(record("a")))
        place.spoil(key("a"), b"nonsense")

        assert drive(store.delete(key("a"))) is None
        drive(store.create(record("a")))
        assert drive(store.read(key("a"), T0)) == record("a")

    @needs(Capability.OWNERS, Place.spoil)
    def test_malformed_row_hides_no_other_of_its_owner(
        self, store: Store, drive: Drive, place: Place
    ) -> None:
        """An owner's sound sessions are found and counted beside a row that is no record."""
        rows = [record(name, owner="alice") for name in "abc"]
        for row in rows:
            drive(store.claim(row, T0))
        place.spoil(key("b"), b"nonsense")

        assert drive(store.owned_by("alice", T0)) == [rows[0], rows[2]]

    @needs(Capability.SCAN, Place.spoil)
    def test_malformed_row_stops_no_scan(self, store: Store, drive: Drive, place: Place) -> None:
        """A scan passes over a row that is no record."""
        rows = [record(name) for name in "abc"]
        for row in rows:
            drive(store.create(row))
        place.spoil(key("b"), b"nonsense")

        page = drive(store.scan(T0))
        assert {row.key for row in page.records} == {key("a"), key("c")}
