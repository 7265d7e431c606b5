"""Mutations of bindings, locks and half-finished logins."""

import msgspec
import pytest

from mutations.service.registry import Table
from sessile.core import trail
from sessile.core.binding import Binding, OnMismatch
from sessile.core.identity import Intent
from sessile.core.policy import Policy, hours
from sessile.core.record import evolve
from sessile.core.session import Session
from sessile.core.state import SessionState
from sessile.service import commit, regenerate, save
from sessile.service import open as opening
from sessile.service.end import end_stolen
from sessile.service.events import End
from sessile.service.transaction import Opened, Standing
from sessile.stores.contract import Change
from sessile.testing.promises.locks import LOCKING
from sessile.testing.promises.stories import puts, reads, unlocks
from sessile.testing.world import ABROAD, HOME, NEARBY

MUTATIONS = Table()
breaks = MUTATIONS.breaks


# Binding


@breaks("distant_address_is_another_client", here=HOME, there=ABROAD)
@breaks("newer_version_is_the_same_browser")
@breaks("shut_session_is_nobodys_abroad")
@breaks("recorded_client_is_served_and_told")
@breaks("another_client_ends_the_session")
def every_client_is_the_same(patch):
    patch.setattr(Binding, "holds", lambda self, bound, came, other="": True)


@breaks("neighbouring_address_is_the_same_client", here=HOME, there=NEARBY)
@breaks("what_is_ignored_may_change")
def every_change_is_another_client(patch):
    patch.setattr(Binding, "holds", lambda self, bound, came, other="": bound == came)


@breaks("anonymous_session_moves_silently", mismatch=OnMismatch.RECORD)
@breaks("anonymous_session_moves_silently", mismatch=OnMismatch.END)
def visitors_are_bound(patch):
    whole = opening._examine

    def examine(transaction, opened, record, verdict, since, **more):
        if record.owner is None and transaction.client_beside(record).address == ABROAD:
            opening._emit_mismatch(transaction, record)
        return whole(transaction, opened, record, verdict, since, **more)

    patch.setattr(opening, "_examine", examine)


@breaks("half_finished_login_does_not_move", mismatch=OnMismatch.STEP_UP)
def half_logins_move(patch):
    whole = opening._reaction
    patch.setattr(
        opening,
        "_reaction",
        lambda transaction, record, **more: (
            None if record.pending else whole(transaction, record, **more)
        ),
    )


def planning(patch, **changes):
    whole = commit.plan

    def plan(transaction, now, **more):
        transaction.opened = msgspec.structs.replace(transaction.opened, **changes)
        return whole(transaction, now, **more)

    patch.setattr(commit, "plan", plan)


@breaks("recorded_client_is_served_and_told")
@breaks("change_of_client_costs_one_commit")
def moves_are_not_noted(patch):
    planning(patch, client_changed=False)


@breaks("change_of_client_costs_one_commit")
def moves_are_noted_each_time(patch):
    planning(patch, client_changed=True)


@breaks("copy_of_a_turned_ticket_shows_as_a_replay")
@breaks("owner_who_moves_with_a_turned_ticket_is_at_peace")
def tickets_do_not_turn(patch):
    planning(patch, rotate_now=False)


@breaks("mismatch_is_told_once_a_request")
def mismatches_are_told_again(patch):
    whole = opening._examine
    patch.setattr(
        opening, "_examine", lambda *given, told, **more: whole(*given, told=False, **more)
    )


@breaks("parallel_requests_that_move_are_noted_once")
def moves_are_noted_by_all(patch):
    whole = save._rebase

    def rebase(transaction, now, attempt, newest):
        after = whole(transaction, now, attempt, newest)
        return after and msgspec.structs.replace(after, client_changed=attempt.client_changed)

    patch.setattr(save, "_rebase", rebase)


@breaks("locked_session_moves_nowhere")
def locked_sessions_are_told_to_move(patch):
    whole = opening._examine

    def examine(transaction, opened, record, verdict, since, **more):
        binding = transaction.context.policy.binding
        if not binding.holds(record.client, transaction.client_beside(record)):
            opening._emit_mismatch(transaction, record)
        return whole(transaction, opened, record, verdict, since, **more)

    patch.setattr(opening, "_examine", examine)


GRACE = "used_ticket_in_grace_brings_another_client_no_successor"


@breaks(GRACE, mismatch=OnMismatch.RECORD, act=reads, late=890.0)
@breaks(GRACE, mismatch=OnMismatch.ROTATE, act=puts(v=1), late=890.0)
def parents_turn(patch):
    patch.setattr(
        save,
        "_successor",
        lambda transaction: (
            None
            if transaction.opened.reissue
            else transaction.opened.ticket.successor(transaction.context.ring.newest)
        ),
    )


@breaks(GRACE, mismatch=OnMismatch.RECORD, act=reads, late=0.0)
def successors_go_to_anyone(patch):
    whole = opening._examine

    def examine(transaction, opened, record, verdict, since, **more):
        found, act = whole(transaction, opened, record, verdict, since, **more)
        if opened.ticket.proves(record.digest):
            return found, act
        successor = opened.ticket.successor(transaction.context.ring.newest)
        return msgspec.structs.replace(found, reissue=successor), act

    patch.setattr(opening, "_examine", examine)


@breaks("owner_who_moved_gets_a_lost_answer_again")
def lost_answers_wait_at_home(patch):
    whole = commit.plan

    def plan(transaction, now, **more):
        if transaction.opened.reissue is not None:
            transaction.opened = msgspec.structs.replace(
                transaction.opened, reissue=None, ticket=None
            )
        return whole(transaction, now, **more)

    patch.setattr(commit, "plan", plan)


