"""CSRF tokens: proof that a form came from a page of this very session. Pure.

A token belongs to a session and to its ticket: a login or a new session makes it worthless, and so
does the second rotation from here; the first leaves it good, for the page that is still open. It is
masked anew in each answer, so that compression (BREACH) tells nothing of it. ``web.csrf`` hands it
to templates and finds it in requests.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable
from typing import Final

from sessile.core.record import Record
from sessile.core.secrets import KeyRing
from sessile.core.ticket import Key

MASK: Final = 30
"""Random bytes that each token takes."""

_PURPOSE: Final = b"sessile csrf"
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{80}", re.ASCII)


def token(ring: KeyRing, key: Key, digest: bytes, mask: bytes) -> str:
    """Return a token of eighty base64url characters.

    Args:
        ring: the newest secret makes it.
        key: the session's id.
        digest: of the session's ticket.
        mask: ``MASK`` bytes from a cryptographic source, for this one token.
    """
    if len(mask) != MASK:
        raise ValueError(f"a token takes {MASK} random bytes, not {len(mask)}")
    base = _base(ring.newest, key, digest)
    return base64.urlsafe_b64encode(mask + _xor(base, mask)).decode()


def check(ring: KeyRing, record: Record, given: str) -> bool:
    """Tell in constant time whether a token belongs to a session, as its ticket is or was last."""
    if len(given) != 80 or _SHAPE.fullmatch(given) is None:
        return False
    raw = binascii.a2b_base64(given.replace("-", "+").replace("_", "/"))
    base = _xor(raw[MASK:], raw[:MASK])
    return any(hmac.compare_digest(base, own) for own in _bases(ring, record))


def _bases(ring: KeyRing, record: Record) -> Iterable[bytes]:
    """Return the tokens before masking: by each secret, of the ticket and of the one before it."""
    digests = filter(None, (record.digest, record.parent))
    return [_base(secret, Key(record.key), digest) for digest in digests for secret in ring]


def _base(secret: bytes, key: Key, digest: bytes) -> bytes:
    """Return the token before masking. Its key is for this purpose alone: no other code is one."""
    purpose = hmac.digest(secret, _PURPOSE, "sha256")
    return hmac.digest(purpose, key.encode() + digest, "sha256")[:MASK]


def _xor(left: bytes, right: bytes) -> bytes:
    """Return the exclusive or of two byte strings of one length."""
    both = int.from_bytes(left) ^ int.from_bytes(right)
    return both.to_bytes(len(left))
