"""What ``read`` promises. ``promises.malformed`` has rows that are no records."""

from sessile.stores.contract import Store
from sessile.testing.clock import T0
from sessile.testing.drive import Drive
from sessile.testing.sample import key, record


class Reading:
    """What is there or None, and nothing changed by looking."""

    def test_unknown_key_reads_as_none(self, store: Store, drive: Drive) -> None:
        """A key that was never written is None, never an error."""
        assert drive(store.read(key("a"))) is None

    def test_expired_record_is_read_as_it_is(self, store: Store, drive: Drive) -> None:
        """Deadlines are the service's business: until it is swept, what expired is still read."""
        row = record(at=T0 - 3600.0, idle=60.0, absolute=120.0)
        drive(store.create(row))

        assert drive(store.read(key("a"))) == row

    def test_reading_changes_nothing(self, store: Store, drive: Drive) -> None:
        """A record that was read often is the record that was written."""
        row = record(idle=60.0)
        drive(store.create(row))

        for _ in range(3):
            assert drive(store.read(key("a"))) == row
