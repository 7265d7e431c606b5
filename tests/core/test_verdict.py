"""Verdicts: the table of the documentation, row by row, with real tickets and real key rings."""

import base64
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile.core.policy import Policy
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
FIRST = Ticket.mint(SeededEntropy()(ENTROPY))


def chain(*secrets, start=FIRST):
    """Return a ticket and its successors under those secrets."""
    tickets = [start]
    for secret in secrets:
        tickets.append(tickets[-1].successor(secret))
    return tickets


def holding(ticket, confirmed=None, before=()):
    """Return the record whose current ticket that is."""
    return record(
        key=ticket.key, digest=ticket.digest, confirmed=confirmed, confirmed_before=before
    )


GRANDPARENT, PARENT, CURRENT = chain(NEWEST, NEWEST)
STRANGER = Ticket(FIRST.key, bytes(30))
UNSEEN, IN_GRACE, AT_GRACE, PAST = None, T0 - 1.0, T0 - LAST, T0 - LAST - 0.001


@pytest.mark.parametrize(
    ("presented", "confirmed", "verdict"),
    [
        (CURRENT, UNSEEN, Verdict.CONFIRM),
        (CURRENT, IN_GRACE, Verdict.ACCEPT),
        (CURRENT, PAST, Verdict.ACCEPT),
        (PARENT, UNSEEN, Verdict.HAND_OVER),
        (PARENT, IN_GRACE, Verdict.HAND_OVER),
        (PARENT, AT_GRACE, Verdict.HAND_OVER),
        (PARENT, PAST, Verdict.REPLAY),
        (GRANDPARENT, UNSEEN, Verdict.REPLAY),  # of its own successor nothing is noted: see below
        (GRANDPARENT, IN_GRACE, Verdict.REPLAY),
        (GRANDPARENT, PAST, Verdict.REPLAY),
        (STRANGER, UNSEEN, Verdict.ANONYMOUS),
        (STRANGER, IN_GRACE, Verdict.ANONYMOUS),
        (STRANGER, PAST, Verdict.ANONYMOUS),
    ],
)
def test_table(presented, confirmed, verdict):
    """Who presents what, and whether its successor was seen, decides what follows."""
    found, handed = judge(presented, holding(CURRENT, confirmed), RING, T0, POLICY)

    assert found is verdict
    if verdict is Verdict.HAND_OVER:
        assert handed is not None
        assert handed.reveal() == CURRENT.reveal()
    else:
        assert handed is None


@pytest.mark.parametrize("confirmed", [UNSEEN, IN_GRACE])
@pytest.mark.parametrize("steps", [2, 3, 8])
@pytest.mark.parametrize(
    ("successor", "verdict"),
    [(IN_GRACE, Verdict.HAND_OVER), (AT_GRACE, Verdict.HAND_OVER), (PAST, Verdict.REPLAY)],
)
def test_grace_of_an_ancestor_counts_from_its_own_successor(confirmed, steps, successor, verdict):
    """However often the ticket turned since, and whatever came of the newest one."""
    ancestor, *_, current = chain(*[NEWEST] * steps)
    before = (IN_GRACE,) * (steps - 2) + (successor,)
    found, handed = judge(ancestor, holding(current, confirmed, before), RING, T0, POLICY)

    assert found is verdict
    assert (handed is not None) == (verdict is Verdict.HAND_OVER)
    assert handed is None or handed.reveal() == current.reveal()


@pytest.mark.parametrize("skew", [0.0, 60.0])
def test_successor_that_was_seen_a_moment_later_is_no_replay(skew):
    """A request takes its time before it reads: a rival may have shown the successor since."""
    policy = Policy(clock_skew=skew)

    assert judge(PARENT, holding(CURRENT, T0 + 0.005), RING, T0, policy)[0] is Verdict.HAND_OVER
    assert judge(PARENT, holding(CURRENT, T0 - 31), RING, T0, Policy(clock_skew=0))[0] is (
        Verdict.REPLAY
    )


def test_confirmations_are_kept_while_they_matter():
    """Newest first, within the grace alone, and no more than are ever looked at."""
    shown = tuple(T0 - n for n in range(12))

    assert confirmations(holding(CURRENT), T0, POLICY) == (T0,)  # shown by who has it replaced
    assert confirmations(holding(CURRENT, T0), T0, POLICY) == (T0,)
    assert confirmations(holding(CURRENT, T0, shown), T0, POLICY) == (T0, *shown[:6])
    assert confirmations(holding(CURRENT, PAST, shown), T0, POLICY) == ()
    assert confirmations(holding(CURRENT, T0, (PAST, T0)), T0, POLICY) == (T0,)


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

    assert judge(PARENT, holding(CURRENT, late), RING, late + 89.0, POLICY)[0] is Verdict.HAND_OVER
    assert judge(PARENT, holding(CURRENT, late), RING, late + 91.0, POLICY)[0] is Verdict.REPLAY
    assert judge(PARENT, holding(CURRENT), RING, late, POLICY)[0] is Verdict.HAND_OVER


