"""Stores that read, keep or create rows wrongly."""

import pickle

import msgspec

from harness.reference_store import ReferenceStore
from mutations.stores.registry import breaks
from sessile.core.client import NOBODY
from sessile.core.record import evolve
from sessile.errors import KeyTaken, StoreUnavailable
from sessile.stores.contract import COMMITTED, GONE, Change, Corrupt, Key, Record
from sessile.testing.clock import T0

MALFORMED = (
    "corrupt_record_is_not_replaced",
    "malformed_row_can_be_deleted",
    "malformed_row_hides_no_other_of_its_owner",
    "malformed_row_is_told_by_its_key",
    "malformed_row_reads_as_corrupt",
    "malformed_row_stops_no_scan",
    "malformed_row_takes_no_commit",
)
"""Every promise about a row that is no record."""


@breaks("commit_never_creates", "nothing_is_left_of_nothing", "unknown_key_reads_as_none")
class RaisesForTheUnknown(ReferenceStore):
    def get(self, key):
        if key not in self.rows and not self.server.notes:
            raise KeyError("nothing was ever written")
        return super().get(key)

    def put(self, record):
        super().put(record)
        self.server.notes = "written"


@breaks("expired_record_is_read_as_it_is")
class HidesTheExpired(ReferenceStore):
    async def read(self, key):
        found = await super().read(key)
        return None if isinstance(found, Record) and not found.live_at(T0) else found


@breaks(
    "expired_sessions_do_not_count",
    "sweep_goes_by_batches",
    "sweep_removes_the_expired",
    "swept_sessions_do_not_count",
)
class LivesOneInstantTooLong(ReferenceStore):
    def live(self, record, now):
        return isinstance(record, Record) and now <= record.expires


@breaks("sweep_removes_the_expired")
class ForgetsTheAbsoluteDeadline(ReferenceStore):
    def live(self, record, now):
        return isinstance(record, Record) and now < record.idle_until


@breaks("extended_sessions_count", "sweep_leaves_the_living")
class KeepsTheFirstDeadline(ReferenceStore):
    def live(self, record, now):
        return isinstance(record, Record) and now < self.server.notes[record.key]

    def put(self, record):
        super().put(record)
        self.server.notes.setdefault(record.key, record.expires)


@breaks(
    "deletion_can_leave_something", "reading_changes_nothing", "tombstone_stands_under_the_old_key"
)
class ProlongsWhatIsRead(ReferenceStore):
    async def read(self, key):
        found = await super().read(key)
        if isinstance(found, Record):
            self.put(evolve(found, idle_until=max(found.idle_until, found.seen + 600.0)))
        return found


@breaks(
    "corrupt_record_is_not_replaced",
    "malformed_row_can_be_deleted",
    "malformed_row_hides_no_other_of_its_owner",
    "malformed_row_is_deleted_with_the_rest",
    "malformed_row_is_told_by_its_key",
    "malformed_row_reads_as_corrupt",
    "malformed_row_stops_no_scan",
    "malformed_row_takes_no_commit",
)
class RaisesForTheMalformed(ReferenceStore):
    def get(self, key):
        found = super().get(key)
        assert not isinstance(found, Corrupt), "this row is no record"
        return found


@breaks("malformed_row_reads_as_corrupt")
class Unpickles(ReferenceStore):
    def get(self, key):
        if self.rows.get(key, b"").startswith(b"\x80"):
            pickle.loads(self.rows[key])
        return super().get(key)


@breaks("malformed_row_reads_as_corrupt")
class TakesAnyRecordForTheRightOne(ReferenceStore):
    def get(self, key):
        try:
            return msgspec.msgpack.decode(self.rows.get(key, b""), type=Record)
        except (ValueError, RecursionError):
            return super().get(key)


@breaks(
    "corrupt_record_is_not_replaced",
    "malformed_row_can_be_deleted",
    "malformed_row_hides_no_other_of_its_owner",
    "malformed_row_is_told_by_its_key",
    "malformed_row_reads_as_corrupt",
    "malformed_row_stops_no_scan",
    "malformed_row_takes_no_commit",
)
class CallsTheMalformedMissing(ReferenceStore):
    def get(self, key):
        found = super().get(key)
        return None if isinstance(found, Corrupt) else found


@breaks("corrupt_record_is_not_replaced", "malformed_row_is_told_by_its_key")
class CallsTheMissingMalformedToo(ReferenceStore):
    async def read(self, key):
        malformed = any(isinstance(self.get(each), Corrupt) for each in self.rows)
        return await super().read(key) or (Corrupt(key) if malformed else None)


