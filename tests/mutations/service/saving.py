"""Mutations of opening and saving: merges, tickets, clocks, and what is stored at all."""

import threading

from msgspec.structs import replace

from mutations.service.registry import Table
from sessile.core import merge, ticket, verdict
from sessile.core.flow import Ask
from sessile.core.limit import Limit
from sessile.core.merge import Merged
from sessile.core.policy import Policy, hours
from sessile.core.secrets import KeyRing
from sessile.core.size import SizeLimit
from sessile.core.verdict import Kin, Successor, Verdict
from sessile.service import commit, end, regenerate, save
from sessile.service import open as open_module
from sessile.service.transaction import Transaction
from sessile.stores.memory import MemoryStore
from sessile.testing.promises.stories import CROWD
from sessile.testing.world import ABROAD, HOME

PATIENCE = 20.0


MUTATIONS = Table(AssertionError)
breaks = MUTATIONS.breaks


class Crowded(MemoryStore):
    """A store whose first readers wait for each other, so that threads truly meet."""

    def __init__(self):
        super().__init__()
        self._places = iter(range(CROWD))
        self._all_have_read = threading.Barrier(CROWD)

    async def read(self, key):
        record = await super().read(key)
        await Ask("wait for the crowd", self._wait)
        return record

    def _wait(self):
        if next(self._places, None) is not None:
            self._all_have_read.wait(PATIENCE)


@breaks("appends_to_one_list_both_survive")
def last_writer_wins(patch):
    patch.setattr(save, "merge", lambda base, theirs, ours, codec: Merged(ours.set, ours.removed))


@breaks("equal_assignments_stand_once")
@breaks("last_assignment_stands")
def assignments_are_appends(patch):
    whole = save.merge

    def merged(base, theirs, ours, codec):
        return whole(base, theirs, replace(ours, assigned=frozenset()), codec)

    patch.setattr(save, "merge", merged)


@breaks("rivals_together_stay_within_the_size")
def merged_session_is_of_any_size(patch):
    whole = save.merge

    def merged(base, theirs, ours, codec):
        patch.setattr(SizeLimit, "check", lambda *_: None)
        return whole(base, theirs, ours, codec)

    patch.setattr(save, "merge", merged)


@breaks("increments_add_up", store=Crowded)
def increments_are_values(patch):
    whole = merge.merge

    def merged(base, theirs, ours, codec):
        return whole(base, base, ours, codec)

    patch.setattr(save, "merge", merged)


@breaks("late_change_moves_over_at_login")
def late_changes_stay_behind(patch):
    patch.setattr(regenerate, "merge_values", lambda context, base, theirs, delta: {})


@breaks("request_under_way_keeps_its_session_alive")
def requests_under_way_are_idle(patch):
    patch.setattr(Transaction, "takes", lambda self, one, now: self.context.policy.lives(one, now))


@breaks("absolute_time_holds_against_a_late_writer")
def requests_under_way_stop_every_clock(patch):
    patch.setattr(Transaction, "takes", lambda *_: True)


@breaks("expiry_holds_against_a_late_writer")
def expiry_is_told_and_not_noted(patch):
    async def nothing(*_):
        return None

    patch.setattr(open_module, "close_expired", nothing)


@breaks("late_writer_is_not_over_the_limit")
def late_writers_crowd_others_out(patch):
    async def never(*_):
        return False

    patch.setattr(save, "_is_crowded_out", never)


@breaks("reader_asks_the_store_once")
def readers_write(patch):
    patch.setattr(Policy, "touch_due", lambda self, record, now, *_: True)


@breaks("late_writer_starts_no_session_over_a_newer_one")
def no_tombstone_stays(patch):
    patch.setattr(end, "tombstone", lambda key, now: None)
    patch.setattr(regenerate, "_tombstone", lambda *_, **__: None)


@breaks("dead_cookie_gets_no_deletion")
def dead_cookies_are_deleted(patch):
    whole = commit.commit

    async def erased(transaction, **more):
        given, opened = await whole(transaction, **more), transaction.opened
        dead = not given and opened.presented and opened.record is None
        return (opened.carrier.expire(),) if dead else given

    patch.setattr("sessile.testing.world.commit", erased)


@breaks("crowd_at_rotation_time_agrees_on_one_successor")
def successors_are_drawn(patch):
    patch.setattr(save, "_successor", _drawn)


def _drawn(transaction):
    opened = transaction.opened
    if opened.reissue is not None or opened.ticket is None:
        return None
    return ticket.Ticket(opened.ticket.key, transaction.context.entropy(30))


@breaks("servers_with_other_newest_secrets_agree")
def one_secret_is_tried(patch):
    patch.setattr(KeyRing, "__iter__", lambda self: iter(self.all[:1]))


