"""Theft: a stolen ticket under each policy, what is told of it, and what is kept."""

import msgspec
import pytest

from harness.backends import SHARED_OWNING, as_params
from harness.handlers import puts, reads, start, who
from mutations.defences import (
    every_client_is_at_home,
    mismatches_end_the_session,
    others_of_a_stolen_session_live_on,
    silence,
)
from red_team.attack import events_of, weakened_by
from sessile import Policy
from sessile.core.binding import Binding, OnMismatch
from sessile.core.policy import OnReplay
from sessile.core.record import RecordKind
from sessile.service import end, save
from sessile.service import open as opening
from sessile.service.events import End, Ended, Locked, Mismatched, Replayed
from sessile.stores.sqlite import SQLiteStore

HERE, ELSEWHERE = "127.0.0.1", "127.9.0.1"
ROTATE, GRACE, DAY = 900, 90, 86_400  # the grace and the clock skew


def reacting(mismatch, **more):
    """Return a policy with that reaction."""
    return Policy(binding=Binding(on_mismatch=mismatch), **more)


def trail(info):
    """Return the lines of a trail, and from where; None when there is none."""
    return info and [(line.what, line.address) for line in info.trail]


def assert_told(site, reaction):
    """Make sure that the mismatch is told once, with both clients."""
    assert [
        (event.owner, event.reaction, event.expected.address, event.client.address)
        for event in events_of(site, Mismatched)
    ] == [("alice", reaction, HERE, ELSEWHERE)]


def mismatches_are_not_told(patch):
    """Nobody hears that a session came from elsewhere."""
    silence(patch, Mismatched)


def lines_are_not_written(patch):
    """Trails stay empty."""
    patch.setattr(opening, "extend_trail", lambda trail, *_: trail)
    patch.setattr(save, "extend_trail", lambda trail, *_: trail)


@weakened_by(
    every_client_is_at_home,
    mismatches_are_not_told,
    lines_are_not_written,
    policy=reacting(OnMismatch.RECORD),
)
def test_a40_stolen_ticket_is_written_down(site):
    """Under ``RECORD`` the thief is served, and the owner can read from where."""
    cookie = start(site, v=1)
    assert site.ask(who, cookie, source=ELSEWHERE).json == "alice"
    info = site.sessions.sync.show(cookie[4:24])

    assert_told(site, OnMismatch.RECORD)
    assert trail(info) == [("login", HERE), ("another client", ELSEWHERE)]
    assert info.address == ELSEWHERE
    assert site.ask(who, cookie).json == "alice"


def mismatches_turn_nothing(patch):
    """Another client goes on with the ticket that it came with."""
    move = opening._move

    def quiet(*args, **more):
        return msgspec.structs.replace(move(*args, **more), rotate_now=False)

    patch.setattr(opening, "_move", quiet)


@weakened_by(every_client_is_at_home, mismatches_turn_nothing, policy=reacting(OnMismatch.ROTATE))
def test_a40_stolen_ticket_turns_and_so_shows_as_a_replay(site):
    """Under ``ROTATE`` thief and victim come to hold different tickets; the older one ends all."""
    cookie = start(site)
    reply = site.ask(who, cookie, source=ELSEWHERE)
    assert reply.json == "alice"
    assert reply.cookie not in {"", cookie}
    assert_told(site, OnMismatch.ROTATE)

    site.ask(who, reply.cookie, source=ELSEWHERE)
    site.clock.advance(GRACE + 1)
    assert site.ask(who, cookie).json is None
    assert site.ask(who, reply.cookie, source=ELSEWHERE).json is None
    (event,) = events_of(site, Replayed)
    assert (event.expected.address, event.client.address) == (ELSEWHERE, HERE)


def locked_sessions_show_their_values(patch):
    """Who is turned away sees what the session holds."""
    patch.setattr(opening, "_lock", lambda opened, lock: opened)


@weakened_by(
    every_client_is_at_home,
    locked_sessions_show_their_values,
    mismatches_end_the_session,
    mismatches_are_not_told,
    policy=reacting(OnMismatch.STEP_UP),
)
def test_a40_stolen_ticket_is_turned_away(site):
    """Under ``STEP_UP`` the thief is nobody, sees and changes nothing; the victim goes on."""
    cookie = start(site, v=1)
    for act, answer in ((who, None), (reads, {}), (puts(v=2), None), (reads, {})):
        reply = site.ask(act, cookie, source=ELSEWHERE)
        assert (reply.status, reply.json, reply.set_cookie) == (200, answer, None)

    assert_told(site, OnMismatch.STEP_UP)
    assert len(events_of(site, Locked)) == 4
    info = site.sessions.sync.show(cookie[4:24])
    assert trail(info) == [("login", HERE), ("another client was turned away", ELSEWHERE)]
    assert info.address == HERE
    assert site.ask(who, cookie).json == "alice"
    assert site.values(cookie) == {"v": 1}


@weakened_by(every_client_is_at_home, policy=reacting(OnMismatch.STEP_UP))
def test_a40_stolen_half_of_a_login_is_worth_nothing(site):
    """Who brings a login elsewhere that is half finished cannot finish it: it is over for all."""
    cookie = site.ask(lambda session: session.begin_login("alice", factors=("password",))).cookie

    def pends(session):
        return session.pending is not None

    assert site.ask(pends, cookie).json is True
    assert site.ask(pends, cookie, source=ELSEWHERE).json is False
    assert site.ask(pends, cookie).json is False
    assert [event.reason for event in events_of(site, Ended)] == [End.MISMATCH]


