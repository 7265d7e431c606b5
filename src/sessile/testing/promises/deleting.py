"""What ``delete`` promises. ``promises.owners`` has what it does to the index."""

from sessile.core.record import RecordKind
from sessile.stores.contract import Conflict, Store
from sessile.testing.drive import Drive
from sessile.testing.sample import change, key, record

RIVALS = 8


class Deleting:
    """What is deleted is gone, and one caller is told what it was."""

    def test_deletion_returns_what_was(self, store: Store, drive: Drive) -> None:
        """Deleting returns the record in its newest version, and it is gone."""
        drive(store.create(record()))
        update = change(record(), {"n": b"1"})
        drive(store.commit(update))

        assert drive(store.delete(key("a"))) == update.record
        assert drive(store.read(key("a"))) is None

    def test_deleting_nothing_is_no_error(self, store: Store, drive: Drive) -> None:
        """Deleting what was never there, or what is gone, is None."""
        drive(store.create(record()))
        drive(store.delete(key("a")))

        assert drive(store.delete(key("a"))) is None
        assert drive(store.delete(key("never"), "nobody")) is None

    def test_deletion_leaves_the_others(self, store: Store, drive: Drive) -> None:
        """Deleting one record leaves every other one."""
        for name in "abc":
            drive(store.create(record(name)))
        drive(store.delete(key("b")))

        assert drive(store.read(key("a"))) == record("a")
        assert drive(store.read(key("c"))) == record("c")

    def test_deleted_key_is_free(self, store: Store, drive: Drive) -> None:
        """A key can be created anew after its deletion, from version 1."""
        drive(store.create(record(data={"who": b"first"})))
        drive(store.delete(key("a")))
        drive(store.create(record(data={"who": b"second"})))

        assert drive(store.read(key("a"))) == record(data={"who": b"second"})

    def test_deletion_can_leave_something(self, store: Store, drive: Drive) -> None:
        """What a deletion leaves stands under the key; what it returns is what was there before."""
        left = record(idle=60.0, version=0, kind=RecordKind.TOMBSTONE)
        drive(store.create(record()))

        assert drive(store.delete(key("a"), leaving=left)) == record()
        assert drive(store.read(key("a"))) == left
        assert drive(store.delete(key("a"))) == left
        assert drive(store.read(key("a"))) is None

    def test_nothing_is_left_of_nothing(self, store: Store, drive: Drive) -> None:
        """Where there was no record a deletion leaves none."""
        assert drive(store.delete(key("a"), leaving=record())) is None
        assert drive(store.read(key("a"))) is None

    def test_what_is_left_takes_no_late_commit(self, store: Store, drive: Drive) -> None:
        """A commit to the record that was there conflicts with what is left in its place."""
        left = record(version=0, kind=RecordKind.TOMBSTONE)
        drive(store.create(record()))
        drive(store.delete(key("a"), leaving=left))

        assert drive(store.commit(change(record()))) == Conflict(left)
        assert drive(store.read(key("a"))) == left

    def test_of_rival_deletions_one_is_told(self, store: Store, drive: Drive) -> None:
        """Of several deletions at once exactly one returns the record: it ended the session."""
        drive(store.create(record()))
        answers = drive.together(store.delete(key("a")) for _ in range(RIVALS))

        assert answers.count(record()) == 1
        assert answers.count(None) == RIVALS - 1

    def test_of_rivals_that_leave_something_one_is_told(self, store: Store, drive: Drive) -> None:
        """Of several deletions that leave something exactly one returns the session."""
        left = record(version=0, kind=RecordKind.TOMBSTONE)
        drive(store.create(record()))
        answers = drive.together(store.delete(key("a"), leaving=left) for _ in range(RIVALS))

        assert answers.count(record()) == 1
        assert answers.count(left) == RIVALS - 1
