"""The ticket: a text is one of sixty characters, or none; what is read is what was written."""

import string
from typing import Final

from sessile.core.ticket import ENTROPY, Ticket, is_key
from sessile.testing.clock import SeededEntropy

ALPHABET: Final = frozenset(string.ascii_letters + string.digits + "-_")
SECRET: Final = bytes(32)
LONGEST: Final = 96
SEEDS: Final = (
    Ticket.mint(SeededEntropy()(ENTROPY)).reveal().encode(),
    b"-" * 60,
    b"_" * 61,
    b"a" * 20,
    b"a" * 59 + b"\n",
    b"A" * 58 + b"==",
    bytes(ENTROPY),
    b"\xff" * ENTROPY,
)


def check(data: bytes) -> None:
    """Assert what holds of a presented text, and of a ticket made from these bytes."""
    check_text(data.decode("latin-1"))
    check_text(data.decode("utf-8", "surrogateescape"))
    if len(data) >= ENTROPY:
        minted = Ticket.mint(data[:ENTROPY])
        assert not minted.key.startswith("-")
        check_text(minted.reveal())


def check_text(text: str) -> None:
    """Assert that a text is a ticket exactly when it has the shape, and then means itself."""
    ticket = Ticket.parse(text)
    assert (ticket is not None) == (len(text) == 60 and set(text) <= ALPHABET)
    assert is_key(text) == (len(text) == 20 and set(text) <= ALPHABET)
    if ticket is not None:
        check_ticket(ticket, text)


def check_ticket(ticket: Ticket, text: str) -> None:
    """Assert that a ticket keeps its text, hides its secret, and has one successor."""
    assert ticket.reveal() == text
    assert ticket.key == text[:20]
    assert is_key(ticket.key)
    assert text[20:] not in repr(ticket)
    assert ticket.proves(ticket.digest)
    successor = ticket.successor(SECRET)
    assert (successor.key, successor.reveal()) == (ticket.key, ticket.successor(SECRET).reveal())
    assert not successor.proves(ticket.digest)
