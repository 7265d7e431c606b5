"""The record: the frozen row that every store keeps for one session, and its bytes.

A store reads and writes whole records; ``core.change`` says what a commit carries and
``core.verdict`` judges a presented ticket against one.
"""

from typing import Any, Final, Literal

import msgspec

from sessile.core.ticket import Key
from sessile.core.value import Instant


class Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """One session, as stored. Times are seconds since 1970 in UTC.

    Attributes:
        key: the selector; a record found under another key is malformed.
        version: 1 at creation, one more with each commit.
        created: when the session was made.
        seen: when it was last used, to a twentieth of the idle time.
        idle_until: the session ends here unless it is used before.
        until: the session ends here whatever happens.
        digest: SHA-256 of the current verifier (32 bytes).
        rotated: when the current verifier was made.
        confirmed: when the client first presented the current verifier; None until then.
        owner: the user, or None for an anonymous session.
        assurance: 0 anonymous, 1 and up as the login said.
        authenticated_at: when the user proved who they are.
        persistent: the cookie outlives the browser.
        device: what the login called the client, as in ``"Firefox on Linux"``.
        binding: what the client is bound to; empty when nothing is.
        proof: code under the key ring over who the session belongs to, which ticket opens it, and
            when it began and ends; empty when sealing is off.
        data: key to encoded value, sealed when sealing is on.
        over: the session was replaced or logged out a moment ago. The empty record stays for as
            long as a late request may take, so that it is known for what it is.
        format: the layout's number; another one is malformed.
    """

    format: Literal[1]
    key: str
    version: int
    created: Instant
    seen: Instant
    idle_until: Instant
    until: Instant
    digest: bytes
    rotated: Instant
    confirmed: Instant | None = None
    owner: str | None = None
    assurance: int = 0
    authenticated_at: Instant | None = None
    persistent: bool = False
    device: str = ""
    binding: bytes = b""
    proof: bytes = b""
    data: dict[str, bytes] = {}
    over: bool = False

    @property
    def expires(self) -> Instant:
        """The earlier of the two deadlines."""
        return min(self.idle_until, self.until)

    def live_at(self, now: Instant) -> bool:
        """Tell whether the session lives; at its deadline it no longer does."""
        return now < self.idle_until and now < self.until

    def __repr__(self) -> str:
        return f"<Record {self.key} version {self.version}>"


FORMAT: Final = 1

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Record)


LATE: Final = 120.0
"""Seconds for which the remains of a session are kept: longer than an answer may be on its way."""


def remains(key: Key, now: Instant) -> Record:
    """Return what is left under the key of a session that was replaced or logged out.

    Its version is one that no commit expects.
    """
    end = now + LATE
    return Record(FORMAT, key, 0, now, now, end, end, bytes(32), now, over=True)


def pack(record: Record) -> bytes:
    """Return the record's bytes (MessagePack)."""
    return _encoder.encode(record)


def unpack(blob: bytes, key: Key) -> Record | None:
    """Return the record of that key. Truncated, foreign, swapped or another format: None."""
    try:
        record = _decoder.decode(blob)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return record if record.key == key and len(record.digest) == 32 else None


def evolve(record: Record, **changes: Any) -> Record:
    """Return the record with some fields changed."""
    return msgspec.structs.replace(record, **changes)
