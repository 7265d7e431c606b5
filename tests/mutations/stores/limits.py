"""Stores that let too many sessions of a user live, or too few, or end the wrong ones."""

import msgspec

from harness.reference_store import ReferenceStore
from mutations.stores.registry import breaks
from sessile.stores.contract import Corrupt, Full, Key, Limit, OnLimit, Record, Replaced


def limited(replacement, number, on_limit=None):
    """Return the login with another limit."""
    limit = replacement.limit
    limit = Limit(number, on_limit or (limit.on_limit if limit else OnLimit.END_OLDEST))
    return msgspec.structs.replace(replacement, limit=limit)


@breaks(
    "crowd_is_refused_as_it_stands",
    "index_can_be_emptied_page_by_page",
    "index_comes_in_pages",
    "kept_sessions_stay",
    "login_ends_no_more_than_an_act_may",
    "login_within_an_act_has_no_rest",
    "no_limit_has_no_excess",
    "owned_sessions_are_deleted_page_by_page",
    "owned_sessions_come_oldest_claim_first",
)
class AssumesALimit(ReferenceStore):
    def over(self, replacement):
        return super().over(replacement if replacement.limit else limited(replacement, 5))


@breaks(
    "excess_can_be_all_others",
    "excess_is_the_oldest",
    "login_ends_no_more_than_an_act_may",
    "login_within_an_act_has_no_rest",
)
class EndsTheNewest(ReferenceStore):
    def rivals(self, replacement):
        return super().rivals(replacement)[::-1]


@breaks(
    "claim_met_by_the_end_is_whole",
    "ended_sessions_count_for_no_limit",
    "excess_can_be_all_others",
    "excess_is_gone_with_the_login",
    "excess_is_the_oldest",
    "expired_sessions_do_not_count",
    "extended_sessions_count",
    "feed_tells_of_a_login_what_it_ends",
    "handles_share_an_index",
    "login_at_any_stopping_point_leaves_the_limit",
    "login_ends_no_more_than_an_act_may",
    "login_within_an_act_has_no_rest",
    "nobody_sees_more_than_the_limit",
    "of_rival_claims_the_limit_is_admitted",
    "refused_claim_writes_nothing",
    "rival_logins_leave_the_limit",
    "what_was_never_presented_takes_no_place",
)
class AllowsOneMore(ReferenceStore):
    def over(self, replacement):
        limit = replacement.limit
        return super().over(limited(replacement, limit.number + 1) if limit else replacement)


@breaks(
    "ended_sessions_count_for_no_limit",
    "excess_can_be_all_others",
    "excess_is_the_oldest",
    "expired_sessions_do_not_count",
    "login_ends_no_more_than_an_act_may",
    "login_within_an_act_has_no_rest",
    "rival_logins_leave_the_limit",
    "what_was_never_presented_takes_no_place",
)
class IsItsOwnExcess(ReferenceStore):
    def admit(self, replacement):
        answer = super().admit(replacement)
        if isinstance(answer, Replaced) and answer.ended:
            return Replaced((*answer.ended[1:], Key(replacement.new.key)))
        return answer


@breaks(
    "excess_can_be_all_others",
    "excess_is_gone_with_the_login",
    "excess_is_the_oldest",
    "feed_tells_of_a_login_what_it_ends",
    "login_at_any_stopping_point_leaves_the_limit",
    "login_ends_no_more_than_an_act_may",
    "nobody_sees_more_than_the_limit",
    "rival_logins_leave_the_limit",
    "what_was_never_presented_takes_no_place",
)
class NamesTheExcessAndLeavesIt(ReferenceStore):
    def end_excess(self, over, replacement):
        pass


@breaks(
    "ended_sessions_count_for_no_limit",
    "excess_can_be_all_others",
    "excess_is_the_oldest",
    "expired_sessions_do_not_count",
    "login_ends_no_more_than_an_act_may",
    "login_within_an_act_has_no_rest",
    "rival_logins_leave_the_limit",
    "what_was_never_presented_takes_no_place",
)
class EndsTheExcessAndNamesNone(ReferenceStore):
    def admit(self, replacement):
        answer = super().admit(replacement)
        return Replaced() if isinstance(answer, Replaced) else answer


@breaks(
    "excess_is_gone_with_the_login",
    "feed_tells_of_a_login_what_it_ends",
    "nobody_sees_more_than_the_limit",
)
class UnindexesTheExcessAlone(ReferenceStore):
    def end_excess(self, over, replacement):
        for key in over:
            del self.owners[replacement.new.owner][key]


@breaks("nobody_sees_more_than_the_limit", "rival_logins_leave_the_limit")
class EndsTheExcessAfterTheLogin(ReferenceStore):
    def end_excess(self, over, replacement):
        pass

    async def replace(self, replacement):
        answer = await super().replace(replacement)
        for key in answer.ended if isinstance(answer, Replaced) else ():
            await self.delete(key, replacement.new.owner)
        return answer


@breaks(
    "claim_met_by_the_end_is_whole",
    "login_ends_no_more_than_an_act_may",
    "nobody_sees_more_than_the_limit",
    "rival_logins_leave_the_limit",
)
class EndsTheExcessBeforeTheLogin(ReferenceStore):
    async def replace(self, replacement):
        over = await self.ask("look", lambda: self.over(replacement))
        for key in over or ():
            await self.delete(key, replacement.new.owner)
        answer = await super().replace(replacement)
        return Replaced(tuple(over)) if isinstance(answer, Replaced) else answer


@breaks(
    "excess_can_be_all_others",
    "login_ends_no_more_than_an_act_may",
)
class EndsTheOldestAlone(ReferenceStore):
    def over(self, replacement):
        limit = replacement.limit
        others = limit and limit.on_limit is OnLimit.END_OTHERS
        return super().over(
            limited(replacement, limit.number, OnLimit.END_OLDEST) if others else replacement
        )


