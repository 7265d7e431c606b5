"""What two stores under different prefixes promise: on one server, as if on two."""

from sessile.stores.contract import Capability, Replaced, Store
from sessile.testing.clock import T0
from sessile.testing.drive import Drive
from sessile.testing.place import Place, needs
from sessile.testing.promises.scanning import scan_all
from sessile.testing.sample import change, key, login, record, records_of


class Neighbours:
    """Namespaces never touch."""

    @needs(Place.neighbour)
    def test_one_key_is_two_records(self, store: Store, neighbour: Store, drive: Drive) -> None:
        """The same key under another prefix is another session: written, committed, deleted."""
        mine, theirs = record(data={"who": b"me"}), record(data={"who": b"them"})
        drive(store.create(mine))
        assert drive(neighbour.read(key("a"))) is None
        drive(neighbour.create(theirs))
        drive(neighbour.commit(change(theirs, {"n": b"1"})))
        assert drive(store.read(key("a"))) == mine

        drive(neighbour.delete(key("a")))
        assert drive(store.read(key("a"))) == mine

    @needs(Place.neighbour, Capability.OWNERS)
    def test_one_name_is_two_owners(self, store: Store, neighbour: Store, drive: Drive) -> None:
        """The same user under another prefix is another user."""
        drive(store.replace(login(record("a", owner="alice"))))

        assert records_of(neighbour, drive, "alice") == []
        assert drive(neighbour.replace(login(record("b", owner="alice"), limit=1))) == Replaced()

    @needs(Place.neighbour, Capability.SCAN)
    def test_scan_stays_at_home(self, store: Store, neighbour: Store, drive: Drive) -> None:
        """A scan finds the records of its own prefix alone, in both directions."""
        drive(store.create(record("a")))
        drive(neighbour.create(record("b")))

        assert scan_all(store, drive).keys() == {key("a")}
        assert scan_all(neighbour, drive).keys() == {key("b")}

    @needs(Place.neighbour)
    def test_sweep_stays_at_home(self, store: Store, neighbour: Store, drive: Drive) -> None:
        """A sweep removes the expired of its own prefix alone."""
        drive(neighbour.create(record("a", idle=60.0)))
        drive(store.sweep(T0 + 60.0))

        assert drive(neighbour.read(key("a"))) == record("a", idle=60.0)
