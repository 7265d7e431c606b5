"""Mutations of bindings, locks and half-finished logins."""

import pytest

from mutations.service.registry import Table
from sessile.core import trail
from sessile.core.authentication import Authentication
from sessile.core.binding import Binding, Mismatch
from sessile.core.change import Change
from sessile.core.policy import Policy, hours
from sessile.core.record import evolve
from sessile.service import commit, login, opening, save, theft
from sessile.service.events import End
from sessile.service.visit import Visit
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
    patch.setattr(Binding, "holds", lambda self, bound, came: True)


@breaks("neighbouring_address_is_the_same_client", here=HOME, there=NEARBY)
@breaks("what_is_ignored_may_change")
def every_change_is_another_client(patch):
    patch.setattr(Binding, "holds", lambda self, bound, came: bound == came)


@breaks("anonymous_session_moves_silently", mismatch=Mismatch.RECORD)
@breaks("anonymous_session_moves_silently", mismatch=Mismatch.END)
def visitors_are_bound(patch):
    whole = opening._step

    def step(parts, visit, ticket, record):
        if record is not None and record.owner is None and visit.client.address == ABROAD:
            opening._tell_mismatch(parts, visit, record)
        return whole(parts, visit, ticket, record)

    patch.setattr(opening, "_step", step)


@breaks("half_finished_login_does_not_move", mismatch=Mismatch.STEP_UP)
def half_logins_move(patch):
    whole = opening._reaction
    patch.setattr(
        opening,
        "_reaction",
        lambda parts, visit, record, verdict: (
            None if record.pending else whole(parts, visit, record, verdict)
        ),
    )


def planning(patch, **changes):
    whole = commit.plan

    def plan(parts, visit, now, **more):
        for name, value in changes.items():
            setattr(visit, name, value)
        return whole(parts, visit, now, **more)

    patch.setattr(commit, "plan", plan)


@breaks("recorded_client_is_served_and_told")
@breaks("change_of_client_costs_one_commit")
def moves_are_not_noted(patch):
    planning(patch, moved=False)


@breaks("change_of_client_costs_one_commit")
def moves_are_noted_each_time(patch):
    planning(patch, moved=True)


@breaks("copy_of_a_turned_ticket_shows_as_a_replay")
@breaks("owner_who_moves_with_a_turned_ticket_is_at_peace")
def tickets_do_not_turn(patch):
    planning(patch, turn=False)


@breaks("mismatch_is_told_once_a_request")
def mismatches_are_told_again(patch):
    whole = opening._reaction

    def forgetful(parts, visit, record, verdict):
        visit.moved = False
        return whole(parts, visit, record, verdict)

    patch.setattr(opening, "_reaction", forgetful)


@breaks("parallel_requests_that_move_are_noted_once")
def moves_are_noted_by_all(patch):
    whole = save._rebased

    def rebased(parts, visit, *more):
        moved = visit.moved
        after = whole(parts, visit, *more)
        visit.moved = moved
        return after

    patch.setattr(save, "_rebased", rebased)


@breaks("locked_session_moves_nowhere")
def locked_sessions_are_told_to_move(patch):
    whole = opening._step

    def step(parts, visit, ticket, record):
        if record is not None and not parts.policy.binding.holds(record.client, visit.client):
            opening._tell_mismatch(parts, visit, record)
        return whole(parts, visit, ticket, record)

    patch.setattr(opening, "_step", step)


GRACE = "used_ticket_in_grace_brings_another_client_no_successor"


@breaks(GRACE, mismatch=Mismatch.RECORD, act=reads, late=890.0)
@breaks(GRACE, mismatch=Mismatch.ROTATE, act=puts(v=1), late=890.0)
def parents_turn(patch):
    patch.setattr(
        save,
        "_successor",
        lambda parts, visit: None if visit.hand_over else visit.ticket.successor(parts.ring.newest),
    )


@breaks(GRACE, mismatch=Mismatch.RECORD, act=reads, late=0.0)
def successors_go_to_anyone(patch):
    whole = opening._step

    def step(parts, visit, ticket, record):
        done = whole(parts, visit, ticket, record)
        if done is visit and visit.record and not ticket.proves(visit.record.digest):
            visit.hand_over = ticket.successor(parts.ring.newest)
        return done

    patch.setattr(opening, "_step", step)


@breaks("owner_who_moved_gets_a_lost_answer_again")
def lost_answers_wait_at_home(patch):
    whole = save.plan
    patch.setattr(
        commit, "plan", lambda parts, visit, now, **more: lose(visit, whole, parts, now, more)
    )


def lose(visit, whole, parts, now, more):
    visit.hand_over, visit.ticket = None, visit.ticket if visit.hand_over is None else None
    return whole(parts, visit, now, **more)


