"""The rows of ``stores.redis``, and what the answers of its scripts mean."""

import base64
import re
from collections.abc import Iterable
from typing import Any, Final

from sessile.stores.contract import (
    GONE,
    Change,
    CommitResult,
    Conflict,
    Corrupt,
    Full,
    Key,
    Record,
    Replaced,
    ReplaceResult,
    is_key,
    pack,
    unpack,
)
from sessile.stores.row import owner_digest
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


def index_name(owner: str) -> str:
    """Return the digest that names an owner's index: no name of a user can forge another's."""
    return base64.urlsafe_b64encode(owner_digest(owner)).decode()


def key_pattern(prefix: str, tags: str = "") -> str:
    """Return the glob of all rows behind a prefix, and of no index or generation."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", prefix) + tags + "[^@]*"


def keys_among(names: Iterable[bytes], prefix: str) -> list[Key]:
    """Return the keys of the sessions behind a prefix that some names are of."""
    start = prefix.encode()
    ends = (name[len(start) :] for name in names if name.startswith(start))
    return [key for end in ends if is_key(key := Key(end.decode("ascii", "replace")))]


def cursor_after(score: bytes) -> str | None:
    """Return the cursor behind an entry of an index; None for none."""
    return f"({score.decode()}" if score else None
