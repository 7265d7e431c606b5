"""Stores in which an act on one owner's sessions has no bound, or stops short of its own."""

import msgspec

from harness.reference_store import ReferenceStore
from mutations.stores.registry import breaks
from sessile.stores.contract import Deleted, Key, Page, Replaced

# Listing


@breaks("page_of_an_index_is_bounded_in_bytes")
class ListsHoweverManyBytes(ReferenceStore):
    def owned(self, owner, cursor, batch):
        page = super().owned(owner, cursor, batch)
        while page.cursor and len(page.records) < batch:
            more = super().owned(owner, page.cursor, batch - len(page.records))
            page = Page(page.records + more.records, more.cursor)
        return page


@breaks("page_of_an_index_is_bounded_in_bytes")
class EndsTheIndexWithAFatPage(ReferenceStore):
    def owned(self, owner, cursor, batch):
        page = super().owned(owner, cursor, batch)
        return page if len(page.records) == batch else Page(page.records, None)


# Deleting


@breaks(
    "later_logins_stay",
    "login_ends_no_more_than_an_act_may",
    "owned_sessions_are_deleted_page_by_page",
    "session_that_goes_on_elsewhere_is_deleted_too",
)
class DeletesAllAtOnce(ReferenceStore):
    def drop(self, owner, keep, before, batch):
        return super().drop(owner, keep, before, 1_000_000)


@breaks("deletion_is_bounded_in_bytes")
class DeletesHoweverManyBytes(ReferenceStore):
    def drop(self, owner, keep, before, batch):
        page = super().drop(owner, keep, before, batch)
        while page.more and len(page.keys) < batch:
            more = super().drop(owner, keep, before, batch - len(page.keys))
            page = Deleted(page.keys + more.keys, more.more)
        return page


@breaks(
    "deletion_is_bounded_in_bytes",
    "kept_sessions_stay",
    "later_logins_stay",
    "login_ends_no_more_than_an_act_may",
    "owned_sessions_are_deleted_page_by_page",
    "session_that_goes_on_elsewhere_is_deleted_too",
)
class NeverHasMoreToDelete(ReferenceStore):
    def drop(self, owner, keep, before, batch):
        return Deleted(super().drop(owner, keep, before, batch).keys)


@breaks(
    "deletion_is_bounded_in_bytes",
    "later_logins_stay",
    "owned_sessions_are_deleted_page_by_page",
)
class DeletesTheNewestFirst(ReferenceStore):
    def drop(self, owner, keep, before, batch):
        end = self.numbers(owner).get(before, float("inf"))
        there = [key for key, n in self.numbers(owner).items() if n < end and key not in keep]
        keys, more = self.cut(there[::-1], batch)
        for key in keys:
            self.remove(key, owner)
        return Deleted(tuple(keys), more)


@breaks(
    "deletion_is_bounded_in_bytes",
    "later_logins_stay",
    "login_ends_no_more_than_an_act_may",
    "owned_sessions_are_deleted_page_by_page",
)
class NamesNothingDeleted(ReferenceStore):
    def drop(self, owner, keep, before, batch):
        return Deleted(more=super().drop(owner, keep, before, batch).more)


@breaks(
    "malformed_row_is_deleted_with_the_rest",
    "owned_sessions_are_deleted_page_by_page",
    "session_that_goes_on_elsewhere_is_deleted_too",
)
class UnindexesWhatItShouldDelete(ReferenceStore):
    def drop(self, owner, keep, before, batch):
        rows = dict(self.rows)
        page = super().drop(owner, keep, before, batch)
        self.rows.update({key: rows[key] for key in page.keys})
        return page


@breaks("nothing_is_deleted_of_nobody")
class DeletesTheVisitorsOfNobody(ReferenceStore):
    def drop(self, owner, keep, before, batch):
        if owner not in self.owners:
            self.rows.clear()
        return super().drop(owner, keep, before, batch)


@breaks("kept_sessions_stay")
class KeepsNobody(ReferenceStore):
    def drop(self, owner, keep, before, batch):
        return super().drop(owner, (), before, batch)