@breaks("shut_session_is_nobodys_abroad")
@breaks("idle_session_locks", policy=LOCKING)
@breaks("polling_revives_no_locked_session", act=reads)
@breaks("locked_session_spends_nothing")
def locked_sessions_open(patch):
    patch.setattr(opening, "_lock", lambda opened, lock: opened)


@breaks("shut_session_goes_on_at_home")
def shut_sessions_end(patch):
    async def turn_away(transaction, opened, record):
        await end_stolen(transaction, record, End.MISMATCH)
        return Opened(Standing.ANONYMOUS, opened.carrier)

    patch.setattr(opening, "_turn_away", turn_away)


def making(patch, **changes):
    whole = regenerate.new_record
    patch.setattr(
        regenerate,
        "new_record",
        lambda context, state, *more, **named: whole(
            context, state, *more, **named | {k: v(state) for k, v in changes.items()}
        ),
    )


@breaks("owner_abroad_proves_once_and_is_at_peace", proves=unlocks)
def proof_moves_nobody(patch):
    whole = regenerate.new_record

    def new_record(*given, client, continues, **named):
        client = client if continues is None else continues.client
        return whole(*given, client=client, continues=continues, **named)

    patch.setattr(regenerate, "new_record", new_record)


@breaks("thief_who_hops_cannot_flush_the_trail", mismatch=OnMismatch.RECORD)
def newest_lines_stay(patch):
    whole = trail.extend_trail
    patch.setattr(
        save,
        "extend_trail",
        lambda old, at, client, *words: (*old, *whole((), at, client, *words))[-20:],
    )


@breaks("thief_who_hops_cannot_flush_the_trail", mismatch=OnMismatch.STEP_UP)
def thieves_write_as_they_like(patch):
    patch.setattr(opening, "_MOST_TURNED_AWAY", 1_000)


# Locks and half-finished logins


@breaks("idle_session_locks", policy=LOCKING)
@breaks("strictest_level_has_no_lock")
def nothing_ends_by_being_idle(patch):
    patch.setattr(Policy, "is_locked", lambda self, record, now, *_: False)
    patch.setattr(Policy, "idle_until", lambda self, seen, **kind: seen + hours(9))
    patch.setattr(Policy, "lives", lambda self, record, now, *_: record.live_at(now))


@breaks("session_locks_at_its_idle_time")
def sessions_lock_early(patch):
    patch.setattr(
        Policy, "is_locked", lambda self, record, now, *_: now >= record.seen + self.idle / 2
    )


@breaks("lock_runs_out")
def locks_never_end(patch):
    patch.setattr(Policy, "idle_until", lambda self, seen, **kind: seen + hours(9))
    patch.setattr(Policy, "lives", lambda self, record, now, *_: record.live_at(now))


@breaks("anonymous_session_is_not_locked")
def visitors_wait(patch):
    patch.setattr(
        Policy, "idle_until", lambda self, seen, **kind: seen + self.idle + (self.lock or 0)
    )
    patch.setattr(Policy, "lives", lambda self, record, now, *_: record.live_at(now))


@breaks("polling_revives_no_locked_session", act=reads)
@breaks("locked_session_ends_by_its_own_clocks")
def polling_is_activity(patch):
    begin = commit._begin_act

    async def touching(transaction, now, *, rotate):
        record = transaction.opened.record
        if transaction.opened.lock is not None:
            later = record.idle_until + 600
            draft = evolve(record, version=record.version + 1, idle_until=later)
            await transaction.context.store.commit(Change(draft, record.version))
        act = begin(transaction, now, rotate=rotate)
        return None if act is None else await act

    patch.setattr(commit, "_begin_act", touching)


@breaks("passive_requests_extend_nothing", act=reads)
@breaks("passive_requests_extend_nothing", act=puts(v=1))
def passive_is_active(patch):
    patch.setattr(
        "sessile.testing.world.open_transaction",
        lambda context, request, **_: opening.open_transaction(context, request),
    )


@breaks("unlocked_session_goes_on")
@breaks("step_up_moves_no_overall_clock")
@breaks("reopened_session_keeps_its_overall_clock")
def clocks_start_anew(patch):
    making(patch, continues=lambda state: None)


@breaks("locked_session_gives_another_user_nothing")
@breaks("beginning_a_login_ends_the_one_before")
def values_stay_for_the_next(patch):
    patch.setattr(SessionState, "disinherit", lambda self: None)


@breaks("locked_session_takes_nothing", act=puts(cart=["bomb"]))
def locked_sessions_save(patch):
    begin = commit._begin_act

    async def saving(transaction, now, *, rotate):
        opened = transaction.opened
        if opened.standing is Standing.LOCKED and transaction.state.intent is Intent.KEEP:
            transaction.opened = msgspec.structs.replace(opened, standing=Standing.LIVE, lock=None)
            transaction.passive = True
        with pytest.MonkeyPatch.context() as within:
            within.setattr(Policy, "is_locked", lambda self, record, now, *_: False)
            act = begin(transaction, now, rotate=False)
            return None if act is None else await act

    patch.setattr(commit, "_begin_act", saving)


@breaks("half_finished_login_is_nobody")
def first_factor_is_enough(patch):
    patch.setattr(Session, "begin_login", lambda self, user, **more: self.login(user, **more))


@breaks("half_finished_login_expires")
def half_logins_wait_for_ever(patch):
    patch.setattr(Session, "pending", property(lambda self: self._state.identity.pending))


@breaks("unlocked_session_is_not_fresh")
def unlocking_is_a_login(patch):
    patch.setattr(Session, "unlock", lambda self, factors: self.login(self.locked_user))