def evidence_is_not_kept(patch):
    """A session that was stolen is deleted, and nothing is left to read."""
    delete = SQLiteStore.delete

    async def forgotten(store, key, owner=None, *, leaving=None):
        kept = None if leaving is not None and leaving.kind is RecordKind.EVIDENCE else leaving
        return await delete(store, key, owner, leaving=kept)

    patch.setattr(SQLiteStore, "delete", forgotten)


@weakened_by(every_client_is_at_home, evidence_is_not_kept, policy=reacting(OnMismatch.END))
def test_a40_stolen_ticket_ends_its_session(site):
    """Under ``END`` thief and victim are out, and what is kept says who came from where."""
    cookie, other = start(site, v=1), start(site)
    assert site.ask(who, cookie, source=ELSEWHERE).json is None
    assert_told(site, OnMismatch.END)
    assert [event.reason for event in events_of(site, Ended)] == [End.MISMATCH]

    evidence = site.sessions.sync.evidence(cookie[4:24])
    assert trail(evidence) == [("login", HERE), (f"ended: {End.MISMATCH.value}", ELSEWHERE)]
    assert (evidence.user, evidence.address) == ("alice", HERE)
    assert site.ask(who, cookie).json is None
    assert site.ask(who, other).json == "alice"


def replayed(site, source=ELSEWHERE):
    """Return the two tickets of a session of which the older one came back, from elsewhere."""
    old = start(site, v=1)
    site.clock.advance(ROTATE + 1)
    new = site.ask(reads, old).cookie
    site.ask(reads, new)
    site.clock.advance(GRACE + 1)
    site.ask(who, old, source=source)
    return old, new


def evidence_opens(patch):
    """What is kept of a session that was stolen is a session."""
    delete = SQLiteStore.delete

    async def kept(store, key, owner=None, *, leaving=None):
        if leaving is not None and leaving.kind is RecordKind.EVIDENCE:
            return await store.read(key)
        return await delete(store, key, owner, leaving=leaving)

    patch.setattr(SQLiteStore, "delete", kept)


def evidence_stays(patch):
    """What is kept is kept for good."""
    keep = end.evidence
    patch.setattr(
        end, "evidence", lambda stolen, now, _, trail: keep(stolen, now, 10_000 * DAY, trail)
    )


@weakened_by(evidence_is_not_kept, evidence_opens, evidence_stays, policy=Policy(stale=None))
def test_a8_evidence_of_a_replay_is_kept_and_opens_nothing(site):
    """For thirty days the trail says from where the used ticket came; its tickets are dead."""
    for source in (ELSEWHERE, HERE):
        old, new = replayed(site, source)
        key = old[4:24]
        event = events_of(site, Replayed)[-1]
        assert (event.session, event.owner, event.client.address) == (key, "alice", source)

        site.clock.advance(30 * DAY - 1)
        evidence = trail(site.sessions.sync.evidence(key))
        assert evidence == [("login", HERE), (f"ended: {End.REPLAY.value}", source)]
        assert site.sessions.sync.show(key) is None
        assert site.of("alice") == []
        for ticket in (old, new):
            assert site.ask(who, ticket).json is None
            assert site.ask(reads, ticket).json == {}
            assert site.ask(puts(v=2), ticket).cookie[4:24] != key
        site.clock.advance(1)
        assert site.sessions.sync.evidence(key) is None


@pytest.mark.parametrize("url", as_params(SHARED_OWNING), indirect=True)
@weakened_by(others_of_a_stolen_session_live_on, policy=Policy(on_replay=OnReplay.END_ALL))
def test_a8_theft_of_one_session_may_end_them_all(site):
    """Under ``END_ALL`` a replay ends the owner's other sessions, and nobody else's."""
    others = [start(site) for _ in range(3)]
    bob = site.ask(lambda session: session.login("bob")).cookie
    old, new = replayed(site)

    assert [site.ask(who, ticket).json for ticket in (old, new, *others)] == [None] * 5
    assert site.ask(who, bob).json == "bob"
    reasons = sorted(event.reason.name for event in events_of(site, Ended))
    assert reasons == ["REPLAY"] + ["THEFT"] * 3


def thefts_lock_the_thief_alone(patch):
    """Whoever brings the used ticket is turned away, and the newer one goes on."""

    async def lock_stolen(transaction, record):
        return record

    patch.setattr(opening, "lock_stolen", lock_stolen)


@weakened_by(
    thefts_lock_the_thief_alone,
    locked_sessions_show_their_values,
    policy=Policy(on_replay=OnReplay.LOCK),
)
def test_a8_theft_may_lock_the_session_for_both(site):
    """Under ``LOCK`` no ticket opens anything, until whoever has the factor gives it."""
    old, new = replayed(site)
    for ticket in (old, new):
        for act, answer in ((who, None), (reads, {}), (puts(v=2), None)):
            reply = site.ask(act, ticket)
            assert (reply.status, reply.json, reply.set_cookie) == (200, answer, None)
    opened = site.ask(lambda session: session.unlock(factors=("password",)), new).cookie

    assert opened[4:24] != new[4:24]
    assert site.values(opened) == {"v": 1}
    assert [site.ask(who, ticket).json for ticket in (old, new, opened)] == [None, None, "alice"]
    assert len(events_of(site, Replayed)) == 1


@pytest.mark.parametrize("url", as_params(SHARED_OWNING), indirect=True)
@weakened_by(
    others_of_a_stolen_session_live_on, policy=reacting(OnMismatch.END, on_replay=OnReplay.END_ALL)
)
def test_a40_mismatch_of_one_session_may_end_them_all(site):
    """The same where a client that is elsewhere ends the session."""
    cookie, other = start(site), start(site)
    bob = site.ask(lambda session: session.login("bob")).cookie
    site.ask(who, cookie, source=ELSEWHERE)

    assert [site.ask(who, ticket).json for ticket in (cookie, other, bob)] == [None, None, "bob"]
