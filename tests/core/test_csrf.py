"""CSRF tokens: bound to a session and its ticket, masked, good under any secret of the ring."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessile.core.csrf import MASK, check, token
from sessile.core.record import evolve
from sessile.core.secrets import KeyRing
from sessile.core.ticket import ENTROPY, Key, Ticket
from sessile.testing.clock import SeededEntropy
from sessile.testing.effort import effort
from sessile.testing.sample import record
from sessile.testing.world import NEWER, SECRET

RING = KeyRing([SECRET])
TICKET = Ticket.mint(SeededEntropy(1)(ENTROPY))
NEXT = TICKET.successor(RING.newest)
ROW = record(key=TICKET.key, digest=TICKET.digest)
draw = SeededEntropy(2)


def made(ring=RING, row=ROW):
    return token(ring, Key(row.key), row.digest, draw(MASK))


def rotated(row, ticket):
    return evolve(row, digest=ticket.digest, parent=row.digest)


def test_token_is_good_for_its_session():
    """What a page of the session holds, the session takes back."""
    assert check(RING, ROW, made())


def test_each_answer_has_another_text():
    """No two tokens of one session share a byte that compression could feel for (BREACH)."""
    first, second = made(), made()
    places = zip(base64.urlsafe_b64decode(first), base64.urlsafe_b64decode(second), strict=True)

    assert check(RING, ROW, first)
    assert check(RING, ROW, second)
    assert sum(a == b for a, b in places) < 6  # of 60 random bytes


def test_page_that_was_open_at_a_rotation_can_still_be_sent():
    """The token of the ticket before is good; that of the one before it is not."""
    open_page = made()
    once = rotated(ROW, NEXT)
    twice = rotated(once, NEXT.successor(RING.newest))

    assert check(RING, once, open_page)
    assert not check(RING, twice, open_page)
    assert check(RING, twice, made(row=once))


def test_another_session_takes_no_token_of_ours():
    """Neither that of another session, nor that of the session before the login."""
    other = Ticket.mint(SeededEntropy(9)(ENTROPY))

    assert not check(RING, record(key=other.key, digest=other.digest), made())
    assert not check(RING, evolve(ROW, key=other.key), made())
    assert not check(RING, evolve(ROW, digest=other.digest), made())


def test_ring_may_turn_while_a_page_is_open():
    """A token under the secret that was the newest yesterday is good while the ring holds it."""
    page = made()

    assert check(KeyRing([NEWER, SECRET]), ROW, page)
    assert not check(KeyRing([NEWER]), ROW, page)
    assert not check(RING, ROW, made(KeyRing([NEWER, SECRET])))


def test_empty_parent_is_no_key():
    """A session that never rotated has no token for the ticket it never had."""
    assert ROW.parent == b""
    assert not check(RING, ROW, token(RING, Key(ROW.key), b"", draw(MASK)))


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
    assert not check(RING, ROW, text)


@given(st.integers(0, 79), st.sampled_from("ABCz9-_"))
def test_one_character_makes_another_token(place, letter):
    """Every text of the right shape has one meaning: a token changed anywhere is none."""
    good = made()
    changed = good[:place] + letter + good[place + 1 :]

    assert check(RING, ROW, changed) is (changed == good)


def test_mask_has_one_length():
    """A short mask would leave part of the token bare."""
    with pytest.raises(ValueError, match="30"):
        token(RING, Key(ROW.key), ROW.digest, b"short")
