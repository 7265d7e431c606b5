"""Verdicts: the table of the documentation, row by row, with real tickets and real key rings."""

import base64
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile.core.identity import Pending
from sessile.core.policy import BRIEF, Policy, hours
from sessile.core.record import evolve
from sessile.core.secrets import KeyRing
from sessile.core.ticket import ENTROPY, Ticket
from sessile.core.verdict import (
    VERDICTS,
    Kin,
    Successor,
    Verdict,
    confirmations,
    judge,
    judge_retry,
)
from sessile.testing.clock import T0, SeededEntropy
from sessile.testing.effort import effort
from sessile.testing.sample import record

OLDEST, MIDDLE, NEWEST = (base64.b64encode(SeededEntropy(n)(32)) for n in range(3))
RING = KeyRing([NEWEST, MIDDLE, OLDEST])
POLICY = Policy()
LAST = POLICY.grace + POLICY.clock_skew
WINDOW = POLICY.stale
STRICT = Policy(stale=None)
NOT_KEPT, WAS_USED = 0.0, BRIEF + 0.001  # for how long the successor was used since it was shown
FIRST = Ticket.mint(SeededEntropy()(ENTROPY))


def chain(*secrets, start=FIRST):
    """Return a ticket and its successors under those secrets."""
    tickets = [start]
    for secret in secrets:
        tickets.append(tickets[-1].successor(secret))
    return tickets


def holding(ticket, confirmed=None, before=(), used=WAS_USED, **fields):
    """Return the record whose current ticket that is, used for so long since it was shown."""
    seen = T0 if confirmed is None else confirmed + used
    return record(
        key=ticket.key, digest=ticket.digest, confirmed=confirmed, confirmed_before=before,
        seen=seen, **{"owner": "alice", "parent": bytes(32), **fields},
    )  # fmt: skip


def judged(ticket, held, now=T0, policy=POLICY, ring=RING):
    """Return the verdict alone."""
    return judge(ticket, held, ring, now, policy)[0]


def is_nobodys(ticket, held, ring=RING):
    """Tell whether a ticket opens nothing of that record, and ends nothing."""
    return judge(ticket, held, ring, T0, POLICY)[:2] == (Verdict.ANONYMOUS, None)


GRANDPARENT, PARENT, CURRENT = chain(NEWEST, NEWEST)
STRANGER = Ticket(FIRST.key, bytes(30))
UNSEEN, IN_GRACE, AT_GRACE, PAST = None, T0 - 1.0, T0 - LAST, T0 - LAST - 0.001
AT_WINDOW, LONG_AGO = T0 - WINDOW, T0 - WINDOW - 0.001


@pytest.mark.parametrize(
    ("presented", "confirmed", "used", "verdict"),
    [
        (CURRENT, UNSEEN, WAS_USED, Verdict.CONFIRM),
        (CURRENT, IN_GRACE, WAS_USED, Verdict.ACCEPT),
        (CURRENT, PAST, NOT_KEPT, Verdict.ACCEPT),
        (CURRENT, PAST, WAS_USED, Verdict.ACCEPT),
        (CURRENT, LONG_AGO, WAS_USED, Verdict.ACCEPT),
        (PARENT, UNSEEN, WAS_USED, Verdict.HAND_OVER),
        (PARENT, IN_GRACE, WAS_USED, Verdict.HAND_OVER),
        (PARENT, AT_GRACE, WAS_USED, Verdict.HAND_OVER),
        (PARENT, PAST, NOT_KEPT, Verdict.RETURN),
        (PARENT, PAST, BRIEF, Verdict.RETURN),
        (PARENT, LONG_AGO, BRIEF, Verdict.RETURN),
        (PARENT, PAST, WAS_USED, Verdict.LATE),
        (PARENT, AT_WINDOW, WAS_USED, Verdict.LATE),
        (PARENT, LONG_AGO, WAS_USED, Verdict.REPLAY),
        # of its own successor nothing is noted: see below
        (GRANDPARENT, UNSEEN, WAS_USED, Verdict.REPLAY),
        (GRANDPARENT, IN_GRACE, NOT_KEPT, Verdict.REPLAY),
        (GRANDPARENT, PAST, WAS_USED, Verdict.REPLAY),
        (STRANGER, UNSEEN, WAS_USED, Verdict.ANONYMOUS),
        (STRANGER, IN_GRACE, WAS_USED, Verdict.ANONYMOUS),
        (STRANGER, PAST, NOT_KEPT, Verdict.ANONYMOUS),
        (STRANGER, LONG_AGO, WAS_USED, Verdict.ANONYMOUS),
    ],
)
def test_table(presented, confirmed, used, verdict):
    """Who presents what, and what is known of its successor, decides what follows."""
    found, handed, _ = judge(presented, holding(CURRENT, confirmed, used=used), RING, T0, POLICY)

    assert found is verdict
    if verdict in {Verdict.HAND_OVER, Verdict.RETURN}:
        assert handed is not None
        assert handed.reveal() == CURRENT.reveal()
    else:
        assert handed is None


