"""Stores that read, keep or create rows wrongly."""

import pickle

import msgspec

from harness.reference_store import ReferenceStore
from mutations.stores.registry import breaks
from sessile.core.change import COMMITTED, GONE, Change
from sessile.core.client import NOBODY
from sessile.core.record import Record, evolve, unpack
from sessile.core.ticket import Key
from sessile.errors import KeyTaken, StoreUnavailable


@breaks("commit_never_creates", "nothing_is_left_of_nothing", "unknown_key_reads_as_none")
class RaisesForTheUnknown(ReferenceStore):
    def live(self, record, now):
        if record is None and not self.server.notes:
            raise KeyError("nothing was ever written")
        return super().live(record, now)

    def put(self, record):
        super().put(record)
        self.server.notes = "written"


@breaks(
    "deletion_can_leave_something",
    "moved_deadline_counts",
    "reading_changes_nothing",
    "record_is_over_at_its_absolute_deadline",
    "record_is_over_at_its_idle_deadline",
)
class ReturnsTheExpired(ReferenceStore):
    async def read(self, key, now):
        return await super().read(key, 0.0)


@breaks(
    "deletion_can_leave_something",
    "expired_sessions_are_not_owned",
    "expired_sessions_do_not_count",
    "moved_deadline_counts",
    "reading_changes_nothing",
    "record_is_over_at_its_absolute_deadline",
    "record_is_over_at_its_idle_deadline",
    "scan_passes_over_the_expired",
    "sweep_goes_by_batches",
    "sweep_removes_the_expired",
    "swept_sessions_do_not_count",
)
class LivesOneInstantTooLong(ReferenceStore):
    def live(self, record, now):
        return record if record and now <= record.expires else None


@breaks("record_is_over_at_its_absolute_deadline", "sweep_removes_the_expired")
class ForgetsTheAbsoluteDeadline(ReferenceStore):
    def live(self, record, now):
        return record if record and now < record.idle_until else None


@breaks("deletion_can_leave_something", "moved_deadline_counts", "sweep_leaves_the_living")
class KeepsTheFirstDeadline(ReferenceStore):
    async def read(self, key, now):
        found = await super().read(key, 0.0)
        return found if found and now < self.server.notes[key] else None

    def put(self, record):
        super().put(record)
        self.server.notes.setdefault(record.key, record.expires)


@breaks("moved_deadline_counts", "reading_changes_nothing", "record_is_over_at_its_idle_deadline")
class ProlongsWhatIsRead(ReferenceStore):
    async def read(self, key, now):
        found = await super().read(key, now)
        if found:
            self.put(evolve(found, idle_until=max(found.idle_until, now + 60.0)))
        return found


@breaks(
    "malformed_row_can_be_deleted",
    "malformed_row_hides_no_other_of_its_owner",
    "malformed_row_is_reported",
    "malformed_row_reads_as_none",
    "malformed_row_stops_no_scan",
    "malformed_row_takes_no_commit",
)
class RaisesForTheMalformed(ReferenceStore):
    def get(self, key):
        record = super().get(key)
        if record is None and key in self.rows:
            raise ValueError("this row is no record")
        return record


@breaks("malformed_row_reads_as_none")
class Unpickles(ReferenceStore):
    def get(self, key):
        if self.rows.get(key, b"").startswith(b"\x80"):
            pickle.loads(self.rows[key])
        return super().get(key)


@breaks("malformed_row_reads_as_none")
class TakesAnyRecordForTheRightOne(ReferenceStore):
    def get(self, key):
        try:
            return msgspec.msgpack.decode(self.rows.get(key, b""), type=Record)
        except (ValueError, RecursionError):
            return super().get(key)


@breaks("malformed_row_is_reported")
class TellsNobodyOfTheMalformed(ReferenceStore):
    def get(self, key):
        return unpack(self.rows.get(key, b""), Key(key))


@breaks("everybody_ended_reads_as_none", "malformed_row_is_reported")
class TellsOfTheMissing(ReferenceStore):
    def get(self, key):
        record = super().get(key)
        if record is None:
            self.malformed(Key(key))
        return record


@breaks("malformed_row_takes_no_commit")
class CommitsOverTheMalformed(ReferenceStore):
    def swap(self, change):
        answer = super().swap(change)
        if answer is GONE and change.record.key in self.rows:
            self.put(change.record)
        return answer


