"""Stores whose index of owners is wrong. ``limits`` has those that count wrongly."""

import unicodedata

import msgspec

from harness.reference_store import ReferenceStore
from mutations.stores.registry import breaks
from sessile.core.record import evolve
from sessile.errors import KeyTaken
from sessile.stores.contract import Page, Record, Replaced
from sessile.testing.clock import T0


@breaks(
    "crowd_is_refused_as_it_stands",
    "deletion_is_bounded_in_bytes",
    "excess_can_be_all_others",
    "excess_is_the_oldest",
    "index_can_be_emptied_page_by_page",
    "index_comes_in_pages",
    "index_keeps_the_expired",
    "index_shows_the_newest_version",
    "kept_sessions_stay",
    "later_logins_stay",
    "login_ends_no_more_than_an_act_may",
    "login_within_an_act_has_no_rest",
    "malformed_row_hides_no_other_of_its_owner",
    "owned_sessions_are_deleted_page_by_page",
    "owned_sessions_come_oldest_claim_first",
    "owner_of_the_ended_owns_the_new_alone",
    "page_of_an_index_is_bounded_in_bytes",
    "refused_claim_writes_nothing",
    "replaced_session_does_not_count",
    "what_was_never_presented_takes_no_place",
)
class SortsTheIndexByKey(ReferenceStore):
    def enter(self, replacement):
        super().enter(replacement)
        numbers = self.owners.get(replacement.new.owner, {})
        numbers.update(zip(sorted(numbers), sorted(numbers.values()), strict=True))
        self.owners[replacement.new.owner] = dict(sorted(numbers.items()))


@breaks(
    "claim_met_by_the_end_is_whole",
    "claimed_record_can_be_read",
    "claimed_record_comes_back_whole",
    "created_record_comes_back_whole",
    "nobody_sees_more_than_the_limit",
    "taken_key_is_not_claimed",
)
class IndexesWithoutStoring(ReferenceStore):
    async def read(self, key):
        found = await super().read(key)
        return None if isinstance(found, Record) and found.owner is not None else found


@breaks(
    "claim_met_by_the_end_is_whole",
    "nothing_is_deleted_of_nobody",
    "one_name_is_two_owners",
    "owner_of_the_ended_owns_the_new_alone",
    "owner_without_sessions_owns_none",
)
class RaisesForTheUnknownOwner(ReferenceStore):
    def numbers(self, owner):
        return self.owners[owner]

    def rivals(self, replacement):
        self.owners.setdefault(replacement.new.owner, {})
        return super().rivals(replacement)


@breaks(
    "index_changes_with_the_record",
    "owner_without_sessions_owns_none",
    "session_of_nobody_takes_an_owned_ones_place",
    "what_is_left_is_nobodys",
)
class GivesStrangersTheAnonymous(ReferenceStore):
    def owned(self, owner, cursor, batch):
        page = super().owned(owner, cursor, batch)
        rows = [row for row in map(self.get, self.rows) if isinstance(row, Record)]
        return Page(page.records or [row for row in rows if row.owner is None], page.cursor)


@breaks("index_keeps_the_expired")
class OwnsTheLivingAlone(ReferenceStore):
    def owned(self, owner, cursor, batch):
        page = super().owned(owner, cursor, batch)
        kept = [row for row in page.records if not isinstance(row, Record) or row.live_at(T0)]
        return Page(kept, page.cursor)


@breaks("page_of_an_index_has_its_size")
class OwnsAllAtOnce(ReferenceStore):
    def owned(self, owner, cursor, batch):
        return super().owned(owner, cursor, 1_000_000)


@breaks(
    "index_can_be_emptied_page_by_page",
    "index_comes_in_pages",
    "page_of_an_index_has_its_size",
    "page_of_an_index_is_bounded_in_bytes",
)
class LosesTheLastOfAnIndexPage(ReferenceStore):
    def owned(self, owner, cursor, batch):
        page = super().owned(owner, cursor, batch)
        return page if page.cursor is None else Page(page.records[:-1], page.cursor)


@breaks(
    "index_comes_in_pages",
    "page_of_an_index_is_bounded_in_bytes",
)
class BeginsEachIndexPageWithTheLast(ReferenceStore):
    def owned(self, owner, cursor, batch):
        return super().owned(owner, cursor and str(int(cursor) - 1), batch)


@breaks(
    "index_comes_in_pages",
    "page_of_an_index_is_bounded_in_bytes",
)
class NeverEndsAnIndex(ReferenceStore):
    def owned(self, owner, cursor, batch):
        page = super().owned(owner, cursor, batch)
        return Page(page.records, page.cursor or cursor)


@breaks("index_can_be_emptied_page_by_page")
class CountsPlacesInAnIndex(ReferenceStore):
    def owned(self, owner, cursor, batch):
        start = int(cursor or 0)
        keys, more = self.cut(list(self.numbers(owner))[start:], batch)
        return Page([self.get(key) for key in keys], str(start + len(keys)) if more else None)


