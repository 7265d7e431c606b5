"""Stores that commit or delete wrongly."""

from harness.reference_store import ReferenceStore
from mutations.stores.registry import breaks
from sessile.core.record import evolve
from sessile.errors import KeyTaken
from sessile.stores.contract import COMMITTED, Change, Conflict, Record


@breaks(
    "commit_from_the_future_is_refused",
    "handles_conflict_with_each_other",
    "no_commit_is_lost_at_any_stopping_point",
    "of_rival_commits_one_stands",
    "refused_commit_changes_nothing",
    "stale_commit_is_told_the_current_record",
    "tombstone_stands_under_the_old_key",
    "what_is_left_takes_no_late_commit",
)
class ForgetsVersions(ReferenceStore):
    def swap(self, change):
        if not isinstance(self.get(change.record.key), Record):
            return super().swap(change)
        self.put(change.record)
        return COMMITTED


@breaks(
    "commit_from_the_current_version_stands",
    "dump_holds_no_ticket",
    "failure_shows_no_secret",
    "heartbeat_vouches_for_what_came_before",
    "other_handle_reads_what_was_written",
)
class CommitsOnce(ReferenceStore):
    def swap(self, change):
        current = self.get(change.record.key)
        late = isinstance(current, Record) and current.version > 1
        return Conflict(current) if late else super().swap(change)


@breaks(
    "handles_conflict_with_each_other",
    "no_commit_is_lost_at_any_stopping_point",
    "of_rival_commits_one_stands",
    "stale_commit_is_told_the_current_record",
)
class TellsTheLoserTheOldRecord(ReferenceStore):
    def swap(self, change):
        current, answer = self.get(change.record.key), super().swap(change)
        if answer is COMMITTED:
            self.server.notes[change.record.key] = current
        elif isinstance(answer, Conflict):
            return Conflict(self.server.notes.get(change.record.key, answer.current))
        return answer


@breaks(
    "commit_from_the_future_is_refused",
    "no_commit_is_lost_at_any_stopping_point",
    "of_rival_commits_one_stands",
    "refused_commit_changes_nothing",
    "what_is_left_takes_no_late_commit",
)
class WritesWhatItRefuses(ReferenceStore):
    def swap(self, change):
        answer = super().swap(change)
        if isinstance(answer, Conflict):
            self.put(change.record)
        return answer


@breaks(
    "commit_from_the_future_is_refused",
    "tombstone_stands_under_the_old_key",
    "what_is_left_takes_no_late_commit",
)
class AcceptsTheFuture(ReferenceStore):
    def swap(self, change):
        current = self.get(change.record.key)
        if isinstance(current, Record) and change.expected > current.version:
            self.put(change.record)
            return COMMITTED
        return super().swap(change)


@breaks(
    "commit_brings_nothing_back",
    "commit_met_by_the_end_revives_nothing",
    "commit_never_creates",
    "commit_to_the_ended_is_gone",
    "end_reaches_every_handle",
    "login_and_commit_lose_nothing",
    "no_commit_survives_a_deletion",
)
class CommitsTheUnknown(ReferenceStore):
    def swap(self, change):
        if change.record.key not in self.rows:
            self.put(change.record)
        return super().swap(change)


@breaks(
    "commit_brings_nothing_back",
    "login_and_commit_lose_nothing",
    "no_commit_survives_a_deletion",
    "tombstone_stands_under_the_old_key",
    "what_is_left_takes_no_late_commit",
)
class RevivesTheDeleted(ReferenceStore):
    def remove(self, key, owner):
        self.server.notes[key] = record = super().remove(key, owner)
        return record

    def swap(self, change):
        if self.server.notes.pop(change.record.key, None):
            self.put(change.record)
        return super().swap(change)


@breaks(
    "commit_met_by_the_end_revives_nothing",
    "no_commit_is_lost_at_any_stopping_point",
    "no_commit_survives_a_deletion",
    "of_rival_commits_one_stands",
)
class CommitsInTwoSteps(ReferenceStore):
    async def commit(self, change):
        key, expected = change.record.key, change.expected
        answer = await self.ask("look", lambda: self.differs(key, expected))
        if answer is None:
            await self.ask("put", lambda: self.put(change.record))
        return answer or COMMITTED


@breaks("act_cancelled_anywhere_leaves_the_store_sound")
class CommitsByHalves(ReferenceStore):
    async def commit(self, change):
        half = evolve(change.record, version=change.expected, data={})
        answer = await super().commit(Change(half, change.expected))
        return await super().commit(change) if answer == COMMITTED else answer


@breaks(
    "deletion_can_leave_something",
    "deletion_returns_what_was",
    "malformed_row_can_be_deleted",
    "of_rival_deletions_one_is_told",
    "of_rivals_that_leave_something_one_is_told",
    "strange_names_are_each_their_own",
)
class ReturnsNothingDeleted(ReferenceStore):
    def end(self, key, owner, leaving):
        super().end(key, owner, leaving)


