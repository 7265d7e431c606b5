"""Mutations of what an account relies on: step-up and grants, theft, limits, devices, events."""

import msgspec

from mutations.service.registry import Table
from sessile.codecs.sealing import AesGcmSealer, PlainSealer
from sessile.core.limit import Limit
from sessile.core.policy import OnReplay, Policy
from sessile.core.record import Record, RecordKind, evolve, tombstone
from sessile.core.session import state_of
from sessile.core.state import SessionState
from sessile.errors import StepUpNeeded
from sessile.service import (
    devices,
    end,
    manage,
    regenerate,
    require,
    subject_row,
    tombstones,
    visitor,
)
from sessile.service import evidence as listing
from sessile.service.context import Context
from sessile.service.events import End, RefusalReason, Replayed
from sessile.stores.contract import Conflict, OnLimit, Replacement
from sessile.testing.promises import grants
from sessile.testing.promises.stories import logs_out, steps_up, unlocks

MUTATIONS = Table()
breaks = MUTATIONS.breaks


# Step-up and grants


@breaks("login_whose_answer_was_lost_blocks_nobody", on_limit=OnLimit.REFUSE)
def lost_logins_take_a_place(patch):
    patch.setattr("sessile.core.record._is_unclaimed", lambda one, now: False)


@breaks("login_whose_answer_was_lost_blocks_nobody", on_limit=OnLimit.END_OLDEST)
def logins_count_as_presented(patch):
    patch.setattr(Record, "presented", True)


@breaks("step_up_makes_a_new_session")
def replaced_sessions_live(patch):
    patch.setattr(
        regenerate, "Replacement", lambda new, now, limit, *old: Replacement(new, now, limit)
    )


@breaks("ended_session_goes_on_in_no_other", act=steps_up("pay"), ending="end")
@breaks("session_that_ended_with_all_goes_on_in_no_other", act=unlocks)
def replacements_outlive(patch):
    patch.setattr(regenerate, "CONTINUING", frozenset())


@breaks("ended_session_goes_on_in_no_other", act=steps_up("pay"), ending="logout")
@breaks("ended_session_goes_on_in_no_other", act=unlocks, ending="end")
def ends_follow_nobody(patch):
    patch.setattr(end, "replacement_of", lambda left: None)
    patch.setattr(tombstones, "replacement_of", lambda left: None)


@breaks("session_that_ended_with_all_goes_on_in_no_other", act=unlocks)
def ends_list_first(patch):
    ends_follow_nobody(patch)

    async def listed(context, owner, reason, now, *, keep=(), before=None, client=None):
        rows = (await context.store.owned_by(owner)).records
        keys = [row.key for row in rows if row.key not in keep]
        ended = [await end.end_one(context, key, owner, reason, now) for key in keys]
        return len(ended) - ended.count(None)

    for module in (end, manage):
        patch.setattr(module, "end_owned", listed)


@breaks("many_end_page_by_page")
def ends_never_pause(patch):
    async def at_once(seconds):
        """Go on."""

    patch.setattr(end, "pause", at_once)


@breaks("login_over_a_crowd_ends_all_of_it")
def rest_lives_on(patch):
    patch.setattr(regenerate, "end_owned", lambda *given, **named: nothing())


async def nothing():
    """Do nothing."""


@breaks("nobody_is_limited_by_default_who_is_honest")
def nobody_is_limited(patch):
    patch.setattr(regenerate, "_limit", lambda transaction: None)


@breaks("theft_ends_what_steps_up_meanwhile")
def thefts_look_once(patch):
    ends_list_first(patch)
    patch.setattr(end, "_end_others", stay_together)


async def stay_together(transaction, stolen):
    """End nobody before the stolen one."""


@breaks("rival_step_ups_leave_one_session", on_limit=OnLimit.END_OLDEST)
@breaks("rival_step_ups_leave_one_session", on_limit=OnLimit.REFUSE)
@breaks("late_request_wipes_out_no_evidence", act=steps_up())
def what_a_session_left_is_replaced(patch):
    async def base(transaction, result, before, now):
        return regenerate._Base(result.current, {}) if isinstance(result, Conflict) else None

    patch.setattr(regenerate, "_base_after_rival", base)


