"""Mutations of what an account relies on: step-up and grants, theft, limits, devices, events."""

import msgspec

from mutations.service.registry import Table
from sessile.core.authentication import Authentication
from sessile.core.change import Excess
from sessile.core.policy import Limit, Policy, Theft
from sessile.core.record import Record, evolve, remains
from sessile.errors import StepUpNeeded
from sessile.service import devices, ending, grants, login, opening, owners, theft
from sessile.service.events import End, Refusal, Replayed
from sessile.service.parts import Parts
from sessile.testing.promises import proofs
from sessile.testing.promises.stories import logs_out, steps_up, unlocks

MUTATIONS = Table()
breaks = MUTATIONS.breaks


# Step-up and grants


@breaks("step_up_makes_a_new_session")
def replaced_sessions_live(patch):
    whole = login.end_one

    async def kept(parts, key, owner, reason, now, **more):
        if reason is End.LOGIN:
            return await parts.store.read(key, now)
        return await whole(parts, key, owner, reason, now, **more)

    patch.setattr(login, "end_one", kept)


@breaks("ended_session_goes_on_in_no_other", act=steps_up("pay"), ending="end")
@breaks("ended_session_goes_on_in_no_other", act=unlocks, ending="end all")
def heirs_outlive(patch):
    patch.setattr(login, "CONTINUING", frozenset())


@breaks("ended_session_goes_on_in_no_other", act=steps_up("pay"), ending="logout")
@breaks("ended_session_goes_on_in_no_other", act=unlocks, ending="end")
def ends_follow_nobody(patch):
    patch.setattr(ending, "heir_of", lambda left: None)
    patch.setattr(owners, "heir_of", lambda left: None)


@breaks("ended_session_goes_on_in_no_other", act=unlocks, ending="end all")
@breaks("theft_ends_what_steps_up_meanwhile")
def ends_look_once(patch):
    ends_follow_nobody(patch)
    patch.setattr(ending, "_LISTINGS", 1)


async def emptied(flow):
    await flow
    return ()


@breaks("rival_step_ups_leave_one_session", excess=Excess.END_OLDEST)
@breaks("rival_step_ups_leave_one_session", excess=Excess.REFUSE)
def step_ups_are_counted(patch):
    patch.setattr(login, "_limit", lambda parts, visit, owner: parts.policy.limit_for(owner))


@breaks("limit_holds_beside_a_step_up", excess=Excess.END_OLDEST, swapped=True)
@breaks("fifty_logins_at_once_leave_one", excess=Excess.END_OTHERS)
def excess_lives_on(patch):
    whole = login.end_one

    async def kept(parts, key, owner, reason, now, **more):
        return None if reason is End.LIMIT else await whole(parts, key, owner, reason, now, **more)

    patch.setattr(login, "end_one", kept)


def spending(patch, holds):
    """Spend in hand, without the store: whenever the record that was opened holds it."""

    async def spend(parts, session, purpose):
        if not holds(parts, session.record, session, purpose):
            raise StepUpNeeded(purpose=purpose)

    patch.setattr(proofs, "spend_grant", spend)


@breaks("grant_is_spent_once")
@breaks("of_two_spends_one_wins")
@breaks("crowd_spends_once")
def grants_are_looked_at(patch):
    spending(patch, lambda parts, record, session, purpose: session.granted(purpose))


def holding(patch, holds):
    patch.setattr(grants, "_holds", holds)


@breaks("grant_is_for_its_purpose")
def grants_are_for_anything(patch):
    holding(patch, lambda parts, record, session, purpose, now: bool(record.grants))


@breaks("grant_runs_out")
@breaks("grant_is_not_spent_past_the_idle_time", lock=None)
def grants_never_run_out(patch):
    holding(patch, lambda parts, record, session, purpose, now: purpose in record.grants)


@breaks("spent_grant_does_not_come_back")
def spent_grants_move_over(patch):
    patch.setattr(login, "_unspent", lambda heir, last, purpose: heir.grants)


@breaks("grant_is_its_sessions_alone")
def grants_outlast_a_login(patch):
    whole = Authentication._become

    def become(self, intent, who):
        kept = {} if self._record is None else self._record.grants
        whole(self, intent, msgspec.structs.replace(who, grants={**kept, **who.grants}))

    patch.setattr(Authentication, "_become", become)


@breaks("line_of_a_rival_moves_over")
def lines_stay_behind(patch):
    whole = login._trail
    patch.setattr(login, "_trail", lambda visit, old, now: whole(visit, visit.record, now))