@breaks("shut_session_is_nobodys_abroad")
@breaks("idle_session_locks", policy=LOCKING)
@breaks("polling_revives_no_locked_session", act=reads)
@breaks("locked_session_spends_nothing")
def locked_sessions_open(patch):
    patch.setattr(Visit, "locked", lambda self, record, values, lock: self.opened(record, values))


@breaks("shut_session_goes_on_at_home")
def shut_sessions_end(patch):
    patch.setattr(
        opening,
        "_shut",
        lambda parts, visit, record, values: theft.end_stolen(parts, visit, record, End.MISMATCH),
    )


def bearing(patch, **changes):
    whole = login.born
    patch.setattr(
        login,
        "born",
        lambda parts, session, *more, **named: whole(
            parts, session, *more, **named | {k: v(session) for k, v in changes.items()}
        ),
    )


@breaks("owner_abroad_proves_once_and_is_at_peace", proves=unlocks)
def proof_moves_nobody(patch):
    whole = login.born

    def born(parts, session, *more, client, **named):
        client = client if session.record is None else session.record.client
        return whole(parts, session, *more, client=client, **named)

    patch.setattr(login, "born", born)


@breaks("thief_who_hops_cannot_flush_the_trail", mismatch=Mismatch.RECORD)
def newest_lines_stay(patch):
    whole = trail.extend_trail
    patch.setattr(
        save,
        "extend_trail",
        lambda old, at, client, *words: (*old, *whole((), at, client, *words))[-20:],
    )


@breaks("thief_who_hops_cannot_flush_the_trail", mismatch=Mismatch.STEP_UP)
def thieves_write_as_they_like(patch):
    patch.setattr(opening, "_MOST_TURNED_AWAY", 1_000)


# Locks and half-finished logins


@breaks("idle_session_locks", policy=LOCKING)
@breaks("strictest_level_has_no_lock")
def nothing_ends_by_being_idle(patch):
    patch.setattr(Policy, "locked", lambda self, record, now: False)
    patch.setattr(Policy, "idle_until", lambda self, seen, **kind: seen + hours(9))


@breaks("session_locks_at_its_idle_time")
def sessions_lock_early(patch):
    patch.setattr(Policy, "locked", lambda self, record, now: now >= record.seen + self.idle / 2)


@breaks("lock_runs_out")
def locks_never_end(patch):
    patch.setattr(Policy, "idle_until", lambda self, seen, **kind: seen + hours(9))


@breaks("anonymous_session_is_not_locked")
def visitors_wait(patch):
    patch.setattr(
        Policy, "idle_until", lambda self, seen, **kind: seen + self.idle + (self.lock or 0)
    )


@breaks("polling_revives_no_locked_session", act=reads)
def polling_is_activity(patch):
    whole = commit._commit

    async def touching(parts, visit, *, turn):
        if visit.lock is not None:
            later = visit.record.idle_until + 600
            draft = evolve(visit.record, version=visit.record.version + 1, idle_until=later)
            await parts.store.commit(Change(draft, visit.record.version))
        return await whole(parts, visit, turn=turn)

    patch.setattr(commit, "_commit", touching)


@breaks("passive_requests_extend_nothing", act=reads)
@breaks("passive_requests_extend_nothing", act=puts(v=1))
def passive_is_active(patch):
    patch.setattr(
        "sessile.testing.world.open_visit",
        lambda parts, said, passive: opening.open_visit(parts, said),
    )


@breaks("unlocked_session_goes_on")
@breaks("step_up_moves_no_overall_clock")
def clocks_start_anew(patch):
    bearing(patch, continues=lambda session: None)


@breaks("locked_session_gives_another_user_nothing")
@breaks("beginning_a_login_ends_the_one_before")
def values_stay_for_the_next(patch):
    patch.setattr(Authentication, "_disinherit", lambda self: None)


@breaks("locked_session_takes_nothing", act=puts(cart=["bomb"]))
def locked_sessions_save(patch):
    whole = commit._commit

    async def saving(parts, visit, *, turn):
        visit.lock = None if visit.session.intent.name == "KEEP" else visit.lock
        with pytest.MonkeyPatch.context() as within:
            within.setattr(Policy, "locked", lambda self, record, now: False)
            return await whole(parts, visit, turn=turn)

    patch.setattr(commit, "_commit", saving)


@breaks("half_finished_login_is_nobody")
def first_factor_is_enough(patch):
    patch.setattr(
        Authentication, "begin_login", lambda self, user, **more: self.login(user, **more)
    )


@breaks("half_finished_login_expires")
def half_logins_wait_for_ever(patch):
    patch.setattr(Authentication, "pending", property(lambda self: self._who.pending))


@breaks("unlocked_session_is_not_fresh")
def unlocking_is_a_login(patch):
    patch.setattr(Authentication, "unlock", lambda self, factors: self.login(self.locked_user))