@breaks(
    "excess_is_the_oldest",
    "login_ends_no_more_than_an_act_may",
    "rival_logins_leave_the_limit",
    "what_was_never_presented_takes_no_place",
)
class EndsAllOthers(ReferenceStore):
    def over(self, replacement):
        over = super().over(replacement)
        return [row.key for row in self.rivals(replacement)] if over else over


@breaks(
    "excess_can_be_all_others",
    "replaced_session_does_not_count",
    "what_was_never_presented_takes_no_place",
)
class EndsOthersWithinTheLimit(ReferenceStore):
    def over(self, replacement):
        limit = replacement.limit
        others = limit and limit.on_limit is OnLimit.END_OTHERS
        rivals = [row.key for row in self.rivals(replacement)]
        return rivals if others else super().over(replacement)


@breaks(
    "ended_sessions_count_for_no_limit",
    "excess_can_be_all_others",
    "expired_sessions_do_not_count",
    "login_ends_no_more_than_an_act_may",
    "what_was_never_presented_takes_no_place",
)
class RefusesWhereOthersShouldEnd(ReferenceStore):
    def over(self, replacement):
        limit, over = replacement.limit, super().over(replacement)
        return None if over and limit.on_limit is OnLimit.END_OTHERS else over


@breaks(
    "claim_within_the_limit_has_no_excess",
    "expired_sessions_do_not_count",
    "malformed_row_hides_no_other_of_its_owner",
    "replaced_session_does_not_count",
    "strange_names_are_each_their_own",
)
class CountsEverybody(ReferenceStore):
    def rivals(self, replacement):
        return [self.get(key) for keys in self.owners.values() for key in keys]


@breaks("what_was_never_presented_takes_no_place")
class CountsTheNeverPresented(ReferenceStore):
    def is_nobodys(self, row, now):
        return False


@breaks("what_was_never_presented_takes_no_place")
class EndsTheNeverPresentedAtOnce(ReferenceStore):
    def is_nobodys(self, row, now):
        return isinstance(row, Record) and not row.presented


@breaks("what_was_never_presented_takes_no_place")
class LeavesTheNeverPresented(ReferenceStore):
    """Counts them for no limit, and ends none of them."""

    def over(self, replacement):
        over, now = super().over(replacement), replacement.now
        return over and [key for key in over if not self.is_nobodys(self.get(key), now)]


@breaks("refused_claim_writes_nothing")
class WritesTheRefused(ReferenceStore):
    def admit(self, replacement):
        answer = super().admit(replacement)
        if isinstance(answer, Full):
            self.add(replacement.new)
        return answer


@breaks(
    "crowd_is_refused_as_it_stands",
    "of_rival_claims_the_limit_is_admitted",
    "refused_claim_writes_nothing",
    "what_was_never_presented_takes_no_place",
)
class IndexesTheRefused(ReferenceStore):
    def admit(self, replacement):
        answer = super().admit(replacement)
        if isinstance(answer, Full):
            self.add(replacement.new)
            self.enter(replacement)
        return answer


@breaks("refused_claim_writes_nothing")
class EndsTheOldOfTheRefused(ReferenceStore):
    def admit(self, replacement):
        answer = super().admit(replacement)
        if isinstance(answer, Full) and replacement.old:
            self.step_aside(replacement)
        return answer


@breaks(
    "deleted_sessions_do_not_count",
    "every_listener_is_told",
    "feed_tells_at_whatever_step_a_login_ends_a_session",
    "feed_tells_of_a_login_what_it_ends",
    "feed_tells_of_other_processes",
    "swept_sessions_do_not_count",
)
class UnindexesForItsOwnerAlone(ReferenceStore):
    """Takes out of an index what is deleted in its owner's name alone, and counts what is left."""

    def remove(self, key, owner):
        found = self.get(key)
        self.rows.pop(key, None)
        if owner is not None:
            super().remove(key, owner)
        return found

    def rivals(self, replacement):
        keys = self.owners.get(replacement.new.owner, ())
        ghosts = [Corrupt(Key(key)) for key in keys if key not in self.rows]
        return [*ghosts, *super().rivals(replacement)]


@breaks("expired_sessions_do_not_count")
class CountsTheExpired(ReferenceStore):
    def rivals(self, replacement):
        return super().rivals(msgspec.structs.replace(replacement, now=0.0))


@breaks("extended_sessions_count")
class CountsByTheFirstDeadline(ReferenceStore):
    def enter(self, replacement):
        super().enter(replacement)
        self.server.notes[replacement.new.key] = replacement.new.expires

    def rivals(self, replacement):
        first = self.server.notes
        return [row for row in super().rivals(replacement) if replacement.now < first[row.key]]


@breaks(
    "handles_share_an_index",
    "login_at_any_stopping_point_leaves_the_limit",
    "login_ends_no_more_than_an_act_may",
    "nobody_sees_more_than_the_limit",
    "of_rival_claims_the_limit_is_admitted",
    "rival_logins_leave_the_limit",
)
class CountsInOneStepAndStoresInAnother(ReferenceStore):
    async def replace(self, replacement):
        over = await self.ask("count", lambda: self.over(replacement))
        if over is None:
            return Full()
        answer = await super().replace(msgspec.structs.replace(replacement, limit=None))
        if not isinstance(answer, Replaced):
            return answer
        await self.ask("end", lambda: self.end_excess(over, replacement))
        return Replaced(tuple(over))


@breaks("replaced_session_does_not_count")
class CountsTheReplaced(ReferenceStore):
    def rivals(self, replacement):
        return super().rivals(msgspec.structs.replace(replacement, old=None))
