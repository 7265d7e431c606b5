"""CSRF tokens: bound to a session, or a cookie, masked, good under any secret of the ring."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessile.core.csrf import MASK, check, subject_of, subjects_of_visitor, token
from sessile.core.secrets import KeyRing
from sessile.core.ticket import ENTROPY, Ticket
from sessile.testing.clock import SeededEntropy
from sessile.testing.effort import effort
from sessile.testing.world import NEWER, SECRET

RING = KeyRing([SECRET])
TICKET = Ticket.mint(SeededEntropy(1)(ENTROPY))
OTHER = Ticket.mint(SeededEntropy(9)(ENTROPY))
SUBJECT = subject_of(TICKET.key, bound=True)
draw = SeededEntropy(2)


def made(ring=RING, subject=SUBJECT):
    return token(ring, subject, draw(MASK))


def test_token_is_good_for_its_session():
    """What a page of the session holds, the session takes back."""
    assert check(RING, [SUBJECT], made())


def test_each_answer_has_another_text():
    """No two tokens of one session share a byte that compression could feel for (BREACH)."""
    first, second = made(), made()
    places = zip(base64.urlsafe_b64decode(first), base64.urlsafe_b64decode(second), strict=True)

    assert check(RING, [SUBJECT], first)
    assert check(RING, [SUBJECT], second)
    assert sum(a == b for a, b in places) < 6  # of 60 random bytes


def test_another_session_takes_no_token_of_ours():
    """Neither that of another session, nor one that its visitor had before somebody logged in."""
    others = [subject_of(OTHER.key, bound=True), subject_of(TICKET.key, bound=False)]

    assert not check(RING, others, made())
    assert not check(RING, [], made())
    assert check(RING, [*others, SUBJECT], made())


def test_token_of_a_ticket_is_for_who_holds_all_of_it():
    """Where no session proves a ticket, its id alone is worth nothing: that one is no secret."""
    forged = Ticket(TICKET.key, OTHER.verifier)
    mine, _ = subjects_of_visitor(TICKET)

    assert check(RING, subjects_of_visitor(TICKET), made(subject=mine))
    assert not check(
        RING, subjects_of_visitor(TICKET), made(subject=subjects_of_visitor(forged)[0])
    )
    assert not check(RING, subjects_of_visitor(TICKET), made())


def test_visitors_page_outlives_the_visitors_session():
    """What was made for a visitor's session is good for the cookie when that session is over."""
    page = made(subject=subject_of(TICKET.key, bound=False))

    assert check(RING, subjects_of_visitor(TICKET), page)
    assert not check(RING, subjects_of_visitor(OTHER), page)


def test_ring_may_turn_while_a_page_is_open():
    """A token under the secret that was the newest yesterday is good while the ring holds it."""
    page = made()

    assert check(KeyRing([NEWER, SECRET]), [SUBJECT], page)
    assert not check(KeyRing([NEWER]), [SUBJECT], page)
    assert not check(RING, [SUBJECT], made(KeyRing([NEWER, SECRET])))


TEXTS = st.text() | st.text("ABab01-_", min_size=78, max_size=82)


@effort(5_000, 100_000)
@given(TEXTS)
@example("")
@example("A" * 80)
@example("A" * 79 + "=")
@example("A" * 80 + "\n")
@example("\u0661" * 80)
@example(TICKET.reveal())
def test_no_other_text_is_a_token(text):
    """Whatever is sent in its place is refused, and never an error."""
    assert not check(RING, [SUBJECT], text)


@given(st.integers(0, 79), st.sampled_from("ABCz9-_"))
def test_one_character_makes_another_token(place, letter):
    """Every text of the right shape has one meaning: a token changed anywhere is none."""
    good = made()
    changed = good[:place] + letter + good[place + 1 :]

    assert check(RING, [SUBJECT], changed) is (changed == good)


def test_mask_has_one_length():
    """A short mask would leave part of the token bare."""
    with pytest.raises(ValueError, match="30"):
        token(RING, SUBJECT, b"short")
