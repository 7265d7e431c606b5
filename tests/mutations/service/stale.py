"""Mutations of what tells a stale ticket from a stolen one."""

import msgspec

from mutations.service.registry import Table
from sessile.core import verdict
from sessile.core.policy import Policy, hours, minutes
from sessile.core.verdict import Kin, Successor, Verdict
from sessile.service import commit, save, stale
from sessile.service import open as opening
from sessile.testing.promises.stale import PATIENT, STRICT, comes_from_abroad, is_another_browser
from sessile.testing.promises.stories import puts, reads, rotates
from sessile.testing.world import ABROAD, HOME

MUTATIONS = Table()
breaks = MUTATIONS.breaks

HELD_BACK = "held_back_request_is_served_and_handed_nothing"
KILLED = "killed_browser_is_handed_the_current_ticket"
ELSEWHERE = "stale_ticket_from_another_client_is_a_replay"
REPLAYED = "replayed_predecessor_ends_the_session"


@breaks(HELD_BACK, name="held back", act=puts(v=1))
@breaks(HELD_BACK, name="held back long", act=puts(v=1))
@breaks("late_request_gets_no_ticket_wherever_a_rival_falls", rival=reads)
@breaks("client_that_moved_before_is_late_all_the_same")
def late_is_stolen(patch):
    for kin in (Kin.PARENT, Kin.ANCESTOR):
        patch.setitem(verdict.VERDICTS, (kin, Successor.RECENT), Verdict.REPLAY)


@breaks(HELD_BACK, name="held back", act=puts(v=1))
@breaks(HELD_BACK, name="held back long", act=puts(v=1))
@breaks("late_request_gets_no_ticket_wherever_a_rival_falls", rival=reads)
@breaks("thief_with_the_same_browser_is_found_out_when_the_window_is_over")
def late_requests_are_handed_the_ticket(patch):
    for kin in (Kin.PARENT, Kin.ANCESTOR):
        patch.setitem(verdict.VERDICTS, (kin, Successor.RECENT), Verdict.RETURN)


@breaks(KILLED, waits=minutes(2))
@breaks(KILLED, waits=hours(9))
@breaks("browser_that_starts_again_sends_many_requests")
def killed_browsers_are_late(patch):
    patch.setitem(verdict.VERDICTS, (Kin.PARENT, Successor.BRIEF), Verdict.LATE)


@breaks("browser_that_starts_again_sends_many_requests")
def first_of_a_killed_browser_locks_out_the_others(patch):
    patch.setitem(opening._ACTS, Verdict.RETURN, opening._Act.SERVE_LATE)


@breaks("poll_is_use_of_a_ticket_too")
def polls_are_no_use(patch):
    patch.setattr(Policy, "use_due", lambda self, record, now: False)


@breaks("poll_is_use_of_a_ticket_too")
def polls_move_the_clock(patch):
    patch.setattr(Policy, "touch_due", Policy.use_due)
    plan = save.plan

    def plan_actively(transaction, *args, **more):
        transaction.passive = False
        return plan(transaction, *args, **more)

    patch.setattr(commit, "plan", plan_actively)


@breaks(REPLAYED, peer=HOME, stale=hours(1), late=3_601.0)
def use_is_noted_seldom(patch):
    patch.setattr(
        Policy, "touch_due", lambda self, record, now: now - record.seen >= self.idle / 20
    )


@breaks(ELSEWHERE, name="killed", becomes=comes_from_abroad)
@breaks(ELSEWHERE, name="held back", becomes=is_another_browser)
@breaks(ELSEWHERE, name="held back long", becomes=comes_from_abroad)
@breaks("another_client_since_makes_a_stale_ticket_a_replay", name="killed")
@breaks("another_client_since_makes_a_stale_ticket_a_replay", name="held back")
@breaks(REPLAYED, peer=ABROAD, stale=hours(1), late=91.0)
def everybody_is_its_own_client(patch):
    patch.setattr(opening, "is_own_client", lambda *_: True)


@breaks("another_client_since_makes_a_stale_ticket_a_replay", name="held back")
def trails_are_not_read(patch):
    patch.setattr(stale, "_OF_OTHERS", frozenset())


@breaks("client_that_moved_before_is_late_all_the_same")
def moves_are_never_forgiven(patch):
    whole = opening.is_own_client
    patch.setattr(
        opening, "is_own_client", lambda transaction, record, _: whole(transaction, record, 0.0)
    )


