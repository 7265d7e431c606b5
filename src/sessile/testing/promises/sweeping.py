"""What ``sweep`` promises, and what a server that expires rows by itself promises instead."""

from sessile.stores.contract import Capability, OnLimit, Replaced, Store
from sessile.testing.clock import T0
from sessile.testing.drive import Drive
from sessile.testing.place import Place, needs, unless
from sessile.testing.sample import change, key, login, record, records_of


class Sweeping:
    """What is past its deadline goes, a batch at a time; nothing else does."""

    @unless(Capability.NATIVE_EXPIRY)
    def test_sweep_removes_the_expired(self, store: Store, drive: Drive) -> None:
        """What has reached a deadline is removed and counted; its key is free again."""
        idle, absolute = record("a", idle=60.0), record("b", idle=600.0, absolute=60.0)
        drive(store.create(idle))
        drive(store.create(absolute))

        assert drive(store.sweep(T0 + 60.0)) == 2
        drive(store.create(idle))
        assert drive(store.read(key("a"))) == idle
        assert drive(store.read(key("b"))) is None

    def test_sweep_leaves_the_living(self, store: Store, drive: Drive) -> None:
        """What has not reached its deadline stays, also where a commit moved it."""
        row = record("a", idle=60.0)
        drive(store.create(row))
        update = change(row, idle_until=T0 + 600.0)
        drive(store.commit(update))
        drive(store.create(record("b")))
        drive(store.sweep(T0 + 60.0))

        assert drive(store.read(key("a"))) == update.record
        assert drive(store.read(key("b"))) == record("b")

    @unless(Capability.NATIVE_EXPIRY)
    def test_sweep_goes_by_batches(self, store: Store, drive: Drive) -> None:
        """A sweep removes a batch and says how many; 0 says that none are left."""
        for n in range(5):
            drive(store.create(record(f"row {n}", idle=60.0)))

        assert [drive(store.sweep(T0 + 60.0, 2)) for _ in range(4)] == [2, 2, 1, 0]

    @unless(Capability.NATIVE_EXPIRY)
    @needs(Capability.OWNERS)
    def test_swept_sessions_do_not_count(self, store: Store, drive: Drive) -> None:
        """After a sweep the index holds the living alone."""
        drive(store.replace(login(record("a", owner="alice", idle=60.0))))
        drive(store.replace(login(record("b", owner="alice"))))
        drive(store.sweep(T0 + 60.0))

        assert records_of(store, drive, "alice") == [record("b", owner="alice")]
        late = login(record("c", owner="alice"), now=T0 + 60.0, limit=2, on_limit=OnLimit.REFUSE)
        assert drive(store.replace(late)) == Replaced()

    @needs(Capability.NATIVE_EXPIRY)
    def test_server_that_expires_is_not_swept(self, store: Store, drive: Drive) -> None:
        """Where the server removes the expired a sweep has nothing to do."""
        drive(store.create(record(idle=60.0)))

        assert drive(store.sweep(T0 + 60.0)) == 0

    @needs(Capability.NATIVE_EXPIRY, Place.server_expiry)
    def test_server_expires_after_the_deadline(
        self, store: Store, drive: Drive, place: Place
    ) -> None:
        """The server never removes a row before its deadline, nor much later; commits move both."""
        row = record(idle=60.0)
        drive(store.create(row))
        assert 0.0 <= place.server_expiry(key("a")) - row.expires < 86_400.0

        update = change(row, idle_until=T0 + 600.0)
        drive(store.commit(update))
        assert 0.0 <= place.server_expiry(key("a")) - update.record.expires < 86_400.0
