"""Stores that end not quite everybody, or more than that."""

from contextlib import suppress

from harness.reference_store import ReferenceStore
from mutations.stores.registry import breaks
from sessile.errors import KeyTaken, StoreUnavailable
from sessile.stores.contract import COMMITTED, GONE, Corrupt, Page, Record, Replaced
from sessile.testing.clock import T0


class Remembering(ReferenceStore):
    """Keeps aside what it ended."""

    @property
    def ended(self):
        return self.server.notes

    def wipe(self):
        self.ended.update({key: found for key in self.rows if (found := self.get(key))})
        super().wipe()


@breaks(
    "claim_met_by_the_end_is_whole",
    "commit_met_by_the_end_revives_nothing",
    "commit_to_the_ended_is_gone",
    "deleting_the_ended_is_none",
    "end_reaches_every_handle",
    "end_stays_at_home",
    "ended_session_is_not_replaced",
    "ended_sessions_count_for_no_limit",
    "ended_stay_ended_after_a_restart",
    "ending_nobody_is_no_error",
    "everybody_ended_reads_as_none",
    "feed_tells_of_the_end_of_everybody",
    "key_of_the_ended_is_free",
    "limits_forget_the_ended_everywhere",
    "no_clock_spares_or_ends",
    "owner_of_the_ended_owns_the_new_alone",
    "scan_passes_over_the_ended",
)
class EndsNobody(ReferenceStore):
    def wipe(self):
        pass


@breaks(
    "claim_met_by_the_end_is_whole",
    "ended_sessions_count_for_no_limit",
    "limits_forget_the_ended_everywhere",
    "owner_of_the_ended_owns_the_new_alone",
)
class EndsTheAnonymous(ReferenceStore):
    def wipe(self):
        for record in list(map(self.get, self.rows)):
            if record.owner is None:
                self.remove(record.key, None)


@breaks(
    "commit_met_by_the_end_revives_nothing",
    "commit_to_the_ended_is_gone",
    "deleting_the_ended_is_none",
    "end_reaches_every_handle",
    "end_stays_at_home",
    "ended_session_is_not_replaced",
    "ended_stay_ended_after_a_restart",
    "ending_nobody_is_no_error",
    "everybody_ended_reads_as_none",
    "feed_tells_of_the_end_of_everybody",
    "key_of_the_ended_is_free",
    "no_clock_spares_or_ends",
    "scan_passes_over_the_ended",
)
class EndsWhoeverHasAnOwner(ReferenceStore):
    def wipe(self):
        for key in [key for keys in self.owners.values() for key in keys]:
            self.remove(key, None)


@breaks(
    "end_reaches_every_handle",
    "ended_stay_ended_after_a_restart",
    "feed_tells_of_the_end_of_everybody",
    "limits_forget_the_ended_everywhere",
)
class EndsFromHereAlone(ReferenceStore):
    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.hidden = set()

    def get(self, key):
        return None if key in self.hidden else super().get(key)

    def add(self, record):
        if record.key in self.hidden:
            self.hidden.discard(record.key)
            self.remove(record.key, None)
        super().add(record)

    def wipe(self):
        self.hidden.update(self.rows)


@breaks("no_clock_spares_or_ends")
class EndsByTheClock(ReferenceStore):
    def wipe(self):
        for record in list(map(self.get, self.rows)):
            if record.created <= T0:
                self.remove(record.key, None)


@breaks("no_clock_spares_or_ends")
class EndsWhatTheClockCallsEarlier(ReferenceStore):
    def wipe(self):
        self.server.notes["ended"] = T0
        super().wipe()

    async def read(self, key):
        found = await super().read(key)
        ended = self.server.notes.get("ended", 0.0)
        return None if isinstance(found, Record) and found.created < ended else found


@breaks(
    "claim_met_by_the_end_is_whole",
    "commit_met_by_the_end_revives_nothing",
    "end_reaches_every_handle",
    "end_stays_at_home",
    "ended_sessions_count_for_no_limit",
    "ended_stay_ended_after_a_restart",
    "key_of_the_ended_is_free",
    "limits_forget_the_ended_everywhere",
    "no_clock_spares_or_ends",
    "owner_of_the_ended_owns_the_new_alone",
    "scan_passes_over_the_ended",
    "session_made_after_the_end_is_whole",
    "sweep_after_the_end_spares_the_new",
)
class EndsForEver(ReferenceStore):
    def wipe(self):
        self.server.notes["over"] = True
        super().wipe()

    def put(self, record):
        if "over" not in self.server.notes:
            super().put(record)


@breaks("end_stays_at_home")
class EndsTheNeighboursToo(ReferenceStore):
    def wipe(self):
        for rows in self.server.rows.values():
            rows.clear()
        super().wipe()


@breaks("claim_met_by_the_end_is_whole", "ending_nobody_is_no_error")
class RaisesForNobody(ReferenceStore):
    def wipe(self):
        if not self.rows:
            raise StoreUnavailable(self.name, "there is nobody")
        super().wipe()


