"""Tickets: one shape, one meaning, and a ratchet that only goes forward."""

import base64
import hashlib
import hmac
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessile.core.ticket import ENTROPY, Ticket, is_key, retry_ticket
from sessile.testing.clock import SeededEntropy
from sessile.testing.effort import effort

ALPHABET = string.ascii_letters + string.digits + "-_"
SECRET = b"0f3a8c1e5b7d9246" * 2
TICKET = Ticket.mint(SeededEntropy()(ENTROPY))


@effort(300, 10_000)
@given(st.text(ALPHABET, min_size=60, max_size=60))
def test_every_text_of_the_shape_has_one_meaning(text):
    """Any sixty characters of the alphabet are one ticket, and it is spelt in that way alone."""
    ticket = Ticket.parse(text)

    assert ticket is not None
    assert ticket.reveal() == text
    assert len(ticket.verifier) == 30
    assert is_key(ticket.key)


@effort(500, 10_000)
@given(st.text() | st.text(ALPHABET) | st.text(ALPHABET + "=+/ \n\0", min_size=59, max_size=61))
@example("A" * 59)
@example("A" * 61)
@example("A" * 60 + "\n")
@example("\n" + "A" * 59)
@example("A" * 59 + "=")
@example("A" * 59 + "+")
@example("A" * 59 + "é")
@example("A" * 59 + "\uff21")  # a full-width A, which some decoders fold
@example("A" * 59 + "\u0660")  # an Arabic digit
@example("A" * 59 + "\ud800")
@example("")
def test_any_other_shape_is_none(text):
    """Whatever is not sixty characters of base64url is no ticket, and never an error."""
    shaped = len(text) == 60 and set(text) <= set(ALPHABET)

    assert (Ticket.parse(text) is not None) == shaped


def test_minted_ticket_holds_its_entropy():
    """Every random byte is in the ticket: fifteen in the selector, thirty in the verifier."""
    entropy = bytes(range(ENTROPY))
    ticket = Ticket.mint(entropy)

    assert base64.urlsafe_b64decode(ticket.key) + ticket.verifier == entropy
    assert Ticket.parse(ticket.reveal()).verifier == ticket.verifier
    assert len(ticket.verifier) * 8 >= 128  # NIST SP 800-63B-4, 5.1: at least 64 bits; OWASP: 128


@pytest.mark.parametrize("length", [0, ENTROPY - 1, ENTROPY + 1])
def test_wrong_amount_of_entropy_is_refused(length):
    """A ticket is never made of less randomness than it takes."""
    with pytest.raises(ValueError, match="takes 45 random bytes"):
        Ticket.mint(bytes(length))


def test_record_keeps_a_digest_alone():
    """The digest is SHA-256 of the verifier, and proves the verifier it was made from."""
    other = Ticket.mint(SeededEntropy(1)(ENTROPY))

    assert TICKET.digest == hashlib.sha256(TICKET.verifier).digest()
    assert TICKET.proves(TICKET.digest)
    assert not other.proves(TICKET.digest)
    assert not TICKET.proves(b"")


def test_digest_is_compared_in_constant_time(monkeypatch):
    """The comparison does not stop at the first byte that differs."""
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda *pair: compared.append(pair) or True)

    assert TICKET.proves(b"x" * 32)
    assert compared == [(TICKET.digest, b"x" * 32)]


def test_successor_is_the_same_on_every_server():
    """The next ticket follows from the secret and the presented one, and keeps the id."""
    twin = Ticket.parse(TICKET.reveal())
    told = b"sessile rotate" + TICKET.key.encode() + TICKET.verifier

    assert TICKET.successor(SECRET).reveal() == twin.successor(SECRET).reveal()
    assert TICKET.successor(SECRET).verifier == hmac.digest(SECRET, told, "sha256")[:30]
    assert TICKET.successor(SECRET).key == TICKET.key


def test_successor_needs_the_secret_the_selector_and_the_verifier():
    """Another secret, session or ticket has another successor, and the chain does not turn back."""
    seen = {TICKET.verifier, TICKET.successor(SECRET).verifier}
    seen.add(TICKET.successor(SECRET[::-1]).verifier)
    seen.add(Ticket(Ticket.mint(bytes(ENTROPY)).key, TICKET.verifier).successor(SECRET).verifier)
    seen.add(Ticket(TICKET.key, bytes(30)).successor(SECRET).verifier)
    seen.add(TICKET.successor(SECRET).successor(SECRET).verifier)

    assert len(seen) == 6


def test_ticket_of_a_login_made_again_follows_from_the_lost_ones_digest():
    """The server needs the store and the secret for it; whoever has the lost ticket comes to it."""
    other = Ticket.mint(bytes(ENTROPY))
    made = retry_ticket(other.key, TICKET.key, TICKET.digest, SECRET)

    assert TICKET.retry(other.key, SECRET).reveal() == made.reveal()
    assert made.key == other.key
    assert made.verifier not in {other.verifier, TICKET.successor(SECRET).verifier}


def test_ticket_of_a_login_made_again_needs_everything():
    """Another secret, id, lost session or lost ticket makes another one."""
    key, lost, digest = Ticket.mint(bytes(ENTROPY)).key, TICKET.key, TICKET.digest
    given_ = [
        (key, lost, digest, SECRET),
        (key, lost, digest, SECRET[::-1]),
        (lost, lost, digest, SECRET),
        (key, key, digest, SECRET),
        (key, lost, bytes(32), SECRET),
    ]

    assert len({retry_ticket(*words).verifier for words in given_}) == len(given_)


def test_text_of_a_ticket_shows_no_secret():
    """``repr`` and ``str`` have the selector; the verifier is in ``reveal`` alone."""
    for text in (repr(TICKET), str(TICKET), f"{TICKET}", repr([TICKET])):
        assert TICKET.key in text
        assert TICKET.reveal()[20:] not in text
        assert TICKET.verifier.hex() not in text


@pytest.mark.parametrize(
    "text", ["", "A" * 19, "A" * 21, "A" * 19 + "=", "A" * 20 + "\n", "é" * 20]
)
def test_other_texts_are_no_keys(text):
    """A session's id is twenty characters of base64url and nothing else."""
    assert is_key("A-_" + "z9" * 8 + "0")
    assert not is_key(text)


@pytest.mark.parametrize("first", range(256))
def test_id_never_begins_with_a_dash(first):
    """Whatever the entropy, a command line takes the id for an argument and not for an option."""
    ticket = Ticket.mint(bytes([first]) + bytes(range(44)))

    assert not ticket.key.startswith("-")
    assert Ticket.parse(ticket.reveal()) is not None