@breaks(
    "malformed_row_hides_no_other_of_its_owner",
    "malformed_row_is_told_by_its_key",
    "malformed_row_stops_no_scan",
)
class NamesAnotherKeyOfTheMalformed(ReferenceStore):
    def get(self, key):
        found = super().get(key)
        return Corrupt(Key(min(self.rows))) if isinstance(found, Corrupt) else found


@breaks("malformed_row_takes_no_commit")
class CommitsOverTheMalformed(ReferenceStore):
    def swap(self, change):
        answer = super().swap(change)
        if isinstance(answer, Corrupt):
            self.put(change.record)
        return answer


@breaks("malformed_row_takes_no_commit")
class CallsTheMalformedGoneAtACommit(ReferenceStore):
    def swap(self, change):
        answer = super().swap(change)
        return GONE if isinstance(answer, Corrupt) else answer


@breaks(
    "malformed_row_can_be_deleted",
    "malformed_row_is_deleted_with_the_rest",
)
class CannotDeleteTheMalformed(ReferenceStore):
    def remove(self, key, owner):
        found = self.get(key)
        return found if isinstance(found, Corrupt) else super().remove(key, owner)


@breaks("malformed_row_can_be_deleted")
class ReturnsNothingMalformed(ReferenceStore):
    def end(self, key, owner, leaving):
        found = super().end(key, owner, leaving)
        return None if isinstance(found, Corrupt) else found


@breaks("malformed_row_hides_no_other_of_its_owner")
class StopsTheIndexAtTheMalformed(ReferenceStore):
    def owned(self, owner, cursor, batch):
        page = super().owned(owner, cursor, batch)
        malformed = [n for n, row in enumerate(page.records) if isinstance(row, Corrupt)]
        del page.records[malformed[0] if malformed else len(page.records) :]
        return page


@breaks("malformed_row_hides_no_other_of_its_owner")
class OwnsNothingMalformed(ReferenceStore):
    def owned(self, owner, cursor, batch):
        page = super().owned(owner, cursor, batch)
        page.records[:] = [row for row in page.records if isinstance(row, Record)]
        return page


@breaks("malformed_row_hides_no_other_of_its_owner")
class CountsTheMalformed(ReferenceStore):
    def live(self, record, now):
        return isinstance(record, Corrupt) or super().live(record, now)


@breaks("malformed_row_stops_no_scan")
class StopsTheScanAtTheMalformed(ReferenceStore):
    def page(self, cursor, batch):
        page = super().page(cursor, batch)
        for key in sorted(self.rows):
            if isinstance(self.get(key), Corrupt):
                page.records[:] = [row for row in page.records if row.key <= key]
        return page


@breaks("malformed_row_stops_no_scan")
class ScansNothingMalformed(ReferenceStore):
    def page(self, cursor, batch):
        page = super().page(cursor, batch)
        page.records[:] = [row for row in page.records if isinstance(row, Record)]
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
    def admit(self, replacement):
        new = evolve(replacement.new, device="")
        return super().admit(msgspec.structs.replace(replacement, new=new))


@breaks("committed_record_comes_back_whole")
class KeepsWhatACommitRemoved(ReferenceStore):
    def swap(self, change):
        current = self.get(change.record.key)
        data = {**(current.data if isinstance(current, Record) else {}), **change.set}
        return super().swap(Change(evolve(change.record, data=data), change.expected))


@breaks(
    "committed_record_comes_back_whole",
    "extended_session_stays_in_the_index",
    "extended_sessions_count",
    "sweep_leaves_the_living",
)
class CommitsValuesAlone(ReferenceStore):
    def swap(self, change):
        current = self.get(change.record.key)
        answer = super().swap(change)
        if answer is COMMITTED:
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
        return evolve(found, data=dict(kept.data)) if isinstance(found, Record) and kept else found


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
    "taken_key_replaces_nothing",
)
class CreatesOverTheTaken(ReferenceStore):
    def add(self, record):
        self.put(record)


@breaks("taken_key_is_not_claimed", "taken_key_is_refused", "taken_key_replaces_nothing")
class NamesNoKey(ReferenceStore):
    def add(self, record):
        if record.key in self.rows:
            raise KeyTaken("")
        super().add(record)


@breaks("created_record_can_be_committed")
class CountsRefusedCreations(ReferenceStore):
    def add(self, record):
        taken = self.get(record.key)
        if isinstance(taken, Record):
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
