"""Stores that scan or sweep wrongly."""

from harness.reference_store import ExpiringStore, ReferenceStore
from mutations.stores.registry import breaks
from sessile.stores.contract import Corrupt, Key, Page, Record
from sessile.testing.clock import T0


@breaks(
    "malformed_row_stops_no_scan",
    "page_of_a_scan_is_bounded_in_bytes",
    "scan_comes_in_pages",
    "scan_finds_every_record",
    "scan_finds_owned_records",
    "scan_finds_the_expired",
    "scan_of_nothing_ends",
    "scan_passes_over_the_deleted",
    "scan_passes_over_the_ended",
    "scan_sees_whatever_stays",
    "scan_stays_at_home",
)
class NeverEnds(ReferenceStore):
    def page(self, cursor, batch):
        page = super().page(cursor, batch)
        return Page(page.records, page.cursor or "~")


@breaks(
    "page_of_a_scan_is_bounded_in_bytes",
    "scan_finds_every_record",
    "scan_goes_on_through_another_handle",
    "scan_sees_whatever_stays",
)
class LosesTheLastOfAPage(ReferenceStore):
    def page(self, cursor, batch):
        page = super().page(cursor, batch)
        return page if page.cursor is None else Page(page.records[:-1], page.cursor)


@breaks("page_of_a_scan_is_bounded_in_bytes", "scan_finds_every_record", "scan_sees_whatever_stays")
class LosesTheLastPage(ReferenceStore):
    def page(self, cursor, batch):
        page = super().page(cursor, batch)
        return Page([], None) if cursor and page.cursor is None else page


@breaks("scan_finds_owned_records")
class ScansTheAnonymousAlone(ReferenceStore):
    def page(self, cursor, batch):
        page = super().page(cursor, batch)
        kept = [r for r in page.records if not isinstance(r, Record) or r.owner is None]
        return Page(kept, page.cursor)


@breaks("scan_comes_in_pages")
class ScansAllAtOnce(ReferenceStore):
    def page(self, cursor, batch):
        return super().page(cursor, 1_000_000)


@breaks("page_of_a_scan_is_bounded_in_bytes")
class ScansHoweverManyBytes(ReferenceStore):
    def page(self, cursor, batch):
        page = super().page(cursor, batch)
        while page.cursor and len(page.records) < batch:
            more = super().page(page.cursor, batch - len(page.records))
            page = Page(page.records + more.records, more.cursor)
        return page


@breaks("page_of_a_scan_is_bounded_in_bytes")
class EndsTheScanWithAFatPage(ReferenceStore):
    def page(self, cursor, batch):
        page = super().page(cursor, batch)
        return page if len(page.records) == batch else Page(page.records, None)


@breaks("scan_finds_the_expired")
class ScansTheLivingAlone(ReferenceStore):
    def page(self, cursor, batch):
        page = super().page(cursor, batch)
        kept = [r for r in page.records if not isinstance(r, Record) or r.live_at(T0)]
        return Page(kept, page.cursor)


@breaks("count_is_of_what_is_there")
class CountsAPage(ReferenceStore):
    def number(self):
        return min(super().number(), 100)


@breaks("count_is_of_what_is_there")
class CountsTheAnonymous(ReferenceStore):
    def number(self):
        return sum(self.get(key).owner is None for key in self.rows)


@breaks("count_is_of_what_is_there")
class CountsTheDeleted(ReferenceStore):
    def remove(self, key, owner):
        self.server.notes[key] = found = super().remove(key, owner)
        return found

    def number(self):
        return super().number() + len(self.server.notes)


@breaks("count_is_of_what_is_there")
class CountsTheIndexToo(ReferenceStore):
    def number(self):
        return super().number() + len(self.owners)


@breaks("scan_passes_over_the_deleted")
class ScansTheDeleted(ReferenceStore):
    def remove(self, key, owner):
        self.server.notes[key] = record = super().remove(key, owner)
        return record

    def page(self, cursor, batch):
        page = super().page(cursor, batch)
        return Page(page.records + list(filter(None, self.server.notes.values())), page.cursor)


@breaks("page_of_a_scan_is_bounded_in_bytes", "scan_sees_whatever_stays")
class CountsPlacesInAList(ReferenceStore):
    def page(self, cursor, batch):
        start = int(cursor or 0)
        found = [self.get(key) for key in list(self.rows)[start : start + batch]]
        return Page(found, str(start + batch) if len(found) == batch else None)


@breaks("scan_goes_on_through_another_handle")
class KeepsTheCursorToItself(ReferenceStore):
    def page(self, cursor, batch):
        if cursor and not hasattr(self, "cursor"):
            return Page([], None)
        page = super().page(self.cursor if cursor else "", batch)
        self.cursor = page.cursor or ""
        return Page(page.records, page.cursor and "next")


@breaks("sweep_goes_by_batches", "sweep_removes_the_expired", "swept_sessions_do_not_count")
class SweepsNothing(ReferenceStore):
    def clean(self, now, batch):
        return 0


@breaks("sweep_goes_by_batches", "sweep_removes_the_expired", "swept_sessions_do_not_count")
class SweepsOneInstantTooLate(ReferenceStore):
    def clean(self, now, batch):
        return super().clean(now - 0.001, batch)


@breaks("sweep_leaves_the_living", "swept_sessions_do_not_count")
class SweepsWhatIsOld(ReferenceStore):
    def clean(self, now, batch):
        old = [key for key in self.rows if self.get(key).created <= now - 60.0]
        for key in old[:batch]:
            self.remove(key, None)
        return len(old[:batch])


@breaks("sweep_leaves_the_living")
class SweepsByTheFirstDeadline(ReferenceStore):
    def put(self, record):
        super().put(record)
        self.server.notes.setdefault(record.key, record.expires)

    def clean(self, now, batch):
        over = [key for key in self.rows if self.server.notes[key] <= now][:batch]
        for key in over:
            self.remove(key, None)
        return len(over)


@breaks("sweep_goes_by_batches")
class SweepsAllAtOnce(ReferenceStore):
    def clean(self, now, batch):
        return super().clean(now, 1_000_000)


@breaks("swept_sessions_do_not_count")
class CountsTheSwept(ReferenceStore):
    def clean(self, now, batch):
        index = {owner: list(keys) for owner, keys in self.owners.items()}
        swept = super().clean(now, batch)
        self.server.notes |= index if swept else {}
        return swept

    def rivals(self, replacement):
        before = self.server.notes.get(replacement.new.owner, ())
        swept = [Corrupt(Key(key)) for key in before if key not in self.rows]
        return [*swept, *super().rivals(replacement)]


@breaks("server_that_expires_is_not_swept")
class SweepsWhatExpiresByItself(ExpiringStore):
    def clean(self, now, batch):
        return ReferenceStore.clean(self, now, batch)


@breaks("server_expires_after_the_deadline")
class ExpiresTooEarly(ExpiringStore):
    def put(self, record):
        super().put(record)
        self.server.collected[record.key] = record.expires - 1.0


@breaks("server_expires_after_the_deadline")
class ExpiresAtTheFirstDeadline(ExpiringStore):
    def put(self, record):
        first = self.server.collected.get(record.key)
        super().put(record)
        if first:
            self.server.collected[record.key] = first


@breaks("server_expires_after_the_deadline")
class NeverExpires(ExpiringStore):
    def put(self, record):
        super().put(record)
        self.server.collected[record.key] = float("inf")