@breaks("limit_holds_beside_a_step_up", on_limit=OnLimit.END_OLDEST, swapped=True)
@breaks("fifty_logins_at_once_leave_one", on_limit=OnLimit.END_OTHERS)
def excess_lives_on(patch):
    patch.setattr(Limit, "excess", lambda self, others: ())


def spending(patch, holds):
    """Spend in hand, without the store: whenever the record that was opened holds it."""

    async def spend(context, session, purpose):
        if not holds(state_of(session).record, session, purpose):
            raise StepUpNeeded(purpose=purpose)

    patch.setattr(grants, "use_grant", spend)


@breaks("grant_is_spent_once")
@breaks("of_two_spends_one_wins")
@breaks("crowd_spends_once")
def grants_are_looked_at(patch):
    spending(patch, lambda record, session, purpose: session.has_grant(purpose))


def holding(patch, holds):
    patch.setattr(require, "_has_grant", holds)


@breaks("grant_is_for_its_purpose")
def grants_are_for_anything(patch):
    holding(patch, lambda context, record, user, purpose, now: bool(record.grants))


@breaks("grant_runs_out")
@breaks("grant_is_not_spent_past_the_idle_time", lock=None)
def grants_never_run_out(patch):
    holding(patch, lambda context, record, user, purpose, now: purpose in record.grants)


@breaks("spent_grant_does_not_come_back")
def spent_grants_move_over(patch):
    patch.setattr(regenerate, "_remaining_grants", lambda new, old, purpose: new.grants)


@breaks("grant_is_its_sessions_alone")
def grants_outlast_a_login(patch):
    whole = SessionState.become

    def become(self, intent, who):
        kept = {} if self.record is None else self.record.grants
        whole(self, intent, msgspec.structs.replace(who, grants={**kept, **who.grants}))

    patch.setattr(SessionState, "become", become)


@breaks("line_of_a_rival_moves_over")
def lines_stay_behind(patch):
    whole = regenerate._trail
    patch.setattr(
        regenerate,
        "_trail",
        lambda transaction, old, now: whole(transaction, transaction.opened.record, now),
    )


# Theft


@breaks("replay_leaves_evidence")
@breaks("late_request_wipes_out_no_evidence", act=logs_out)
def nothing_is_kept(patch):
    patch.setattr(end, "evidence", lambda stolen, now, lasts, trail: tombstone(stolen.key, now))


@breaks("late_request_wipes_out_no_evidence", act=logs_out)
@breaks("replay_of_what_was_replaced_leaves_none")
def later_ends_wipe_out(patch):
    async def gone(context, last, instead):
        """Put nothing back."""

    patch.setattr(end, "_put_back", gone)


@breaks("evidence_is_no_session")
def evidence_is_shown(patch):
    async def show(context, session_id):
        record = await context.store.read(session_id)
        return record and manage.SessionInfo.of(record)

    patch.setattr(manage, "show", show)


@breaks("evidence_cannot_be_changed")
def evidence_is_believed(patch):
    holds = PlainSealer.holds
    for sealer in (PlainSealer, AesGcmSealer):
        patch.setattr(
            sealer,
            "holds",
            lambda self, record: record.kind is RecordKind.EVIDENCE or holds(self, record),
        )


@breaks("evidence_of_a_user_is_the_newest")
@breaks("rival_thefts_are_listed_both")
def evidence_is_not_listed(patch):
    async def forget(context, kept, now):
        """List nothing."""

    patch.setattr(end, "list_evidence", forget)


@breaks("evidence_of_a_user_is_the_newest")
def evidence_stays_when_the_list_forgets_it(patch):
    whole = listing._lines
    patch.setattr(listing, "_lines", lambda row, now: whole(row, now)[1 - listing.MOST_EVIDENCE :])


@breaks("evidence_of_a_user_is_the_newest")
def one_list_is_everybodys(patch):
    whole = subject_row.key_of
    patch.setattr(subject_row, "key_of", lambda kind, owner: whole(kind, "everybody"))