@breaks(
    "claim_met_by_the_end_is_whole",
    "commit_met_by_the_end_revives_nothing",
    "commit_to_the_ended_is_gone",
    "deleting_the_ended_is_none",
    "end_reaches_every_handle",
    "end_stays_at_home",
    "ended_stay_ended_after_a_restart",
    "ending_nobody_is_no_error",
    "everybody_ended_reads_as_none",
    "no_clock_spares_or_ends",
)
class CallsTheEndedMalformed(Remembering):
    async def read(self, key):
        return await super().read(key) or (Corrupt(key) if key in self.ended else None)


@breaks("ended_session_is_not_replaced")
class ReplacesTheEnded(Remembering):
    def admit(self, replacement):
        old = replacement.old
        if old and old.key in self.ended and old.key not in self.rows:
            self.put(old)
        return super().admit(replacement)


@breaks(
    "commit_met_by_the_end_revives_nothing",
    "commit_to_the_ended_is_gone",
    "end_reaches_every_handle",
)
class CommitsToTheEnded(Remembering):
    def swap(self, change):
        answer = super().swap(change)
        if answer == GONE and change.record.key in self.ended:
            self.put(change.record)
            return COMMITTED
        return answer


@breaks(
    "commit_met_by_the_end_revives_nothing",
    "feed_tells_of_the_end_of_everybody",
)
class LooksForTheEndBeforeItCommits(ReferenceStore):
    """Marks what it ended, and looks at the marks and at the row in two steps."""

    def wipe(self):
        self.server.notes.update(dict.fromkeys(self.rows))
        self.owners.clear()

    def get(self, key):
        return None if key in self.server.notes else super().get(key)

    def put(self, record):
        self.server.notes.pop(record.key, None)
        super().put(record)

    def add(self, record):
        if record.key in self.server.notes:
            self.remove(record.key, None)
        super().add(record)

    async def commit(self, change):
        if await self.ask("look", lambda: self.get(change.record.key)) is None:
            return GONE
        return await self.ask("commit", lambda: self.swap_marked(change))

    def swap_marked(self, change):
        self.server.notes.pop(change.record.key, None)
        return self.swap(change)


@breaks("deleting_the_ended_is_none", "end_reaches_every_handle")
class ReturnsTheEnded(Remembering):
    def remove(self, key, owner):
        return super().remove(key, owner) or self.ended.pop(key, None)


@breaks(
    "claim_met_by_the_end_is_whole",
    "commit_met_by_the_end_revives_nothing",
    "end_reaches_every_handle",
    "key_of_the_ended_is_free",
    "owner_of_the_ended_owns_the_new_alone",
)
class KeepsTheKeysOfTheEnded(Remembering):
    def add(self, record):
        if record.key in self.ended:
            raise KeyTaken(record.key)
        super().add(record)


@breaks("sweep_after_the_end_spares_the_new")
class SweepsAllAfterTheEnd(Remembering):
    def clean(self, now, batch):
        if self.ended:
            self.rows.clear()
        return super().clean(now, batch)


@breaks("sweep_after_the_end_spares_the_new")
class SweepsTheEndedForEver(Remembering):
    def clean(self, now, batch):
        return super().clean(now, batch) or len(self.ended)


@breaks(
    "claim_met_by_the_end_is_whole",
    "ended_sessions_count_for_no_limit",
    "limits_forget_the_ended_everywhere",
)
class CountsTheEnded(Remembering):
    def rivals(self, replacement):
        owner = replacement.new.owner
        ended = [old for old in self.ended.values() if old.owner == owner]
        return [*ended, *super().rivals(replacement)]


@breaks(
    "claim_met_by_the_end_is_whole",
    "limits_forget_the_ended_everywhere",
    "owner_of_the_ended_owns_the_new_alone",
)
class OwnsTheEnded(Remembering):
    def owned(self, owner, cursor, batch):
        page = super().owned(owner, cursor, batch)
        ended = [record for record in self.ended.values() if record.owner == owner]
        return Page(page.records if cursor else ended + page.records, page.cursor)


@breaks("scan_passes_over_the_ended")
class ScansTheEnded(Remembering):
    def page(self, cursor, batch):
        page = super().page(cursor, batch)
        ended = [record for record in self.ended.values() if record.key > cursor]
        return Page([*page.records, *ended], page.cursor)


@breaks("claim_met_by_the_end_is_whole")
class IndexesBeforeTheEndAndStoresAfter(ReferenceStore):
    async def replace(self, replacement):
        answer = await super().replace(replacement)
        if isinstance(answer, Replaced):
            await self.ask("put", lambda: self.put(replacement.new))
        return answer


@breaks("closed_store_says_so")
class EndsWhenClosed(ReferenceStore):
    async def end_everybody(self):
        if not self.closed:
            await super().end_everybody()


@breaks("stopped_server_is_unavailable")
class HopesThatEverybodyEnded(ReferenceStore):
    async def end_everybody(self):
        with suppress(StoreUnavailable):
            await super().end_everybody()