@pytest.mark.parametrize(
    ("confirmed", "verdict"),
    [
        (UNSEEN, Verdict.HAND_OVER),
        (IN_GRACE, Verdict.HAND_OVER),
        (PAST, Verdict.LATE),
        (LONG_AGO, Verdict.REPLAY),
    ],
)
def test_ticket_that_polls_have_used_was_kept(confirmed, verdict):
    """They move no clock, so the record says it by having no parent any more."""
    held = holding(CURRENT, confirmed, used=NOT_KEPT, parent=b"")

    assert judged(PARENT, held) is verdict


@pytest.mark.parametrize("confirmed", [UNSEEN, IN_GRACE])
@pytest.mark.parametrize("steps", [2, 3, 8, 17])
@pytest.mark.parametrize(
    ("successor", "verdict"),
    [
        (IN_GRACE, Verdict.HAND_OVER),
        (AT_GRACE, Verdict.HAND_OVER),
        (PAST, Verdict.LATE),
        (AT_WINDOW, Verdict.LATE),
        (LONG_AGO, Verdict.REPLAY),
    ],
)
def test_grace_of_an_ancestor_counts_from_its_own_successor(confirmed, steps, successor, verdict):
    """However often the ticket turned since, and whatever came of the newest one."""
    ancestor, *_, current = chain(*[NEWEST] * steps)
    before = (IN_GRACE,) * (steps - 2) + (successor,)
    held = holding(current, confirmed, before, used=NOT_KEPT)
    found, handed, gave_way = judge(ancestor, held, RING, T0, POLICY)

    assert found is verdict
    assert gave_way == successor
    assert (handed is not None) == (verdict is Verdict.HAND_OVER)
    assert handed is None or handed.reveal() == current.reveal()


@pytest.mark.parametrize("used", [NOT_KEPT, WAS_USED])
@pytest.mark.parametrize("confirmed", [PAST, AT_WINDOW, LONG_AGO])
@pytest.mark.parametrize("presented", [PARENT, GRANDPARENT])
def test_without_a_window_all_is_replay(presented, confirmed, used):
    """Under ``stale=None`` whatever comes after the grace is a replay, whoever brings it."""
    held = holding(CURRENT, confirmed, (confirmed,), used=used)

    assert judged(presented, held, policy=STRICT) is Verdict.REPLAY


@pytest.mark.parametrize("policy", [POLICY, STRICT])
@pytest.mark.parametrize("confirmed", [PAST, LONG_AGO])
@pytest.mark.parametrize("presented", [PARENT, GRANDPARENT, FIRST])
def test_nobody_has_nothing_to_steal(presented, confirmed, policy):
    """An old ticket of a session that nobody is logged in to is handed the current one."""
    held = holding(CURRENT, confirmed, owner=None)
    verdict, handed, _ = judge(presented, held, RING, T0, policy)

    assert verdict is Verdict.HAND_OVER
    assert handed is not None
    assert handed.reveal() == CURRENT.reveal()
    pending = holding(CURRENT, LONG_AGO, owner=None)
    pending = evolve(pending, pending=Pending("alice", ("password",), T0 + 60))
    assert judged(presented, pending, policy=policy) is Verdict.REPLAY


