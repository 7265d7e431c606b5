"""The rows of ``stores.redis``, and what the answers of its scripts mean."""

from typing import Any, Final

import msgspec

from sessile.stores.contract import (
    GONE,
    LATE_TTL,
    Change,
    CommitResult,
    Conflict,
    Corrupt,
    Full,
    Instant,
    Key,
    Record,
    Replaced,
    ReplaceResult,
    pack,
    unpack,
)
from sessile.wire import system
from sessile.wire.opaque import Opaque
from sessile.wire.redis.endpoint import ErrorReply

STAMP: Final = 8
"""Bytes at the end of a row, drawn for each write: a commit whose answer was lost knows its row."""


def row_of(record: Record) -> Opaque:
    """Return the row of a record: its bytes, and a stamp that no other write has."""
    return Opaque(pack(record) + system.entropy(STAMP))


def commit_result(change: Change, answer: Any) -> CommitResult:
    """Return the result of a commit that found another version: the row as it is, or nothing."""
    current = load(Key(change.record.key), answer)
    if isinstance(current, Record):
        return Conflict(current)
    return GONE if current is None else current


def load(key: Key, row: bytes | ErrorReply | None) -> Record | Corrupt | None:
    """Return the record of a row; an error in its place is a key of another type."""
    if row is None:
        return None
    return unpack(row[:-STAMP], key) if isinstance(row, bytes) else Corrupt(key)


def head_of(key: str, row: bytes, version: int) -> bytes:
    """Return how the row of a version begins: format, key and version."""
    return row[: row.index(key.encode()) + len(key)] + msgspec.msgpack.encode(version)


def replace_result(answer: list[Any], old: Record | None) -> ReplaceResult:
    """Return the result of a login, as its script answers it."""
    kind, *more = answer
    if kind == b"full":
        return Full()
    if kind == b"replaced":
        rest, *ended = (Key(name.decode()) for name in more)
        return Replaced(tuple(ended), rest or None)
    current = load(Key("" if old is None else old.key), more[0] if more else None)
    if isinstance(current, Record):
        return Conflict(current)
    return GONE if current is None else current


def cursor_after(score: bytes) -> str | None:
    """Return the cursor behind an entry of an index; None for none."""
    return f"({score.decode()}" if score else None


def milliseconds(until: Instant, seen: Instant) -> int:
    """Return how long Redis keeps what is over at an instant, counted from when it was seen."""
    return int((max(until - seen, 0.0) + LATE_TTL) * 1000)