@breaks("malformed_row_can_be_deleted")
class CannotDeleteTheMalformed(ReferenceStore):
    def remove(self, key, owner):
        return None if self.get(key) is None else super().remove(key, owner)


@breaks("malformed_row_hides_no_other_of_its_owner")
class StopsTheIndexAtTheMalformed(ReferenceStore):
    def owned(self, owner, now):
        found = []
        for key in self.owners.get(owner, []):
            record = self.get(key)
            if record is None:
                break
            found.append(record)
        return [record for record in found if record.live_at(now)]


@breaks("malformed_row_stops_no_scan")
class StopsTheScanAtTheMalformed(ReferenceStore):
    def page(self, now, cursor, batch):
        page = super().page(now, cursor, batch)
        for key in sorted(self.rows):
            if self.get(key) is None:
                page.records[:] = [row for row in page.records if row.key < key]
        return page


@breaks("claimed_record_comes_back_whole", "created_record_comes_back_whole")
class RoundsInstants(ReferenceStore):
    def put(self, record):
        confirmed = record.confirmed and round(record.confirmed, 3)
        super().put(evolve(record, confirmed=confirmed))


@breaks("claimed_record_comes_back_whole", "created_record_comes_back_whole")
class ForgetsTheClient(ReferenceStore):
    def add(self, record):
        super().add(evolve(record, client=NOBODY))


@breaks("claimed_record_comes_back_whole")
class ForgetsTheDeviceOfAClaim(ReferenceStore):
    def admit(self, record, *rest):
        return super().admit(evolve(record, device=""), *rest)


@breaks("committed_record_comes_back_whole")
class KeepsWhatACommitRemoved(ReferenceStore):
    def swap(self, change):
        current = self.get(change.record.key)
        data = {**(current.data if current else {}), **change.set}
        return super().swap(Change(evolve(change.record, data=data), change.expected))


@breaks(
    "committed_record_comes_back_whole",
    "extended_session_stays_in_the_index",
    "extended_sessions_count",
    "moved_deadline_counts",
    "sweep_leaves_the_living",
)
class CommitsValuesAlone(ReferenceStore):
    def swap(self, change):
        current = self.get(change.record.key)
        answer = super().swap(change)
        if current and answer is COMMITTED:
            new = change.record
            self.put(evolve(current, version=new.version, data=new.data))
        return answer


@breaks("mebibyte_comes_back")
class TakesNoLargeValue(ReferenceStore):
    def put(self, record):
        super().put(record)
        if len(self.rows[record.key]) > 500_000:
            raise StoreUnavailable(self.name, "too large")


@breaks("one_key_is_two_records", "written_record_is_copied")
class KeepsTheWritersObject(ReferenceStore):
    def put(self, record):
        super().put(record)
        self.server.notes[record.key] = record

    def get(self, key):
        found, kept = super().get(key), self.server.notes.get(key)
        return evolve(found, data=dict(kept.data)) if found and kept else found


@breaks("read_record_is_a_copy")
class HandsOutItsOwnObject(ReferenceStore):
    def get(self, key):
        blob = self.rows.get(key)
        if blob is None or self.server.notes.get(key, (None,))[0] != blob:
            self.server.notes[key] = blob, super().get(key)
        return self.server.notes[key][1]


@breaks(
    "created_record_can_be_committed",
    "of_rival_creations_one_stands",
    "taken_key_is_not_claimed",
    "taken_key_is_refused",
)
class CreatesOverTheTaken(ReferenceStore):
    def add(self, record):
        self.put(record)


@breaks("taken_key_is_not_claimed", "taken_key_is_refused")
class NamesNoKey(ReferenceStore):
    def add(self, record):
        if record.key in self.rows:
            raise KeyTaken("")
        super().add(record)


@breaks("created_record_can_be_committed")
class CountsRefusedCreations(ReferenceStore):
    def add(self, record):
        taken = self.get(record.key)
        if taken:
            self.put(evolve(taken, version=record.version))
        super().add(record)


@breaks("of_rival_creations_one_stands")
class CreatesInTwoSteps(ReferenceStore):
    async def create(self, record):
        if await self.ask("look", lambda: record.key in self.rows):
            raise KeyTaken(record.key)
        await self.ask("put", lambda: self.put(record))


@breaks("keys_differ_by_case")
class FoldsTheCaseOfKeys(ReferenceStore):
    def get(self, key):
        same = (other for other in self.rows if other.lower() == key.lower())
        return super().get(next(same, key))
