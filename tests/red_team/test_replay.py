"""Replay: a ticket that was replaced comes back, soon or late, once or in a loop."""

from itertools import product

from harness.handlers import names, puts, reads, start, who
from mutations.defences import (
    every_client_is_at_home,
    overlapping_requests_turn_again,
    predecessors_live_on,
    predecessors_turn_into_the_current,
    silence,
)
from red_team.attack import events_of, weakened_by
from sessile import Policy
from sessile.core import verdict
from sessile.core.binding import Binding, OnMismatch
from sessile.core.policy import hours
from sessile.core.verdict import Kin, Successor, Verdict
from sessile.service import open as opening
from sessile.service.events import End, Ended, Mismatched, Replayed, Rotated

ROTATE, GRACE = 900, 90  # the grace and the clock skew
ELSEWHERE = "127.9.0.1"
STRICT, PATIENT = Policy(stale=None), Policy(idle=hours(3))
WARY = Policy(binding=Binding(on_mismatch=OnMismatch.ROTATE))


def rotates(session):
    """Ask for a new ticket."""
    session.rotate()


def rises(session):
    """Reach a higher assurance, as by a second factor."""
    session.login("alice", assurance=2)


def assured(session):
    """Tell what the session may do."""
    return session.assurance


def turned(site):
    """Return a session's first ticket and the second, which its client has shown."""
    old = start(site, v=1)
    site.clock.advance(ROTATE + 1)
    new = site.ask(reads, old).cookie
    site.ask(reads, new)
    return old, new


def deadlines(site, cookie):
    """Return when a session ends, used or not."""
    info = site.sessions.sync.show(cookie[4:24])
    return info.expires, info.ends


@weakened_by(overlapping_requests_turn_again)
def test_a7_predecessor_within_grace_is_the_same_session_and_turns_nothing(site):
    """A replay within the grace gets the one successor, whatever it asks for."""
    old, new = turned(site)
    before = deadlines(site, new)
    site.clock.advance(GRACE - 1)
    for act in (names, puts(v=2), rotates):
        reply = site.ask(act, old)

        assert reply.status == 200
        assert reply.cookie == new
    assert site.ask(names, old).json == site.ask(names, new).json == old[4:24]
    assert deadlines(site, new)[1] == before[1]
    assert len(events_of(site, Rotated)) == 1
    assert site.values(new) == {"v": 2}


@weakened_by(every_client_is_at_home, predecessors_turn_into_the_current)
def test_a7_predecessor_within_grace_gets_no_successor_elsewhere(site):
    """A replay within the grace, but from another network, is not handed the newer ticket."""
    old, new = turned(site)
    for act in (reads, puts(v=2), rotates):
        assert site.ask(act, old, source=ELSEWHERE).set_cookie is None

    assert len(events_of(site, Rotated)) == 1
    assert {event.reaction for event in events_of(site, Mismatched)} == {OnMismatch.RECORD}
    assert site.ask(reads, old).cookie == new


@weakened_by(every_client_is_at_home, policy=WARY)
def test_a7_rotation_on_mismatch_gives_a_replay_nothing(site):
    """A replay from another network does not make the ticket turn, so it learns no ticket."""
    old, new = turned(site)

    assert site.ask(reads, old, source=ELSEWHERE).set_cookie is None
    assert len(events_of(site, Rotated)) == 1
    assert site.ask(who, new).json == "alice"


@weakened_by(predecessors_live_on)
def test_a7_predecessor_gains_no_privilege_that_came_after_it(site):
    """What a session reached after its ticket turned is closed to both of its old tickets."""
    old, new = turned(site)
    risen = site.ask(rises, new).cookie

    assert site.ask(assured, risen).json == 2
    for stale in (old, new):
        reply = site.ask(assured, stale)
        assert (reply.json, reply.set_cookie) == (0, None)
        assert site.ask(reads, stale).json == {}
    assert site.ask(who, risen).json == "alice"


PAST_GRACE = (Successor.BRIEF, Successor.RECENT, Successor.LONG_AGO)


def replays_are_served(patch):
    """A predecessor opens its session for as long as it lives."""
    for seen in PAST_GRACE:
        patch.setitem(verdict.VERDICTS, (Kin.PARENT, seen), Verdict.HAND_OVER)


def replays_are_only_refused(patch):
    """A replay opens nothing, but whoever holds the newer ticket, maybe the thief, goes on."""
    for kin, seen in product((Kin.PARENT, Kin.ANCESTOR), PAST_GRACE):
        patch.setitem(verdict.VERDICTS, (kin, seen), Verdict.ANONYMOUS)


def everybody_is_its_own_client(patch):
    """A used ticket is late from wherever it comes."""
    patch.setattr(opening, "is_own_client", lambda *_: True)


