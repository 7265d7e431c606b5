"""What stands in a row while a login is under way, on a store that changes one row at a time.

A login changes several rows as one act: it makes the new one, and takes away the old one and those
over the limit. This is a two-phase commit with its state in the rows, as Percolator and CockroachDB
have it; theirs is the word intent.

1. The new row is *prepared*: nobody sees it.
2. Each row that is to go is *locked*: it is read as before, and names the new one.
3. The new row is *decided*. At this instant it is there and the locked ones are gone, whoever
   reads.
4. Each locked row goes, or its tombstone takes its place; then the new row is a plain one.

Whoever meets an intent can settle it. While the new row is only prepared, removing it calls the
login off. Once it is decided, step 4 is for anybody to finish. A plain row is never removed before
the locks that name it are gone, so a lock whose login is not there in the same attempt is void.

An intent begins with a byte that MessagePack never uses, so that no record is taken for one:
https://github.com/msgpack/msgpack/blob/master/spec.md#overview
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec

from sessile.core.ticket import SELECTOR_BYTES, Key, is_key
from sessile.stores.contract import HEAD_BYTES

NONCE: Final = 8
"""Bytes that tell one attempt of a login from another."""

MARK: Final = b"\xc1"
"""The first byte of a row with an intent."""

_LENGTH: Final = 4
_KEY: Final = SELECTOR_BYTES * 4 // 3
_FRONT: Final = 2 + NONCE + _LENGTH

START_BYTES: Final = _FRONT + HEAD_BYTES
"""The beginning of a row in which the head of its record is, whether it has an intent or not."""


class PreparedLogin(msgspec.Struct, frozen=True):
    """A login that is not decided.

    Attributes:
        nonce: of the attempt.
        record: the new record's bytes.
    """

    nonce: bytes
    record: bytes

    def __bytes__(self) -> bytes:
        return _join(b"P", self.nonce, self.record)


class DecidedLogin(msgspec.Struct, frozen=True):
    """A login that stands, though what it ends may still be there.

    Attributes:
        nonce: of the attempt.
        record: the new record's bytes.
        locked: the keys of what it ends.
    """

    nonce: bytes
    record: bytes
    locked: tuple[Key, ...]

    def __bytes__(self) -> bytes:
        return _join(b"D", self.nonce, self.record, "".join(self.locked).encode())


class LockedRow(msgspec.Struct, frozen=True):
    """A record that ends once the login that names it is decided.

    Attributes:
        nonce: of the login's attempt.
        record: the bytes it had, and has again where that login is called off.
        by: the key of the login's record.
        after: what takes its place; empty for nothing.
    """

    nonce: bytes
    record: bytes
    by: Key
    after: bytes

    def __bytes__(self) -> bytes:
        return _join(b"L", self.nonce, self.record, self.by.encode() + self.after)


Intent: TypeAlias = PreparedLogin | DecidedLogin | LockedRow


def intent_of(row: bytes) -> Intent | None:
    """Return the intent in a row; None where it is a plain one, or none that we wrote."""
    if row[:1] != MARK:
        return None
    kind, nonce = row[1:2], row[2 : 2 + NONCE]
    length = int.from_bytes(row[2 + NONCE : _FRONT])
    record, rest = row[_FRONT : _FRONT + length], row[_FRONT + length :]
    if len(record) == length:
        if kind == b"P" and not rest:
            return PreparedLogin(nonce, record)
        keys = _keys(rest if kind == b"D" else rest[:_KEY])
        if kind == b"D" and keys is not None:
            return DecidedLogin(nonce, record, keys)
        if kind == b"L" and keys:
            return LockedRow(nonce, record, keys[0], rest[_KEY:])
    return None


def is_unsettled(start: bytes) -> bool:
    """Tell whether a row that begins so is a login that is not decided, or is locked by one."""
    return start[:1] == MARK and start[1:2] in b"PL"


def record_start(start: bytes) -> bytes:
    """Return how the record begins in a row that begins so."""
    return start[_FRONT:] if start[:1] == MARK else start


def _join(kind: bytes, nonce: bytes, record: bytes, rest: bytes = b"") -> bytes:
    length = len(record).to_bytes(_LENGTH)
    return b"".join((MARK, kind, nonce, length, record, rest))


def _keys(joined: bytes) -> tuple[Key, ...] | None:
    """Return the keys that stand one behind the other; None where something else does."""
    text = joined.decode("ascii", "replace")
    found: Sequence[str] = [text[at : at + _KEY] for at in range(0, len(text), _KEY)]
    return tuple(map(Key, found)) if all(map(is_key, found)) else None
