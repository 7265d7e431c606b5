"""What ``read`` promises. ``promises.malformed`` has rows that are no records."""

import math

from sessile.stores.contract import Store
from sessile.testing.clock import T0
from sessile.testing.drive import Drive
from sessile.testing.sample import change, key, record


class Reading:
    """The live record or None, and nothing changed by looking."""

    def test_unknown_key_reads_as_none(self, store: Store, drive: Drive) -> None:
        """A key that was never written is None, never an error."""
        assert drive(store.read(key("a"), T0)) is None

    def test_record_is_over_at_its_idle_deadline(self, store: Store, drive: Drive) -> None:
        """A record lives until just before its idle deadline; at the deadline it is None."""
        row = record(idle=60.0)
        drive(store.create(row))

        assert drive(store.read(key("a"), math.nextafter(row.idle_until, 0.0))) == row
        assert drive(store.read(key("a"), row.idle_until)) is None

    def test_record_is_over_at_its_absolute_deadline(self, store: Store, drive: Drive) -> None:
        """However long the idle time, the absolute deadline ends a record."""
        row = record(idle=3600.0, absolute=60.0)
        drive(store.create(row))

        assert drive(store.read(key("a"), math.nextafter(row.until, 0.0))) == row
        assert drive(store.read(key("a"), row.until)) is None

    def test_moved_deadline_counts(self, store: Store, drive: Drive) -> None:
        """A commit that moves the idle deadline keeps the record alive until the new one."""
        row = record(idle=60.0)
        drive(store.create(row))
        drive(store.commit(change(row, idle_until=T0 + 120.0)))

        assert drive(store.read(key("a"), T0 + 119.0)) is not None
        assert drive(store.read(key("a"), T0 + 120.0)) is None

    def test_reading_changes_nothing(self, store: Store, drive: Drive) -> None:
        """A record that was read late and often is the record that was written."""
        row = record(idle=60.0)
        drive(store.create(row))

        for passed in range(0, 60, 20):
            assert drive(store.read(key("a"), T0 + passed)) == row
        assert drive(store.read(key("a"), row.idle_until)) is None
