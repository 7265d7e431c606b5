"""The promises of sessions bite: each weakened service here breaks the promise it is listed by."""

import threading

import pytest

from sessile.core import merge, ticket, verdict
from sessile.core.flow import Ask
from sessile.core.merge import Merged
from sessile.core.policy import Policy
from sessile.core.record import Record
from sessile.core.secrets import KeyRing
from sessile.core.verdict import Kin, Successor, Verdict
from sessile.service import commit, ending, login, save
from sessile.service.events import End
from sessile.stores.memory import MemoryStore
from sessile.testing.drive import Blocking
from sessile.testing.promises.concurrency import Concurrency
from sessile.testing.promises.lifetimes import Lifetimes
from sessile.testing.promises.stories import CROWD
from sessile.testing.promises.tickets import Tickets

PATIENCE = 20.0


class Promises(Concurrency, Tickets, Lifetimes):
    """All promises of sessions."""


def last_writer_wins(patch):
    patch.setattr(save, "merge", lambda base, theirs, ours, codec: Merged(ours.set, ours.removed))


def increments_are_values(patch):
    whole = merge.merge

    def merged(base, theirs, ours, codec):
        return whole(base, base, ours, codec)

    patch.setattr(save, "merge", merged)


def late_changes_stay_behind(patch):
    patch.setattr(login, "applied", lambda parts, base, theirs, delta: {})


def readers_write(patch):
    patch.setattr(Policy, "touch_due", lambda self, record, now: True)


def nothing_remains(patch):
    patch.setattr(ending, "remains", lambda key, now, heir=None: None)


def dead_cookies_are_deleted(patch):
    whole = commit.commit_visit

    async def erased(parts, visit, **more):
        cookie = await whole(parts, visit, **more)
        dead = cookie is None and visit.carried and visit.record is None
        return visit.carrier.expire() if dead else cookie

    patch.setattr("sessile.testing.world.commit_visit", erased)


def successors_are_drawn(patch):
    patch.setattr(save, "_successor", _drawn)


def _drawn(parts, visit):
    if visit.hand_over is not None or visit.ticket is None:
        return None
    return ticket.Ticket(visit.ticket.key, parts.entropy(30))


def one_secret_is_tried(patch):
    patch.setattr(KeyRing, "__iter__", lambda self: iter(self.all[:1]))


def replays_are_served(patch):
    patch.setitem(verdict.VERDICTS, (Kin.PARENT, Successor.PAST_GRACE), Verdict.HAND_OVER)


def ancestors_are_strangers(patch):
    for seen in Successor:
        patch.setitem(verdict.VERDICTS, (Kin.ANCESTOR, seen), Verdict.ANONYMOUS)


def no_grace(patch):
    patch.setitem(verdict.VERDICTS, (Kin.PARENT, Successor.IN_GRACE), Verdict.REPLAY)


def strangers_end_sessions(patch):
    for seen in Successor:
        patch.setitem(verdict.VERDICTS, (Kin.STRANGER, seen), Verdict.REPLAY)


def lost_answers_are_replays(patch):
    patch.setitem(verdict.VERDICTS, (Kin.PARENT, Successor.UNSEEN), Verdict.REPLAY)


def overtaken_requests_turn(patch):
    whole = save._rebased

    def rebased(parts, visit, now, attempt, newest):
        after = whole(parts, visit, now, attempt, newest)
        return after and save.Attempt(
            after.record, after.values, after.delta, attempt.successor, attempt.hand_over
        )

    patch.setattr(save, "_rebased", rebased)


def use_extends_nothing(patch):
    patch.setattr(
        Policy, "touch", lambda self, record, now: {"seen": now, "idle_until": record.idle_until}
    )


def use_extends_everything(patch):
    patch.setattr(Record, "live_at", lambda self, now: now < self.idle_until)


def remembering_is_forgotten(patch):
    patch.setattr(Policy, "idle_for", lambda self, *, persistent: self.idle)


def visitors_are_stored(patch):
    patch.setattr(commit, "_create", _always_created)


async def _always_created(parts, visit, now):
    fresh = visit.session.fresh()
    record = commit.born(parts, visit.session, fresh, now, {})
    await parts.store.create(record)


def excess_lives_on(patch):
    whole = login.end_one

    async def kept(parts, key, owner, reason, now, **more):
        return None if reason is End.LIMIT else await whole(parts, key, owner, reason, now, **more)

    patch.setattr(login, "end_one", kept)


WEAK = {
    last_writer_wins: "appends_to_one_list_both_survive",
    increments_are_values: "increments_add_up",
    late_changes_stay_behind: "late_change_moves_over_at_login",
    readers_write: "reader_asks_the_store_once",
    nothing_remains: "late_writer_starts_no_session_over_a_newer_one",
    dead_cookies_are_deleted: "dead_cookie_gets_no_deletion",
    successors_are_drawn: "crowd_at_rotation_time_agrees_on_one_successor",
    one_secret_is_tried: "servers_with_other_newest_secrets_agree",
    replays_are_served: "replayed_predecessor_ends_the_session",
    ancestors_are_strangers: "ancestor_ends_the_session",
    no_grace: "predecessor_within_grace_is_the_same_session",
    strangers_end_sessions: "forged_ticket_harms_nobody",
    lost_answers_are_replays: "lost_answer_is_handed_over_again",
    overtaken_requests_turn: "slow_request_with_an_old_ticket_is_handed_none",
    use_extends_nothing: "used_session_outlives_the_idle_time",
    use_extends_everything: "busy_session_ends_at_its_absolute_time",
    remembering_is_forgotten: "remembered_session_has_its_own_clocks",
    visitors_are_stored: "anonymous_request_costs_nothing",
    excess_lives_on: "limit_holds_under_race",
}


class Crowded(MemoryStore):
    """A store whose first readers wait for each other, so that threads truly meet."""

    def __init__(self):
        super().__init__()
        self._places = iter(range(CROWD))
        self._all_have_read = threading.Barrier(CROWD)

    async def read(self, key, now):
        record = await super().read(key, now)
        await Ask("wait for the crowd", self._wait)
        return record

    def _wait(self):
        if next(self._places, None) is not None:
            self._all_have_read.wait(PATIENCE)


def ask(promise):
    store = Crowded() if promise == "increments_add_up" else MemoryStore()
    getattr(Promises(), f"test_{promise}")(store, Blocking())


@pytest.mark.parametrize(
    ("weaken", "promise"), WEAK.items(), ids=lambda it: getattr(it, "__name__", "")
)
def test_weakened_service_breaks_its_promise(monkeypatch, weaken, promise):
    """The promise holds for the service as it is, and fails for the one without that defence."""
    ask(promise)
    weaken(monkeypatch)

    with pytest.raises(AssertionError):
        ask(promise)