# Theft


@breaks("replay_leaves_evidence")
@breaks("late_request_wipes_out_no_evidence", act=logs_out)
def nothing_is_kept(patch):
    patch.setattr(theft, "evidence", lambda stolen, now, lasts, trail: remains(stolen.key, now))


@breaks("late_request_wipes_out_no_evidence", act=logs_out)
@breaks("late_request_wipes_out_no_evidence", act=steps_up())
@breaks("replay_of_what_was_replaced_leaves_none")
def later_ends_wipe_out(patch):
    async def gone(parts, last, left):
        """Put nothing back."""

    patch.setattr(ending, "_put_back", gone)


@breaks("evidence_is_no_session")
def evidence_is_shown(patch):
    async def show(parts, session_id):
        record = await parts.store.read(session_id, parts.clock())
        return record and owners.SessionInfo.of(record)

    patch.setattr(owners, "show", show)


@breaks("evidence_cannot_be_changed")
def evidence_is_believed(patch):
    patch.setattr(owners, "opened", lambda parts, record, now: {})


@breaks("theft_ends_what_the_policy_says", theft=Theft.END_ALL)
def other_sessions_stay(patch):
    patch.setattr(theft, "_end_others", lambda parts, visit, owner: emptied(parts.store.ping()))


@breaks("replay_is_told")
def thefts_are_hushed_up(patch):
    whole = Parts.tell
    patch.setattr(
        Parts, "tell", lambda self, e: None if isinstance(e, Replayed) else whole(self, e)
    )


# Owners


@breaks("newest_of_rival_logins_stays", excess=Excess.END_OTHERS)
def ended_logins_end_others(patch):
    async def older(parts, record, visit, now):
        found = [r.key for r in await parts.store.owned_by(record.owner, now)]
        return tuple(found[: found.index(record.key)] if record.key in found else found)

    patch.setattr(login, "_older", older)


@breaks("limit_is_what_the_function_says")
@breaks("others_end_only_beyond_the_limit")
@breaks("refused_login_changes_nothing")
def every_limit_is_one(patch):
    patch.setattr(Policy, "limit_for", lambda self, user: Limit(1))


@breaks("login_from_a_new_device_is_told")
@breaks("new_device_is_told_by_its_name")
def devices_are_forgotten(patch):
    patch.setattr(devices, "_known", lambda parts, row, since: {})


@breaks("device_is_forgotten_in_time")
def devices_are_never_forgotten(patch):
    whole = devices._known
    patch.setattr(devices, "_known", lambda parts, row, since: whole(parts, row, 0.0))


@breaks("devices_are_each_users_own")
def devices_are_everybodys(patch):
    whole = devices._key
    patch.setattr(devices, "_key", lambda owner: whole("everybody"))


@breaks("knowing_devices_costs_a_login_two_commands")
def devices_are_always_looked_up(patch):
    async def introduce(parts, record, now):
        await parts.store.read(devices._key(record.owner), now)

    patch.setattr(login, "introduce", introduce)


@breaks("sessions_are_listed_as_people_name_them")
def names_stick(patch):
    whole = login.born

    def born(*given, client, **named):
        record = whole(*given, client=client, **named)
        return evolve(record, device=client.device)

    patch.setattr(login, "born", born)


@breaks("name_that_the_login_gave_stays")
def names_are_read_anew(patch):
    patch.setattr(Record, "device_name", property(lambda self: self.client.device))


# Events


@breaks("each_fact_is_told_when_it_happens", name="a visit")
def facts_are_told_twice(patch):
    whole = Parts.tell
    patch.setattr(Parts, "tell", lambda self, event: [whole(self, event) for _ in range(2)])


@breaks("facts_carry_the_client_and_no_secret", name="theft")
def facts_are_nobodys(patch):
    whole = Parts.tell
    patch.setattr(
        Parts,
        "tell",
        lambda self, event: whole(self, msgspec.structs.replace(event, client=None)),
    )


@breaks("refusals_say_why")
def refusals_are_all_alike(patch):
    patch.setattr(opening, "Refused", lambda at, key, reason, client: Refusal.UNKNOWN)


@breaks("ends_say_why")
def ends_are_all_alike(patch):
    whole = ending.Ended
    patch.setattr(
        ending, "Ended", lambda at, key, reason, owner, client: whole(at, key, End.LOGOUT, owner)
    )