@breaks("replayed_predecessor_ends_the_session", peer=HOME, stale=hours(1), late=3_601.0)
@breaks("replayed_predecessor_ends_the_session", peer=HOME, stale=None, late=91.0)
def replays_are_served(patch):
    patch.setitem(verdict.VERDICTS, (Kin.PARENT, Successor.LONG_AGO), Verdict.HAND_OVER)


@breaks("ancestor_ends_the_session", peer=ABROAD, stale=hours(1), late=91.0)
@breaks("ancestor_ends_the_session", peer=HOME, stale=hours(1), late=3_601.0)
@breaks("ancestor_ends_the_session", peer=HOME, stale=None, late=91.0)
def ancestors_are_strangers(patch):
    for seen in Successor:
        patch.setitem(verdict.VERDICTS, (Kin.ANCESTOR, seen), Verdict.ANONYMOUS)


@breaks("predecessor_within_grace_is_the_same_session")
def no_grace(patch):
    patch.setitem(verdict.VERDICTS, (Kin.PARENT, Successor.IN_GRACE), Verdict.REPLAY)


@breaks("ticket_turned_twice_within_grace_is_the_same_session")
def parents_alone_have_grace(patch):
    patch.setitem(verdict.VERDICTS, (Kin.ANCESTOR, Successor.IN_GRACE), Verdict.REPLAY)


@breaks("ticket_turned_twice_within_grace_is_the_same_session")
def one_turn_forgets_the_others(patch):
    patch.setattr(save, "confirmations", lambda record, now, policy: (record.confirmed,))


@breaks("server_with_another_clock_ends_no_session", skew=-45.0)
def grace_knows_one_clock(patch):
    patch.setattr(verdict, "_in_grace", lambda at, now, policy: -60.0 <= now - at <= policy.grace)


@breaks("server_with_another_clock_ends_no_session", skew=59.0)
def future_is_past(patch):
    patch.setattr(verdict, "_in_grace", lambda at, now, policy: 0 <= now - at <= policy.grace + 60)


@breaks("forged_ticket_harms_nobody")
def strangers_end_sessions(patch):
    for seen in Successor:
        patch.setitem(verdict.VERDICTS, (Kin.STRANGER, seen), Verdict.REPLAY)


@breaks("lost_answer_is_handed_over_again")
def lost_answers_are_replays(patch):
    patch.setitem(verdict.VERDICTS, (Kin.PARENT, Successor.UNSEEN), Verdict.REPLAY)


@breaks("change_in_flight_moves_over_at_step_up")
def changes_stay_behind_at_step_up(patch):
    async def follow(transaction, record, now):
        return record

    patch.setattr(save, "_follow", follow)


@breaks("slow_request_with_an_old_ticket_turns_none")
def overtaken_requests_turn(patch):
    whole = save._rebase

    def rebase(transaction, now, attempt, newest):
        after = whole(transaction, now, attempt, newest)
        return after and save.Attempt(
            after.record,
            after.values,
            after.delta,
            attempt.successor,
            attempt.reissue,
            after.client_changed,
        )

    patch.setattr(save, "_rebase", rebase)


@breaks("used_session_outlives_the_idle_time")
def use_extends_nothing(patch):
    patch.setattr(
        Policy,
        "touch",
        lambda self, record, now, *_: {"seen": now, "idle_until": record.idle_until},
    )


@breaks("busy_session_ends_at_its_absolute_time")
def use_extends_everything(patch):
    patch.setattr(Policy, "lives", lambda self, record, now, *_: now < record.idle_until)


@breaks("stricter_policy_holds_for_open_sessions")
@breaks("record_from_the_future_opens_nothing")
def what_was_stored_is_all_that_counts(patch):
    patch.setattr(Policy, "lives", lambda self, record, now, *_: record.live_at(now))


@breaks("anonymous_session_has_its_own_clocks")
def carts_end_with_the_browser(patch):
    patch.setattr(
        Policy,
        "max_age",
        lambda self, record, now, *_: int(record.until - now) if record.persistent else None,
    )


@breaks("anonymous_session_has_its_own_clocks")
def carts_have_the_ordinary_clocks(patch):
    idle_until = Policy.idle_until
    patch.setattr(
        Policy,
        "idle_until",
        lambda self, seen, **kind: idle_until(self, seen, **kind | {"anonymous": False}),
    )


@breaks("milder_policy_brings_nothing_back")
def policy_alone_counts(patch):
    patch.setattr(
        Policy,
        "lives",
        lambda self, one, now, *_: now < one.seen + self.idle_for(persistent=one.persistent),
    )


@breaks("remembered_session_has_its_own_clocks")
def remembering_is_forgotten(patch):
    patch.setattr(Policy, "idle_for", lambda self, *, persistent: self.idle)


@breaks("anonymous_request_costs_nothing")
def visitors_are_stored(patch):
    patch.setattr(commit, "_is_wanted", lambda state, delta: True)


@breaks("limit_holds_under_race")
def excess_lives_on(patch):
    patch.setattr(Limit, "excess", lambda self, others: ())