def test_time_that_a_ticket_gave_way_is_never_too_late():
    """Of a parent it is known; of what is noted no more it may have been any time."""
    held = evolve(holding(CURRENT, PAST), rotated=T0 - 500, created=T0 - 900)

    assert judge(PARENT, held, RING, T0, POLICY)[2] == T0 - 500
    assert judge(GRANDPARENT, held, RING, T0, POLICY)[2] == T0 - 900


@pytest.mark.parametrize("skew", [0.0, 60.0])
def test_successor_that_was_seen_a_moment_later_is_no_replay(skew):
    """A request takes its time before it reads: a rival may have shown the successor since."""
    policy = Policy(clock_skew=skew, stale=None)
    single = Policy(clock_skew=0, stale=None)

    assert judged(PARENT, holding(CURRENT, T0 + 0.005), policy=policy) is Verdict.HAND_OVER
    assert judged(PARENT, holding(CURRENT, T0 - 31), policy=single) is Verdict.REPLAY


def test_confirmations_are_kept_while_they_matter():
    """Newest first, within the grace or the stale window, and no more than are ever looked at."""
    shown = tuple(T0 - n for n in range(20))
    longer = Policy(stale=20.0)  # than this is the grace

    assert confirmations(holding(CURRENT), T0, POLICY) == (T0,)  # shown by who has it replaced
    assert confirmations(holding(CURRENT, T0), T0, POLICY) == (T0,)
    assert confirmations(holding(CURRENT, T0, shown), T0, POLICY) == (T0, *shown[:15])
    for policy, last, past in (
        (POLICY, AT_WINDOW, LONG_AGO), (STRICT, AT_GRACE, PAST), (longer, AT_GRACE, PAST)
    ):  # fmt: skip
        assert confirmations(holding(CURRENT, last), T0, policy) == (last,)
        assert confirmations(holding(CURRENT, past, shown), T0, policy) == ()
        assert confirmations(holding(CURRENT, T0, (past, T0)), T0, policy) == (T0,)


@pytest.mark.parametrize(
    ("ticket", "confirmed", "handed"),
    [
        (CURRENT, UNSEEN, CURRENT),
        (CURRENT, IN_GRACE, CURRENT),
        (CURRENT, AT_GRACE, CURRENT),
        (CURRENT, PAST, None),
        (PARENT, UNSEEN, CURRENT),
        (PARENT, AT_GRACE, CURRENT),
        (PARENT, PAST, None),
        (GRANDPARENT, UNSEEN, None),
        (STRANGER, UNSEEN, None),
        (STRANGER, IN_GRACE, None),
    ],
)
def test_lost_login_is_the_parent_of_the_one_made_again(ticket, confirmed, handed):
    """Whoever has it is handed the current ticket as long as a parent would be."""
    found = judge_retry(ticket, holding(CURRENT, confirmed), RING, T0, POLICY)

    assert (found and found.reveal()) == (handed and handed.reveal())


def test_table_has_no_hole():
    """There is a verdict for every kin and everything that is known of the successor."""
    assert VERDICTS.keys() == set(product(Kin, Successor))


def test_grace_is_counted_from_when_the_successor_was_seen():
    """However long the rotation is ago, the grace begins when the client showed the new ticket."""
    late = T0 + 86_400.0

    held = holding(CURRENT, late)

    assert judged(PARENT, held, late + 89.0) is Verdict.HAND_OVER
    assert judged(PARENT, held, late + 91.0) is Verdict.LATE
    assert judged(PARENT, held, late + 91.0, STRICT) is Verdict.REPLAY
    assert judged(PARENT, holding(CURRENT), late) is Verdict.HAND_OVER


def test_server_with_a_slow_clock_ends_nobodys_session():
    """A confirmation that lies in this server's near future is within the grace."""
    assert judged(PARENT, holding(CURRENT, T0 + 60.0)) is Verdict.HAND_OVER


def test_clock_set_back_brings_no_ticket_back_into_its_grace():
    """A confirmation further in the future than servers' clocks differ is past its grace."""
    for used in (NOT_KEPT, WAS_USED):
        assert judged(PARENT, holding(CURRENT, T0 + 60.1, used=used)) is Verdict.REPLAY