@breaks("kept_sessions_stay")
class StopsAtTheKept(ReferenceStore):
    """Takes a page of the index, and then those to keep out of it."""

    def drop(self, owner, keep, before, batch):
        page = list(self.numbers(owner))[:batch]
        done = super().drop(owner, {*keep, *self.numbers(owner)} - {*page} | {*keep}, before, batch)
        return Deleted(done.keys, more=bool(done.keys) and done.more)


@breaks(
    "later_logins_stay",
    "login_ends_no_more_than_an_act_may",
)
class DeletesTheLaterToo(ReferenceStore):
    def drop(self, owner, keep, before, batch):
        return super().drop(owner, keep, None, batch)


@breaks(
    "later_logins_stay",
    "login_ends_no_more_than_an_act_may",
)
class DeletesTheFirstThatStays(ReferenceStore):
    def drop(self, owner, keep, before, batch):
        page = super().drop(owner, keep, before, batch)
        last = before and not page.more and before in self.numbers(owner)
        return Deleted(page.keys, page.more) if not last else self.drop_also(before, page)

    def drop_also(self, key, page):
        self.remove(key, None)
        return Deleted((*page.keys, Key(key)), page.more)


@breaks("later_logins_stay")
class DeletesAllBeforeTheUnknown(ReferenceStore):
    def drop(self, owner, keep, before, batch):
        known = before if before in self.numbers(owner) else None
        return super().drop(owner, keep, known, batch)


@breaks("what_an_end_left_is_not_deleted")
class DeletesWhatWasOnceThere(ReferenceStore):
    """Keeps an index of its own for deletions, and forgets nothing in it."""

    def enter(self, replacement):
        super().enter(replacement)
        self.server.notes.setdefault(replacement.new.owner, []).append(replacement.new.key)

    def drop(self, owner, keep, before, batch):
        page = super().drop(owner, keep, before, batch)
        for key in self.server.notes.get(owner, ()) if before is None and not page.more else ():
            if key not in keep:
                self.remove(key, owner)
        return page


@breaks("malformed_row_is_deleted_with_the_rest")
class LeavesTheMalformed(ReferenceStore):
    def drop(self, owner, keep, before, batch):
        sound = [key for key in self.numbers(owner) if self.live(self.get(key), 0.0)]
        rest = {key for key in self.numbers(owner) if key not in sound}
        return super().drop(owner, {*keep, *rest}, before, batch)


@breaks("session_that_goes_on_elsewhere_is_deleted_too")
class DeletesWhatItListedFirst(ReferenceStore):
    """Lists the index in one act, and deletes in the next: what came between escapes."""

    async def delete_owned(self, owner, *, keep=(), before=None, batch=250):
        listed = await self.ask("list", lambda: set(self.numbers(owner)))

        def drop():
            strange = {key for key in self.numbers(owner) if key not in listed}
            return self.drop(owner, {*keep, *strange}, before, batch)

        return await self.ask("delete_owned", drop)


# Logins


@breaks("login_ends_no_more_than_an_act_may")
class EndsHoweverManyAtALogin(ReferenceStore):
    most = 1_000_000


@breaks("login_ends_no_more_than_an_act_may")
class LeavesTheRestUnnamed(ReferenceStore):
    def admit(self, replacement):
        answer = super().admit(replacement)
        return msgspec.structs.replace(answer, rest=None) if type(answer) is Replaced else answer


@breaks("login_ends_no_more_than_an_act_may")
class NamesItselfAsTheOldest(ReferenceStore):
    def admit(self, replacement):
        answer = super().admit(replacement)
        if type(answer) is Replaced and answer.rest:
            return msgspec.structs.replace(answer, rest=Key(replacement.new.key))
        return answer


@breaks("login_within_an_act_has_no_rest")
class EndsTooFewAtALogin(ReferenceStore):
    most = 10


@breaks("crowd_is_refused_as_it_stands")
class EndsTheCrowdOfARefusal(ReferenceStore):
    def over(self, replacement):
        over = super().over(replacement)
        rivals = self.rivals(replacement)
        if over is None and len(rivals) > self.most:
            self.end_excess([row.key for row in rivals[: self.most]], replacement)
        return over