def windows_stay_open(patch):
    """A used ticket is late for as long as its session lives."""
    for kin, seen in product((Kin.PARENT, Kin.ANCESTOR), PAST_GRACE):
        patch.setitem(verdict.VERDICTS, (kin, seen), Verdict.LATE)


def late_tickets_turn_into_the_current(patch):
    """Whoever is late is handed the current ticket."""
    for kin in (Kin.PARENT, Kin.ANCESTOR):
        patch.setitem(verdict.VERDICTS, (kin, Successor.RECENT), Verdict.RETURN)


def replays_are_not_told(patch):
    """The session ends as if somebody had ended it, and nobody hears of a theft."""
    silence(patch, Replayed)


def assert_ended_by_replay(site, *tickets):
    """Make sure that none of these tickets opens anything, and that the theft is told."""
    for ticket in tickets:
        reply = site.ask(who, ticket)
        assert (reply.json, reply.set_cookie) == (None, None)
    assert [event.owner for event in events_of(site, Replayed)] == ["alice"]
    assert [event.reason for event in events_of(site, Ended)] == [End.REPLAY]
    assert site.of("alice") == []


@weakened_by(
    replays_are_served, replays_are_only_refused, replays_are_not_told, everybody_is_its_own_client
)
def test_a8_predecessor_after_grace_ends_the_session(site):
    """A replay from elsewhere is theft: thief and victim are out at once, and it is told."""
    old, new = turned(site)
    site.clock.advance(GRACE + 1)
    site.ask(who, old, source=ELSEWHERE)

    assert_ended_by_replay(site, new, old)


@weakened_by(replays_are_served, replays_are_only_refused, windows_stay_open, policy=STRICT)
def test_a8_predecessor_without_a_window_ends_the_session(site):
    """Where the policy takes nobody for late, the same from the victim's own network."""
    old, new = turned(site)
    site.clock.advance(GRACE + 1)
    site.ask(who, old)

    assert_ended_by_replay(site, new, old)


@weakened_by(
    replays_are_served,
    replays_are_only_refused,
    windows_stay_open,
    late_tickets_turn_into_the_current,
    policy=PATIENT,
)
def test_a8_thief_on_the_same_network_ends_with_the_window(site):
    """With the victim's network and browser a thief is served for an hour, and handed nothing."""
    old, new = turned(site)
    site.clock.advance(61)
    site.ask(reads, new)
    for act in (who, puts(v=2), rotates, who, who):
        site.clock.advance(600)
        reply = site.ask(act, old)
        assert (reply.status, reply.set_cookie) == (200, None)
    assert events_of(site, Replayed) == []
    site.clock.advance(540)
    site.ask(who, old)

    assert_ended_by_replay(site, new, old)


def ancestors_are_strangers(patch):
    """Only the last ticket is remembered; an older one is somebody's guess."""
    for seen in Successor:
        patch.setitem(verdict.VERDICTS, (Kin.ANCESTOR, seen), Verdict.ANONYMOUS)


@weakened_by(ancestors_are_strangers, replays_are_only_refused)
def test_a8_older_ticket_ends_the_session(site):
    """A ticket stolen hours ago ends the session, five turns later as one turn later."""
    old = newest = start(site)
    for _ in range(5):
        site.clock.advance(ROTATE + 1)
        newest = site.ask(reads, newest).cookie
        site.ask(reads, newest)
    site.clock.advance(GRACE + 1)
    site.ask(who, old)

    assert_ended_by_replay(site, newest, old)


@weakened_by(overlapping_requests_turn_again, replays_are_served)
def test_a9_old_ticket_cannot_renew_its_grace(site):
    """However often a predecessor is used, or asks to be turned, its grace ends when it did."""
    old, new = turned(site)
    for _ in range(3):
        site.clock.advance(GRACE / 3)
        assert site.ask(rotates, old).json is None
        assert site.ask(who, old).json == "alice"
    site.clock.advance(0.01)
    site.ask(who, old, source=ELSEWHERE)

    assert_ended_by_replay(site, new, old)


def turns_renew_the_grace(patch):
    """Every ticket a session ever had opens it while its successors turn fast enough."""
    patch.setattr(
        verdict, "_successor_times", lambda record, steps: (record.confirmed, record.rotated)
    )


@weakened_by(turns_renew_the_grace)
def test_a9_turning_fast_renews_no_grace(site):
    """A ticket turned again and again within its grace dies when it would have anyway."""
    old, newest = turned(site)
    for _ in range(3):
        site.clock.advance(GRACE / 3 - 1)
        newest = site.ask(rotates, newest).cookie
        assert site.ask(who, newest).json == "alice"
    assert site.ask(who, old).json == "alice"
    site.clock.advance(4)
    site.ask(who, old, source=ELSEWHERE)

    assert_ended_by_replay(site, newest, old)
