"""What stores that several processes share promise: two handles are one store."""

from sessile.stores.contract import COMMITTED, Capability, Conflict, Full, OnLimit, Replaced, Store
from sessile.testing.drive import Drive
from sessile.testing.place import Place, needs
from sessile.testing.sample import change, key, login, record


class Sharing:
    """What one server writes every server reads, at once."""

    @needs(Capability.SHARED)
    def test_other_handle_reads_what_was_written(
        self, store: Store, other: Store, drive: Drive
    ) -> None:
        """A creation, commits and a deletion through one handle are seen at once through both."""
        row, handles = record(), (store, other)
        drive(store.create(row))
        assert [drive(handle.read(key("a"))) for handle in handles] == [row, row]

        for writer in (other, store, other):
            update = change(row, {"n": b"1"})
            drive(writer.commit(update))
            row = update.record
            assert [drive(handle.read(key("a"))) for handle in handles] == [row, row]

        drive(store.delete(key("a")))
        assert [drive(handle.read(key("a"))) for handle in handles] == [None, None]

    @needs(Capability.SHARED)
    def test_handles_conflict_with_each_other(
        self, store: Store, other: Store, drive: Drive
    ) -> None:
        """A commit from a version that was replaced through another handle is refused."""
        drive(store.create(record()))
        winner = change(record(), {"who": b"winner"})

        assert drive(store.commit(winner)) == COMMITTED
        assert drive(other.commit(change(record()))) == Conflict(winner.record)

    @needs(Capability.SHARED, Capability.OWNERS)
    def test_handles_share_an_index(self, store: Store, other: Store, drive: Drive) -> None:
        """Limits hold over all handles, rivals at once included."""
        handles = [store, other] * 4
        answers = drive.together(
            each.replace(login(record(f"{n}", owner="alice"), limit=3, on_limit=OnLimit.REFUSE))
            for n, each in enumerate(handles)
        )

        assert answers.count(Replaced()) == 3
        assert answers.count(Full()) == 5

    @needs(Capability.SHARED, Capability.SCAN)
    def test_scan_goes_on_through_another_handle(
        self, store: Store, other: Store, drive: Drive
    ) -> None:
        """A cursor belongs to the data: the next page can be asked of another server."""
        for n in range(50):
            drive(store.create(record(f"row {n}")))
        found, cursor, handles = set(), None, [store, other] * 50
        for handle in handles:
            page = drive(handle.scan(cursor, 10))
            found |= {row.key for row in page.records}
            cursor = page.cursor
            if cursor is None:
                break

        assert found == {key(f"row {n}") for n in range(50)}

    @needs(Capability.SHARED)
    def test_handle_outlives_the_other(self, store: Store, other: Store, drive: Drive) -> None:
        """Closing one handle leaves the other at work."""
        drive(other.create(record()))
        drive(other.close())

        assert drive(store.read(key("a"))) == record()

    @needs(Capability.DURABLE)
    def test_sessions_survive_a_restart(self, store: Store, drive: Drive, place: Place) -> None:
        """After the last handle was closed a new one finds what was written."""
        drive(store.create(record()))
        drive(store.close())

        again = place.open()
        try:
            assert drive(again.read(key("a"))) == record()
        finally:
            drive(again.close())
