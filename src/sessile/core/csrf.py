"""CSRF tokens: proof that a form came from a page of this very session. Pure.

A token lives as long as its session, however often the ticket turns; a login makes another session,
and so other tokens. A visitor's lives as long as the cookie that it came with: a login page may be
open for longer than a session of nobody, and what its form does begins another one in any case. It
is masked anew in each answer, so that compression (BREACH) tells nothing of it. ``web.csrf`` hands
it to templates and finds it in requests.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable
from typing import Final

from sessile.core.secrets import KeyRing
from sessile.core.ticket import Key, Ticket

MASK: Final = 30
"""Random bytes that each token takes."""

_PURPOSE: Final = b"sessile csrf"
_TICKET: Final = b"ticket "
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{80}", re.ASCII)


def subject_of(key: Key, *, bound: bool) -> bytes:
    """Name a session, as its tokens are bound to it.

    Args:
        key: the session's id.
        bound: whether somebody is logged in, or half.
    """
    return (b"user " if bound else b"visitor ") + key.encode()


def subjects_of_visitor(ticket: Ticket) -> tuple[bytes, bytes]:
    """Name a ticket that has no session, and the visitor who may have had it, for their tokens.

    The ticket is not proved, so a token made here is for whoever holds the whole of it.
    """
    return _TICKET + ticket.key.encode() + ticket.digest, subject_of(ticket.key, bound=False)


def token(ring: KeyRing, subject: bytes, mask: bytes) -> str:
    """Return a token of eighty base64url characters.

    Args:
        ring: the newest secret makes it.
        subject: what it belongs to.
        mask: ``MASK`` bytes from a cryptographic source, for this one token.
    """
    if len(mask) != MASK:
        raise ValueError(f"a token takes {MASK} random bytes, not {len(mask)}")
    base = _base(ring.newest, subject)
    return base64.urlsafe_b64encode(mask + _xor(base, mask)).decode()


def check(ring: KeyRing, subjects: Iterable[bytes], given: object) -> bool:
    """Tell in constant time whether a token belongs to one of these, by any secret of the ring."""
    if type(given) is not str or len(given) != 80 or _SHAPE.fullmatch(given) is None:
        return False
    raw = binascii.a2b_base64(given.replace("-", "+").replace("_", "/"))
    base = _xor(raw[MASK:], raw[:MASK])
    own = (_base(secret, subject) for subject in subjects for secret in ring)
    return any(hmac.compare_digest(base, one) for one in own)


def _base(secret: bytes, subject: bytes) -> bytes:
    """Return the token before masking. Its key is for this purpose alone: no other code is one."""
    purpose = hmac.digest(secret, _PURPOSE, "sha256")
    return hmac.digest(purpose, subject, "sha256")[:MASK]


def _xor(left: bytes, right: bytes) -> bytes:
    """Return the exclusive or of two byte strings of one length."""
    both = int.from_bytes(left) ^ int.from_bytes(right)
    return both.to_bytes(len(left))