@breaks(
    "deleting_nothing_is_no_error",
    "deleting_the_ended_is_none",
    "end_reaches_every_handle",
    "nothing_is_left_of_nothing",
    "of_rival_deletions_one_is_told",
)
class RaisesForTheDeleted(ReferenceStore):
    def remove(self, key, owner):
        if key not in self.rows:
            raise KeyError(key)
        return super().remove(key, owner)


@breaks(
    "count_is_of_what_is_there",
    "deletion_leaves_the_others",
    "excess_can_be_all_others",
    "excess_is_the_oldest",
    "index_can_be_emptied_page_by_page",
    "index_changes_with_the_record",
    "kept_sessions_stay",
    "later_logins_stay",
    "login_and_commit_lose_nothing",
    "login_ends_no_more_than_an_act_may",
    "new_record_stands_and_the_old_is_gone",
    "nobody_sees_both_or_none",
    "nobody_sees_more_than_the_limit",
    "of_rival_logins_one_replaces",
    "owned_sessions_are_deleted_page_by_page",
    "replaced_session_does_not_count",
    "rival_logins_leave_the_limit",
    "scan_passes_over_the_deleted",
    "scan_sees_whatever_stays",
    "session_of_nobody_takes_an_owned_ones_place",
    "size_counts_what_is_there",
    "strange_names_are_each_their_own",
    "sweep_goes_by_batches",
    "swept_sessions_do_not_count",
    "what_an_end_left_is_not_deleted",
    "what_was_never_presented_takes_no_place",
)
class DeletesTheNeighbours(ReferenceStore):
    def remove(self, key, owner):
        record = super().remove(key, owner)
        self.rows.clear()
        return record


@breaks(
    "deleted_key_is_free",
    "deleted_session_leaves_no_ghost",
    "deletion_can_leave_something",
    "end_reaches_every_handle",
    "everybody_ended_reads_as_none",
    "excess_is_gone_with_the_login",
    "feed_tells_of_every_act",
    "index_changes_with_the_record",
    "malformed_row_can_be_deleted",
    "of_rival_logins_one_replaces",
    "of_rivals_that_leave_something_one_is_told",
    "sweep_removes_the_expired",
    "tombstone_is_not_replaced",
    "tombstone_stands_under_the_old_key",
    "what_an_end_left_is_not_deleted",
    "what_is_left_is_nobodys",
    "what_is_left_takes_no_late_commit",
)
class BuriesTheKey(ReferenceStore):
    def remove(self, key, owner):
        self.server.notes[key] = True
        return super().remove(key, owner)

    def add(self, record):
        if record.key in self.server.notes:
            raise KeyTaken(record.key)
        super().add(record)


@breaks("of_rival_deletions_one_is_told", "of_rivals_that_leave_something_one_is_told")
class DeletesInTwoSteps(ReferenceStore):
    async def delete(self, key, owner=None, *, leaving=None):
        record = await self.ask("look", lambda: self.get(key))
        await super().delete(key, owner, leaving=leaving)
        return record


@breaks(
    "deletion_can_leave_something",
    "of_rival_logins_one_replaces",
    "of_rivals_that_leave_something_one_is_told",
    "tombstone_is_not_replaced",
    "tombstone_stands_under_the_old_key",
    "what_an_end_left_is_not_deleted",
    "what_is_left_takes_no_late_commit",
)
class LeavesNothing(ReferenceStore):
    def end(self, key, owner, leaving):
        return super().end(key, owner, None)


@breaks("deleting_the_ended_is_none", "nothing_is_left_of_nothing")
class LeavesItAnyway(ReferenceStore):
    def end(self, key, owner, leaving):
        record = super().end(key, owner, None)
        if leaving:
            self.put(leaving)
        return record


@breaks("deletion_can_leave_something", "of_rivals_that_leave_something_one_is_told")
class ReturnsWhatItLeaves(ReferenceStore):
    def end(self, key, owner, leaving):
        record = super().end(key, owner, leaving)
        return record and (leaving or record)


@breaks(
    "deletion_can_leave_something",
    "of_rival_logins_one_replaces",
    "of_rivals_that_leave_something_one_is_told",
    "tombstone_is_not_replaced",
    "tombstone_stands_under_the_old_key",
    "what_an_end_left_is_not_deleted",
    "what_is_left_takes_no_late_commit",
)
class LeavesTheVersion(ReferenceStore):
    def end(self, key, owner, leaving):
        version = getattr(self.get(key), "version", 0)
        return super().end(key, owner, leaving and evolve(leaving, version=version))


@breaks(
    "index_changes_with_the_record",
    "what_an_end_left_is_not_deleted",
    "what_is_left_is_nobodys",
)
class LeavesTheIndexEntry(ReferenceStore):
    def end(self, key, owner, leaving):
        record = super().end(key, owner, leaving)
        if record and leaving:
            self.owners.setdefault(owner, {})[key] = next(self.server.logins)
        return record