def test_server_with_a_slow_clock_ends_nobodys_session():
    """A confirmation that lies in this server's near future is within the grace."""
    assert judge(PARENT, holding(CURRENT, T0 + 60.0), RING, T0, POLICY)[0] is Verdict.HAND_OVER


def test_clock_set_back_brings_no_ticket_back_into_its_grace():
    """A confirmation further in the future than servers' clocks differ is past its grace."""
    assert judge(PARENT, holding(CURRENT, T0 + 60.1), RING, T0, POLICY)[0] is Verdict.REPLAY


@pytest.mark.parametrize("derived", [NEWEST, MIDDLE, OLDEST])
def test_successor_under_any_secret_of_the_ring_is_known(derived):
    """A rotation made before, or during, the change of secrets is understood after it."""
    parent, current = chain(derived)
    verdict, handed = judge(parent, holding(current), RING, T0, POLICY)

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

    assert judge(ancestor, holding(current), RING, T0, POLICY)[0] is Verdict.REPLAY


@pytest.mark.parametrize("steps", [2, 3, 8])
def test_ancestors_are_recognised_eight_steps_back(steps):
    """A stolen ticket shows itself for two hours at the default rotation."""
    ancestor, *_, current = chain(*[NEWEST] * steps)

    assert judge(ancestor, holding(current), RING, T0, POLICY)[0] is Verdict.REPLAY


def test_older_ancestor_is_a_stranger():
    """Beyond what is walked a ticket proves nothing, so it opens nothing and ends nothing."""
    ancestor, *_, current = chain(*[NEWEST] * 9)

    assert judge(ancestor, holding(current), RING, T0, POLICY) == (Verdict.ANONYMOUS, None)


def test_retired_secret_proves_nothing():
    """A predecessor whose secret has left the ring can neither go on nor end the session."""
    parent, current = chain(OLDEST)
    short = KeyRing([NEWEST, MIDDLE])

    assert judge(parent, holding(current), short, T0, POLICY) == (Verdict.ANONYMOUS, None)
    assert judge(current, holding(current), short, T0, POLICY)[0] is Verdict.CONFIRM


def test_descendant_is_a_stranger():
    """The ratchet does not turn back: a ticket from the future is no proof of anything."""
    assert judge(CURRENT, holding(PARENT), RING, T0, POLICY) == (Verdict.ANONYMOUS, None)


def test_ticket_of_another_session_is_a_stranger():
    """A genuine ticket under another session's id is a forgery there."""
    moved = Ticket(Ticket.mint(bytes(ENTROPY)).key, PARENT.verifier)

    assert judge(moved, holding(CURRENT), RING, T0, POLICY) == (Verdict.ANONYMOUS, None)


@effort(300, 5_000)
@given(st.binary(min_size=30, max_size=30), st.sampled_from([UNSEEN, IN_GRACE, PAST]))
def test_forged_ticket_harms_nobody(verifier, confirmed):
    """No verifier that was made without the secret ends a session or is let in."""
    verdict, handed = judge(
        Ticket(FIRST.key, verifier), holding(CURRENT, confirmed), RING, T0, POLICY
    )

    assert (verdict, handed) == (Verdict.ANONYMOUS, None)


def test_stranger_costs_little(monkeypatch):
    """Who knows an id alone makes a server with four secrets derive a few hundred tickets."""
    derive, derived = Ticket.successor, []
    monkeypatch.setattr(Ticket, "successor", lambda *args: derived.append(1) or derive(*args))
    ring = KeyRing([NEWEST, MIDDLE, OLDEST, base64.b64encode(SeededEntropy(3)(32))])
    judge(STRANGER, holding(CURRENT), ring, T0, POLICY)

    assert len(derived) <= 400


def test_thief_of_the_store_cannot_derive_a_ticket():
    """What the record keeps is no verifier, and no ticket made from it is accepted."""
    thief = Ticket(FIRST.key, CURRENT.digest[:30])

    assert judge(thief, holding(CURRENT), RING, T0, POLICY) == (Verdict.ANONYMOUS, None)