@breaks("thief_with_the_same_browser_is_found_out_when_the_window_is_over")
@breaks("without_a_window_a_stale_ticket_is_a_replay", name="held back")
@breaks("without_a_window_a_stale_ticket_is_a_replay", name="held back long")
@breaks(REPLAYED, peer=HOME, stale=hours(1), late=3_601.0)
@breaks(REPLAYED, peer=HOME, stale=None, late=91.0)
def windows_never_close(patch):
    for kin in (Kin.PARENT, Kin.ANCESTOR):
        patch.setitem(verdict.VERDICTS, (kin, Successor.LONG_AGO), Verdict.LATE)


@breaks("without_a_window_a_stale_ticket_is_a_replay", name="killed")
def killed_browsers_come_back_without_a_window(patch):
    patch.setitem(verdict.VERDICTS, (Kin.PARENT, Successor.LONG_AGO), Verdict.RETURN)


@breaks("nobodys_old_ticket_is_never_a_replay", policy=PATIENT, peer=HOME)
@breaks("nobodys_old_ticket_is_never_a_replay", policy=STRICT, peer=ABROAD)
def visitors_can_be_robbed(patch):
    patch.setattr(verdict, "_HARMLESS", frozenset())


@breaks("stale_ticket_costs_one_commit_at_most")
def late_requests_are_noted(patch):
    patch.setitem(opening._ACTS, Verdict.LATE, opening._Act.RETURN)


@breaks("ancestor_ends_the_session", peer=HOME, stale=hours(1), late=3_601.0)
def older_tickets_are_strangers(patch):
    patch.setattr(verdict, "_STEPS", 8)


# Requests that turn no ticket


@breaks("unrotated_request_turns_no_ticket", act=rotates)
@breaks("unrotated_request_is_served_with_an_old_ticket", policy=PATIENT, turns=2)
@breaks("unrotated_request_takes_no_ticket_from_its_page")
@breaks("unrotated_request_moves_no_client_that_is_to_be_turned")
@breaks("unrotated_request_gets_no_ticket_wherever_a_turn_falls")
def players_are_like_any_other(patch):
    patch.setattr(
        "sessile.testing.world.open_transaction",
        lambda context, request, **_: opening.open_transaction(context, request),
    )


@breaks("unrotated_request_is_served_with_an_old_ticket", policy=PATIENT, turns=30)
@breaks("unrotated_request_is_served_with_an_old_ticket", policy=STRICT, turns=1)
def players_are_late_and_no_more(patch):
    whole = opening._weigh

    def weigh(transaction, opened, *more):
        return whole(transaction, msgspec.structs.replace(opened, unrotated=False), *more)

    patch.setattr(opening, "_weigh", weigh)


@breaks("unrotated_request_of_another_client_is_a_replay", name="killed", becomes=comes_from_abroad)
@breaks(
    "unrotated_request_of_another_client_is_a_replay", name="held back", becomes=is_another_browser
)
def players_are_anybody(patch):
    patch.setattr(opening, "is_own_client", lambda *_: True)


@breaks("old_ticket_is_a_replay_where_tickets_turn")
def every_path_is_a_players(patch):
    patch.setattr(
        "sessile.testing.world.open_transaction",
        lambda context, request, **_: opening.open_transaction(context, request, unrotated=True),
    )


@breaks("unrotated_login_is_handed_its_own_ticket")
def players_get_no_ticket_whatever(patch):
    whole = commit._headers
    patch.setattr(
        commit,
        "_headers",
        lambda transaction, *more: () if transaction.unrotated else whole(transaction, *more),
    )


@breaks("unrotated_request_moves_no_client_that_is_to_be_turned")
def players_move(patch):
    whole = commit.plan

    def plan(transaction, now, **more):
        opened = msgspec.structs.replace(transaction.opened, rotate_now=False)
        transaction.opened = opened if transaction.unrotated else transaction.opened
        return whole(transaction, now, **more)

    patch.setattr(commit, "plan", plan)


@breaks("unrotated_request_gets_no_ticket_wherever_a_turn_falls")
def players_are_handed_what_a_rival_turned(patch):
    whole = save._rebase

    def rebase(transaction, *more):
        transaction.opened = msgspec.structs.replace(transaction.opened, unrotated=False)
        return whole(transaction, *more)

    patch.setattr(save, "_rebase", rebase)
