"""Stores whose index of owners, or whose limits, are wrong."""

import unicodedata

from harness.reference_store import ReferenceStore
from mutations.stores.registry import breaks
from sessile.core.change import Claimed, Excess, Full
from sessile.core.record import evolve
from sessile.core.ticket import Key
from sessile.errors import KeyTaken


@breaks(
    "excess_is_named_not_ended",
    "excess_is_the_oldest",
    "expired_sessions_are_not_owned",
    "index_shows_the_newest_version",
    "malformed_row_hides_no_other_of_its_owner",
    "owned_sessions_come_oldest_claim_first",
    "owner_of_the_ended_owns_the_new_alone",
    "refused_claim_writes_nothing",
)
class SortsTheIndexByKey(ReferenceStore):
    def owned(self, owner, now):
        return sorted(super().owned(owner, now), key=lambda record: record.key)


@breaks(
    "claim_met_by_the_end_is_whole",
    "claimed_record_can_be_read",
    "claimed_record_comes_back_whole",
    "created_record_comes_back_whole",
    "taken_key_is_not_claimed",
)
class IndexesWithoutStoring(ReferenceStore):
    async def read(self, key, now):
        found = await super().read(key, now)
        return found if found and found.owner is None else None


@breaks(
    "claim_met_by_the_end_is_whole",
    "one_name_is_two_owners",
    "owner_of_the_ended_owns_the_new_alone",
    "owner_without_sessions_owns_none",
)
class RaisesForTheUnknownOwner(ReferenceStore):
    def owned(self, owner, now):
        self.owners[owner]
        return super().owned(owner, now)

    def over(self, record, now, limit):
        self.owners.setdefault(record.owner or "", [])
        return super().over(record, now, limit)


@breaks("owner_without_sessions_owns_none", "what_is_left_is_nobodys")
class GivesStrangersTheAnonymous(ReferenceStore):
    def owned(self, owner, now):
        anonymous = [r for r in map(self.get, self.rows) if r and r.owner is None]
        return super().owned(owner, now) or anonymous


@breaks("expired_sessions_are_not_owned")
class OwnsTheExpired(ReferenceStore):
    async def owned_by(self, owner, now):
        return await super().owned_by(owner, 0.0)


@breaks(
    "extended_session_stays_in_the_index",
    "index_shows_the_newest_version",
    "late_extension_makes_no_hidden_session",
)
class IndexesTheFirstVersion(ReferenceStore):
    def admit(self, record, *rest):
        answer = super().admit(record, *rest)
        self.server.notes[record.key] = record
        return answer

    async def owned_by(self, owner, now):
        found = await super().owned_by(owner, now)
        return [self.server.notes[record.key] for record in found]


@breaks(
    "extended_session_stays_in_the_index",
    "extended_sessions_count",
    "late_extension_makes_no_hidden_session",
)
class PrunesByTheFirstDeadline(ReferenceStore):
    def admit(self, record, now, *rest):
        self.server.notes.setdefault(record.key, record.expires)
        keys = self.owners.get(record.owner or "", [])
        keys[:] = [key for key in keys if now < self.server.notes[key]]
        return super().admit(record, now, *rest)


@breaks("late_extension_makes_no_hidden_session")
class PrunesTheIndexAndKeepsTheRow(ReferenceStore):
    def admit(self, record, now, *rest):
        keys = self.owners.get(record.owner or "", [])
        keys[:] = [key for key in keys if self.live(self.get(key), now)]
        return super().admit(record, now, *rest)


@breaks("deleted_session_leaves_no_ghost", "what_is_left_is_nobodys")
class LeavesGhosts(ReferenceStore):
    def remove(self, key, owner):
        record = self.get(key)
        self.rows.pop(key, None)
        return record


@breaks("taken_key_is_not_claimed")
class ClaimsTheTaken(ReferenceStore):
    def admit(self, record, *rest):
        self.remove(record.key, None)
        return super().admit(record, *rest)


@breaks("taken_key_is_not_claimed")
class IndexesBeforeItLooks(ReferenceStore):
    def admit(self, record, *rest):
        taken = record.key in self.rows
        if taken:
            self.owners.setdefault(record.owner or "", []).append(record.key)
            raise KeyTaken(record.key)
        return super().admit(record, *rest)


class Renaming(ReferenceStore):
    """Takes several names for one."""

    def same(self, owner):
        raise NotImplementedError

    def admit(self, record, *rest):
        answer = super().admit(evolve(record, owner=self.same(record.owner or "")), *rest)
        if isinstance(answer, Claimed):
            self.put(record)
        return answer

    async def owned_by(self, owner, now):
        return await super().owned_by(self.same(owner), now)


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


