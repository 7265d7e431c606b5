"""Stores that scan or sweep wrongly."""

from harness.reference_store import ExpiringStore, ReferenceStore
from mutations.stores.registry import breaks
from sessile.core.change import Page
from sessile.core.ticket import Key


@breaks(
    "scan_comes_in_pages",
    "scan_finds_every_record",
    "scan_finds_owned_records",
    "scan_of_nothing_ends",
    "scan_passes_over_the_deleted",
    "scan_passes_over_the_ended",
    "scan_passes_over_the_expired",
    "scan_sees_whatever_stays",
    "scan_stays_at_home",
)
class NeverEnds(ReferenceStore):
    def page(self, now, cursor, batch):
        page = super().page(now, cursor, batch)
        return Page(page.records, page.cursor or "~")


@breaks(
    "scan_finds_every_record", "scan_goes_on_through_another_handle", "scan_sees_whatever_stays"
)
class LosesTheLastOfAPage(ReferenceStore):
    def page(self, now, cursor, batch):
        page = super().page(now, cursor, batch)
        return page if page.cursor is None else Page(page.records[:-1], page.cursor)


@breaks("scan_finds_every_record", "scan_sees_whatever_stays")
class LosesTheLastPage(ReferenceStore):
    def page(self, now, cursor, batch):
        page = super().page(now, cursor, batch)
        return Page([], None) if cursor and page.cursor is None else page


@breaks("scan_finds_owned_records")
class ScansTheAnonymousAlone(ReferenceStore):
    def page(self, now, cursor, batch):
        page = super().page(now, cursor, batch)
        return Page([row for row in page.records if row.owner is None], page.cursor)


@breaks("scan_comes_in_pages")
class ScansAllAtOnce(ReferenceStore):
    def page(self, now, cursor, batch):
        return super().page(now, cursor, 1_000_000)


@breaks("scan_passes_over_the_expired")
class ScansTheExpired(ReferenceStore):
    def page(self, now, cursor, batch):
        return super().page(0.0, cursor, batch)


@breaks("scan_passes_over_the_deleted")
class ScansTheDeleted(ReferenceStore):
    def remove(self, key, owner):
        self.server.notes[key] = record = super().remove(key, owner)
        return record

    def page(self, now, cursor, batch):
        page = super().page(now, cursor, batch)
        return Page(page.records + list(filter(None, self.server.notes.values())), page.cursor)


@breaks("scan_sees_whatever_stays")
class CountsPlacesInAList(ReferenceStore):
    def page(self, now, cursor, batch):
        start = int(cursor or 0)
        found = [self.get(key) for key in list(self.rows)[start : start + batch]]
        live = [row for row in found if self.live(row, now)]
        return Page(live, str(start + batch) if len(found) == batch else None)


@breaks("scan_goes_on_through_another_handle")
class KeepsTheCursorToItself(ReferenceStore):
    def page(self, now, cursor, batch):
        if cursor and not hasattr(self, "cursor"):
            return Page([], None)
        page = super().page(now, self.cursor if cursor else "", batch)
        self.cursor = page.cursor or ""
        return Page(page.records, page.cursor and "next")


@breaks("sweep_goes_by_batches", "sweep_removes_the_expired")
class SweepsNothing(ReferenceStore):
    def clean(self, now, batch):
        return 0


@breaks("sweep_goes_by_batches", "sweep_removes_the_expired")
class SweepsOneInstantTooLate(ReferenceStore):
    def clean(self, now, batch):
        return super().clean(now - 0.001, batch)


@breaks("sweep_leaves_the_living", "swept_sessions_do_not_count")
class SweepsWhatIsOld(ReferenceStore):
    def clean(self, now, batch):
        old = [key for key in self.rows if (row := self.get(key)) and row.created <= now - 60.0]
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

    def over(self, record, now, limit):
        before = self.server.notes.get(record.owner, [])
        swept = [Key(key) for key in before if key not in self.rows]
        over = super().over(record, now, limit)
        return over if limit is None else [*swept, *over]


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