@breaks("rival_thefts_are_listed_both")
def evidence_that_lost_a_race_is_not_listed(patch):
    whole = listing.write_row

    async def write_row(*given):
        await whole(*given)
        return True

    patch.setattr(listing, "write_row", write_row)


@breaks("theft_ends_though_its_evidence_cannot_be_listed")
def lists_matter(patch):
    patch.setattr(listing, "StoreUnavailable", ZeroDivisionError)


@breaks("evidence_of_nobody_lasts_no_longer_than_its_session")
def evidence_of_nobody_is_kept_as_any(patch):
    whole = end.evidence

    def evidence(stolen, now, lasts, trail):
        return whole(evolve(stolen, until=now + lasts), now, lasts, trail)

    patch.setattr(end, "evidence", evidence)


@breaks("theft_ends_what_the_policy_says", theft=OnReplay.END_ALL)
def other_sessions_stay(patch):
    patch.setattr(end, "_ends_others", lambda transaction, owner: False)


@breaks("replay_is_told")
def thefts_are_hushed_up(patch):
    whole = Context.emit
    patch.setattr(
        Context, "emit", lambda self, e: None if isinstance(e, Replayed) else whole(self, e)
    )


# Owners


@breaks("newest_of_rival_logins_stays", on_limit=OnLimit.END_OTHERS)
def others_end_only_if_there_are_many(patch):
    whole = Limit.excess
    patch.setattr(Limit, "excess", lambda self, others: whole(self, others[1:]))


@breaks("limit_is_what_the_function_says")
@breaks("others_end_only_beyond_the_limit")
@breaks("refused_login_changes_nothing")
def every_limit_is_one(patch):
    patch.setattr(Policy, "limit_for", lambda self, user: Limit(1))


@breaks("login_from_a_new_device_is_told")
@breaks("new_device_is_told_by_its_name")
def devices_are_forgotten(patch):
    patch.setattr(devices, "_devices", lambda row, since: {})


@breaks("device_is_forgotten_in_time")
def devices_are_never_forgotten(patch):
    whole = devices._devices
    patch.setattr(devices, "_devices", lambda row, since: whole(row, 0.0))


@breaks("devices_are_each_users_own")
def devices_are_everybodys(patch):
    whole = subject_row.key_of
    patch.setattr(subject_row, "key_of", lambda kind, owner: whole(kind, "everybody"))


@breaks("knowing_devices_costs_a_login_two_commands")
def devices_are_always_looked_up(patch):
    async def note(context, record, now):
        await context.store.read(subject_row.key_of(RecordKind.DEVICES, record.owner))

    patch.setattr(regenerate, "note_device", note)


@breaks("sessions_are_listed_as_people_name_them")
def names_stick(patch):
    whole = regenerate.new_record

    def new_record(*given, client, **named):
        record = whole(*given, client=client, **named)
        return evolve(record, device=client.device)

    patch.setattr(regenerate, "new_record", new_record)


@breaks("name_that_the_login_gave_stays")
def names_are_read_anew(patch):
    patch.setattr(Record, "device_name", property(lambda self: self.client.device))


# Events


@breaks("each_fact_is_told_when_it_happens", name="a visit")
def facts_are_told_twice(patch):
    whole = Context.emit
    patch.setattr(Context, "emit", lambda self, event: [whole(self, event) for _ in range(2)])


@breaks("facts_carry_the_client_and_no_secret", name="theft")
def facts_are_nobodys(patch):
    whole = Context.emit
    patch.setattr(
        Context,
        "emit",
        lambda self, event: whole(self, msgspec.structs.replace(event, client=None)),
    )


@breaks("refusals_say_why")
def refusals_are_all_alike(patch):
    patch.setattr(visitor, "Refused", lambda at, key, reason, client: RefusalReason.UNKNOWN)


@breaks("ends_say_why")
def ends_are_all_alike(patch):
    whole = end.Ended
    for module in (end, regenerate):
        patch.setattr(
            module,
            "Ended",
            lambda at, key, reason, owner, client: whole(at, key, End.LOGOUT, owner),
        )