@pytest.mark.parametrize("derived", [NEWEST, MIDDLE, OLDEST])
def test_successor_under_any_secret_of_the_ring_is_known(derived):
    """A rotation made before, or during, the change of secrets is understood after it."""
    parent, current = chain(derived)
    verdict, handed, _ = judge(parent, holding(current), RING, T0, POLICY)

    assert verdict is Verdict.HAND_OVER
    assert handed is not None
    assert handed.reveal() == current.reveal()


@pytest.mark.parametrize(
    "secrets",
    [(OLDEST, OLDEST), (OLDEST, MIDDLE), (NEWEST, OLDEST), (MIDDLE, MIDDLE, NEWEST)],
)
def test_ancestor_across_a_change_of_secrets_is_known(secrets):
    """A chain that went on under another secret leads from its old tickets to its current one."""
    ancestor, *_, current = chain(*secrets)

    assert judged(ancestor, holding(current)) is Verdict.REPLAY


@pytest.mark.parametrize("steps", [2, 3, 8, 9, 50, 96])
@pytest.mark.parametrize("secret", [NEWEST, OLDEST])
def test_ancestors_are_recognised_for_a_day(steps, secret):
    """A stolen ticket shows itself for as many turns as a day has at the default rotation."""
    ancestor, *_, current = chain(*[secret] * steps)

    assert steps <= hours(24) / POLICY.rotate
    assert judged(ancestor, holding(current)) is Verdict.REPLAY


@pytest.mark.parametrize("secrets", [[NEWEST] * 97, [OLDEST] * 3 + [NEWEST] * 6])
def test_older_ancestor_is_a_stranger(secrets):
    """Beyond what is walked a ticket proves nothing, so it opens nothing and ends nothing."""
    ancestor, *_, current = chain(*secrets)

    assert is_nobodys(ancestor, holding(current))


def test_retired_secret_proves_nothing():
    """A predecessor whose secret has left the ring can neither go on nor end the session."""
    parent, current = chain(OLDEST)
    short = KeyRing([NEWEST, MIDDLE])

    assert is_nobodys(parent, holding(current), short)
    assert judged(current, holding(current), ring=short) is Verdict.CONFIRM


def test_descendant_is_a_stranger():
    """The ratchet does not turn back: a ticket from the future is no proof of anything."""
    assert is_nobodys(CURRENT, holding(PARENT))


def test_ticket_of_another_session_is_a_stranger():
    """A genuine ticket under another session's id is a forgery there."""
    moved = Ticket(Ticket.mint(bytes(ENTROPY)).key, PARENT.verifier)

    assert is_nobodys(moved, holding(CURRENT))


@effort(300, 5_000)
@given(st.binary(min_size=30, max_size=30), st.sampled_from([UNSEEN, IN_GRACE, PAST]))
def test_forged_ticket_harms_nobody(verifier, confirmed):
    """No verifier that was made without the secret ends a session or is let in."""
    for owner in ("alice", None):
        assert is_nobodys(Ticket(FIRST.key, verifier), holding(CURRENT, confirmed, owner=owner))


@pytest.mark.parametrize(("secrets", "steps"), [(1, 96), (2, 248), (4, 720)])
def test_stranger_costs_little(monkeypatch, secrets, steps):
    """Who knows an id alone makes a server derive so many tickets, as docs/performance.md says."""
    derive, derived = Ticket.successor, []
    monkeypatch.setattr(Ticket, "successor", lambda *args: derived.append(1) or derive(*args))
    ring = KeyRing([base64.b64encode(SeededEntropy(n)(32)) for n in range(secrets)])

    assert is_nobodys(STRANGER, holding(CURRENT), ring)
    assert len(derived) == steps


def test_thief_of_the_store_cannot_derive_a_ticket():
    """What the record keeps is no verifier, and no ticket made from it is accepted."""
    thief = Ticket(FIRST.key, CURRENT.digest[:30])

    assert is_nobodys(thief, holding(CURRENT))