@breaks("no_limit_has_no_excess", "owned_sessions_come_oldest_claim_first")
class AssumesALimit(ReferenceStore):
    def over(self, record, now, limit):
        return super().over(record, now, limit or 5)


@breaks("excess_is_the_oldest", "replaced_session_does_not_count")
class EndsTheNewest(ReferenceStore):
    def over(self, record, now, limit):
        others = [Key(rival.key) for rival in self.owned(record.owner or "", now)][::-1]
        return [] if limit is None else others[: max(len(others) - limit + 1, 0)]


@breaks(
    "claim_met_by_the_end_is_whole",
    "ended_sessions_count_for_no_limit",
    "excess_is_the_oldest",
    "expired_sessions_do_not_count",
    "extended_sessions_count",
    "handles_share_an_index",
    "login_at_any_stopping_point_leaves_the_limit",
    "of_rival_claims_the_limit_is_admitted",
    "refused_claim_writes_nothing",
    "rival_logins_leave_the_limit",
)
class AllowsOneMore(ReferenceStore):
    def over(self, record, now, limit):
        return super().over(record, now, limit and limit + 1)


@breaks(
    "ended_sessions_count_for_no_limit",
    "excess_is_the_oldest",
    "expired_sessions_do_not_count",
    "rival_logins_leave_the_limit",
)
class IsItsOwnExcess(ReferenceStore):
    def admit(self, record, *rest, **more):
        answer = super().admit(record, *rest, **more)
        if isinstance(answer, Claimed) and answer.excess:
            return Claimed((*answer.excess[1:], Key(record.key)))
        return answer


@breaks("excess_is_named_not_ended")
class EndsTheExcessItself(ReferenceStore):
    def admit(self, record, *rest):
        answer = super().admit(record, *rest)
        for key in answer.excess if isinstance(answer, Claimed) else ():
            self.remove(key, record.owner)
        return answer


@breaks(
    "claim_within_the_limit_has_no_excess",
    "expired_sessions_do_not_count",
    "replaced_session_does_not_count",
    "strange_names_are_each_their_own",
)
class CountsEverybody(ReferenceStore):
    def over(self, record, now, limit):
        everybody = [Key(key) for keys in self.owners.values() for key in keys]
        return [] if limit is None else everybody[: max(len(everybody) - limit + 1, 0)]


@breaks("refused_claim_writes_nothing")
class WritesTheRefused(ReferenceStore):
    def admit(self, record, *rest):
        answer = super().admit(record, *rest)
        if isinstance(answer, Full):
            self.add(record)
        return answer


@breaks("of_rival_claims_the_limit_is_admitted", "refused_claim_writes_nothing")
class IndexesTheRefused(ReferenceStore):
    def admit(self, record, *rest):
        answer = super().admit(record, *rest)
        if isinstance(answer, Full):
            super().admit(record, rest[0], None, Excess.REFUSE)
        return answer


@breaks("deleted_sessions_do_not_count", "swept_sessions_do_not_count")
class UnindexesForItsOwnerAlone(ReferenceStore):
    def remove(self, key, owner):
        record = self.get(key)
        self.rows.pop(key, None)
        if owner is not None:
            super().remove(key, owner)
        return record

    def over(self, record, now, limit):
        keys = self.owners.get(record.owner or "", [])
        ghosts = [Key(key) for key in keys if key not in self.rows]
        return [] if limit is None else [*ghosts, *super().over(record, now, limit)]


@breaks("expired_sessions_do_not_count")
class CountsTheExpired(ReferenceStore):
    def over(self, record, now, limit):
        return super().over(record, 0.0, limit)


@breaks("extended_sessions_count")
class CountsByTheFirstDeadline(ReferenceStore):
    def admit(self, record, *rest):
        self.server.notes.setdefault(record.key, record.expires)
        return super().admit(record, *rest)

    def over(self, record, now, limit):
        first = self.server.notes
        return [key for key in super().over(record, now, limit) if now < first[key]]


@breaks(
    "handles_share_an_index",
    "login_at_any_stopping_point_leaves_the_limit",
    "of_rival_claims_the_limit_is_admitted",
    "rival_logins_leave_the_limit",
)
class ClaimsInTwoSteps(ReferenceStore):
    async def claim(self, record, now, *, limit=None, excess=Excess.END_OLDEST, replacing=None):
        self.replacing = replacing
        over = await self.ask("count", lambda: self.over(record, now, limit))
        if over and excess is Excess.REFUSE:
            return Full()
        await self.ask("add", lambda: self.admit(record, now, None, excess))
        return Claimed(tuple(over))


@breaks("replaced_session_does_not_count")
class CountsTheReplaced(ReferenceStore):
    async def claim(self, record, now, *, limit=None, excess=Excess.END_OLDEST, replacing=None):
        return await super().claim(record, now, limit=limit, excess=excess)