@breaks(
    "extended_session_stays_in_the_index",
    "index_shows_the_newest_version",
    "late_extension_makes_no_hidden_session",
    "malformed_row_hides_no_other_of_its_owner",
)
class IndexesTheFirstVersion(ReferenceStore):
    def enter(self, replacement):
        super().enter(replacement)
        self.server.notes[replacement.new.key] = replacement.new

    def owned(self, owner, cursor, batch):
        page = super().owned(owner, cursor, batch)
        return Page([self.server.notes[row.key] for row in page.records], page.cursor)


class Pruning(ReferenceStore):
    """Takes entries out of an index at a login."""

    def is_over(self, key, now):
        raise NotImplementedError

    def over(self, replacement):
        keys = self.owners.get(replacement.new.owner, {})
        for key in [key for key in keys if self.is_over(key, replacement.now)]:
            del keys[key]
        return super().over(replacement)


@breaks(
    "extended_session_stays_in_the_index",
    "extended_sessions_count",
    "index_keeps_the_expired",
    "late_extension_makes_no_hidden_session",
)
class PrunesByTheFirstDeadline(Pruning):
    def enter(self, replacement):
        super().enter(replacement)
        self.server.notes[replacement.new.key] = replacement.new.expires

    def is_over(self, key, now):
        return now >= self.server.notes[key]


@breaks("index_keeps_the_expired", "late_extension_makes_no_hidden_session")
class PrunesTheIndexAndKeepsTheRow(Pruning):
    def is_over(self, key, now):
        return not self.live(self.get(key), now)


@breaks(
    "deleted_session_leaves_no_ghost",
    "deletion_is_bounded_in_bytes",
    "every_listener_is_told",
    "feed_tells_at_whatever_step_a_login_ends_a_session",
    "feed_tells_of_a_login_what_it_ends",
    "feed_tells_of_other_processes",
    "feed_tells_of_the_end_of_a_user",
    "index_changes_with_the_record",
    "kept_sessions_stay",
    "later_logins_stay",
    "login_ends_no_more_than_an_act_may",
    "owned_sessions_are_deleted_page_by_page",
    "session_that_goes_on_elsewhere_is_deleted_too",
    "what_an_end_left_is_not_deleted",
    "what_is_left_is_nobodys",
)
class LeavesGhosts(ReferenceStore):
    def remove(self, key, owner):
        found = self.get(key)
        self.rows.pop(key, None)
        return found


@breaks(
    "deleted_session_leaves_no_ghost",
    "deletion_is_bounded_in_bytes",
    "every_listener_is_told",
    "feed_tells_at_whatever_step_a_login_ends_a_session",
    "feed_tells_of_a_login_what_it_ends",
    "feed_tells_of_other_processes",
    "feed_tells_of_the_end_of_a_user",
    "index_changes_with_the_record",
    "kept_sessions_stay",
    "later_logins_stay",
    "login_ends_no_more_than_an_act_may",
    "owned_sessions_are_deleted_page_by_page",
    "session_that_goes_on_elsewhere_is_deleted_too",
    "what_an_end_left_is_not_deleted",
    "what_is_left_is_nobodys",
)
class LeavesTheKeysOfTheDeleted(ReferenceStore):
    def remove(self, key, owner):
        found = self.get(key)
        self.rows.pop(key, None)
        return found

    def owned(self, owner, cursor, batch):
        page = super().owned(owner, cursor, batch)
        kept = [r for r in page.records if not isinstance(r, Record) or r.owner == owner]
        return Page(kept, page.cursor)


@breaks("taken_key_is_not_claimed")
class ClaimsTheTaken(ReferenceStore):
    def admit(self, replacement):
        if replacement.new.owner is not None:
            self.remove(replacement.new.key, None)
        return super().admit(replacement)


@breaks("taken_key_is_not_claimed")
class IndexesBeforeItLooks(ReferenceStore):
    def admit(self, replacement):
        if replacement.new.key in self.rows:
            self.enter(replacement)
            raise KeyTaken(replacement.new.key)
        return super().admit(replacement)


class Renaming(ReferenceStore):
    """Takes several names for one."""

    def same(self, owner):
        raise NotImplementedError

    def admit(self, replacement):
        new = replacement.new
        other = evolve(new, owner=None if new.owner is None else self.same(new.owner))
        answer = super().admit(msgspec.structs.replace(replacement, new=other))
        if isinstance(answer, Replaced):
            self.put(new)
        return answer

    def numbers(self, owner):
        return super().numbers(self.same(owner))


@breaks("strange_names_are_each_their_own")
class FoldsTheCaseOfOwners(Renaming):
    def same(self, owner):
        return owner.casefold()


@breaks("strange_names_are_each_their_own")
class TruncatesOwners(Renaming):
    def same(self, owner):
        return owner[:255]


@breaks("strange_names_are_each_their_own")
class NormalisesOwners(Renaming):
    def same(self, owner):
        return unicodedata.normalize("NFC", owner)


@breaks("strange_names_are_each_their_own")
class StripsOwners(Renaming):
    def same(self, owner):
        return owner.strip()


@breaks("strange_names_are_each_their_own")
class SplitsOwners(Renaming):
    def same(self, owner):
        return owner.partition(":")[0]
