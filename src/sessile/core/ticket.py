"""The ticket: the cookie's value. A selector finds the record, a verifier proves possession.

Sixty base64url characters: twenty of selector (15 bytes, not secret, the session's ``id``) and
forty of verifier (30 bytes, secret). Both halves are whole base64 quanta, so every text of the
right shape has exactly one meaning. ``core.verdict`` judges what was presented.
"""

import base64
import binascii
import hashlib
import hmac
import re
from enum import Enum
from typing import Final, NewType

import msgspec

Key = NewType("Key", str)
"""A selector as text: twenty base64url characters. Safe to show and to log."""

SELECTOR_BYTES: Final = 15
VERIFIER_BYTES: Final = 30
ENTROPY: Final = SELECTOR_BYTES + VERIFIER_BYTES
"""Random bytes that a new ticket takes."""

_KEY_CHARS: Final = SELECTOR_BYTES * 4 // 3
_KEY_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{20}", re.ASCII)
_TEXT_CHARS: Final = (SELECTOR_BYTES + VERIFIER_BYTES) * 4 // 3
_STANDARD: Final = bytes.maketrans(b"-_+/=", b"+/!!!")  # to RFC 4648, 4: what is no base64url, too
_ROTATE: Final = b"sessile rotate"
_RETRY: Final = b"sessile retry"
_DASH: Final = 62  # the sextet that base64url spells "-"


class NoTicket(Enum):
    """Why a request, or one place in it, holds no single ticket. Every carrier may answer so."""

    ABSENT = "nothing"
    AMBIGUOUS = "ambiguous"  # two of them: a sibling host may have planted one of two cookies


class Ticket(msgspec.Struct, frozen=True, eq=False):
    """The ticket that a browser holds. Its ``repr`` shows the selector alone.

    Attributes:
        key: the selector, as text.
        verifier: thirty bytes. Compared by ``proves`` alone, in constant time.
    """

    key: Key
    verifier: bytes

    @classmethod
    def parse(cls, text: str) -> "Ticket | None":
        """Read a presented ticket; anything of another shape is None, never an error."""
        if len(text) != _TEXT_CHARS:
            return None
        try:
            standard = text.encode("ascii").translate(_STANDARD)
            entropy = binascii.a2b_base64(standard, strict_mode=True)
        except ValueError:
            return None
        return cls(Key(text[:_KEY_CHARS]), entropy[SELECTOR_BYTES:])

    @classmethod
    def mint(cls, entropy: bytes) -> "Ticket":
        """Make a new ticket of ``ENTROPY`` bytes from a cryptographic source.

        Its id never begins with ``-``, which a command line would take for an option.
        """
        if len(entropy) != ENTROPY:
            raise ValueError(f"a ticket takes {ENTROPY} random bytes, not {len(entropy)}")
        selector, verifier = entropy[:SELECTOR_BYTES], entropy[SELECTOR_BYTES:]
        if selector[0] >> 2 == _DASH:
            selector = bytes([selector[0] & 0x7F]) + selector[1:]
        return cls(Key(base64.urlsafe_b64encode(selector).decode()), verifier)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the verifier: all that a record keeps of it (32 bytes)."""
        return hashlib.sha256(self.verifier).digest()

    def reveal(self) -> str:
        """Return the cookie's value. It is the secret itself: for Set-Cookie and nothing else."""
        return self.key + base64.urlsafe_b64encode(self.verifier).decode()

    def successor(self, secret: bytes) -> "Ticket":
        """Return the next ticket of the ratchet; every server derives the same one."""
        step = _ROTATE + self.key.encode() + self.verifier
        return Ticket(self.key, hmac.digest(secret, step, "sha256")[:VERIFIER_BYTES])

    def retry(self, key: Key, secret: bytes) -> "Ticket":
        """Return the ticket of the login that is made once more in the place of this one's.

        It follows from the digest, which the store has and nobody else, and from the secret, which
        the store does not have: the server makes it without this ticket, and knows it by it.
        """
        return retry_ticket(key, self.key, self.digest, secret)

    def proves(self, digest: bytes) -> bool:
        """Tell in constant time whether this ticket's verifier has that digest."""
        return hmac.compare_digest(hashlib.sha256(self.verifier).digest(), digest)

    def __repr__(self) -> str:
        return f"<Ticket {self.key}>"


def retry_ticket(key: Key, lost: Key, digest: bytes, secret: bytes) -> Ticket:
    """Return the ticket of a login in the place of one whose answer was lost: see ``Ticket.retry``.

    Args:
        key: the new login's.
        lost: the lost one's.
        digest: that of the lost one's ticket.
        secret: of the key ring.
    """
    step = _RETRY + lost.encode() + digest + key.encode()
    return Ticket(key, hmac.digest(secret, step, "sha256")[:VERIFIER_BYTES])


def is_key(text: str) -> bool:
    """Tell whether a text has the shape of a session's id."""
    return _KEY_SHAPE.fullmatch(text) is not None
