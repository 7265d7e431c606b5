"""What ``scan`` promises: pages, and on them whatever was there all the time."""

from collections.abc import Iterator

from sessile.stores.contract import PAGE_BYTES, Capability, Corrupt, HasSize, Page, Record, Store
from sessile.testing.clock import T0
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.sample import key, login, record

MANY = 205
FAT = PAGE_BYTES * 3 // 8
"""Bytes of a value: the third record that has one ends a page."""

ENOUGH = 3 * MANY
"""Pages after which a scan that has not ended never will."""


def pages(store: Store, drive: Drive, batch: int = 10) -> Iterator[Page]:
    """Yield the pages of a whole scan."""
    cursor = None
    for _ in range(ENOUGH):
        page = drive(store.scan(cursor, batch))
        yield page
        cursor = page.cursor
        if cursor is None:
            return
    raise AssertionError(f"the scan had not ended after {ENOUGH} pages")


def scan_all(store: Store, drive: Drive) -> dict[str, Record | Corrupt]:
    """Return everything that a whole scan finds."""
    return {row.key: row for page in pages(store, drive) for row in page.records}


class Scanning:
    """Every record is found, a page at a time."""

    @needs(Capability.SCAN)
    def test_scan_of_nothing_ends(self, store: Store, drive: Drive) -> None:
        """An empty store has no records on any page."""
        assert scan_all(store, drive) == {}

    @needs(Capability.SCAN)
    def test_scan_finds_every_record(self, store: Store, drive: Drive) -> None:
        """Every record is on some page, whole."""
        rows = [record(f"row {n}") for n in range(MANY)]
        for row in rows:
            drive(store.create(row))

        assert scan_all(store, drive) == {row.key: row for row in rows}

    @needs(Capability.SCAN, Capability.OWNERS)
    def test_scan_finds_owned_records(self, store: Store, drive: Drive) -> None:
        """Replaced and created records are found alike, and the index is no record."""
        rows = [record("a", owner="alice"), record("b")]
        drive(store.replace(login(rows[0])))
        drive(store.create(rows[1]))

        assert scan_all(store, drive) == {row.key: row for row in rows}

    @needs(Capability.SCAN)
    def test_scan_comes_in_pages(self, store: Store, drive: Drive) -> None:
        """A page has about as many records as were asked for, so many records take many pages."""
        for n in range(MANY):
            drive(store.create(record(f"row {n}")))
        sizes = [len(page.records) for page in pages(store, drive, batch=10)]

        assert max(sizes) <= MANY // 4

    @needs(Capability.SCAN)
    def test_page_of_a_scan_is_bounded_in_bytes(self, store: Store, drive: Drive) -> None:
        """A page ends with the record that fills it, and nothing is missing on the next."""
        rows = [record(f"row {n}", data={"v": bytes(FAT)}) for n in range(7)]
        for row in rows:
            drive(store.create(row))
        found = list(pages(store, drive, batch=100))

        assert max(len(page.records) for page in found) <= 3
        assert {row.key: row for page in found for row in page.records} == {r.key: r for r in rows}

    @needs(Capability.SCAN)
    def test_scan_finds_the_expired(self, store: Store, drive: Drive) -> None:
        """What expired and was not removed is on a page like all else; the service judges it."""
        short, long = record("short", at=T0 - 3600.0, idle=60.0), record("long")
        drive(store.create(short))
        drive(store.create(long))

        assert scan_all(store, drive) == {short.key: short, long.key: long}

    @needs(Capability.SCAN)
    def test_count_is_of_what_is_there(self, store: Store, drive: Drive) -> None:
        """The count has every record that was stored and not removed, owned or not.

        An estimate may have what was removed a moment ago.
        """
        for n in range(MANY):
            drive(store.create(record(f"row {n}")))
        drive(store.replace(login(record("owned", owner="alice"))))
        drive(store.delete(key("row 0")))

        is_estimate = isinstance(store, HasSize) and drive(store.size()).is_estimate
        assert MANY <= drive(store.count()) <= MANY + is_estimate

    @needs(Capability.SCAN)
    def test_scan_passes_over_the_deleted(self, store: Store, drive: Drive) -> None:
        """A deleted record is on no page."""
        drive(store.create(record("a")))
        drive(store.create(record("b")))
        drive(store.delete(key("a")))

        assert scan_all(store, drive).keys() == {key("b")}

    @needs(Capability.SCAN)
    def test_scan_sees_whatever_stays(self, store: Store, drive: Drive) -> None:
        """A record that lives through the whole scan is found while others come and go."""
        stay = {key(f"stays {n}") for n in range(MANY // 2)}
        for n in range(MANY // 2):
            drive(store.create(record(f"stays {n}")))
            drive(store.create(record(f"goes {n}")))
        found: set[str] = set()
        for n, page in enumerate(pages(store, drive)):
            found |= {row.key for row in page.records}
            for step in range(5):
                drive(store.delete(key(f"goes {5 * n + step}")))
                drive(store.create(record(f"comes {5 * n + step}")))

        assert found >= stay
