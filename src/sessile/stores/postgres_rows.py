"""The rows of ``stores.postgres``: what stands in them, and what the answers of its server mean."""

import hashlib
from typing import Final

from sessile.errors import KeyTaken
from sessile.stores.contract import (
    GONE,
    UNCLAIMED_TTL,
    Conflict,
    Corrupt,
    Full,
    Instant,
    Key,
    OnLimit,
    Record,
    Replaced,
    Replacement,
    ReplaceResult,
    pack,
    unpack,
)
from sessile.stores.row import owner_digest
from sessile.wire.opaque import Opaque
from sessile.wire.postgres.statement import Row, integer

ON_LIMIT: Final = {OnLimit.END_OLDEST: 0, OnLimit.END_OTHERS: 1, OnLimit.REFUSE: 2}


def lock_number(table: str, owner: str) -> int:
    """Return the number of a user's lock. Two users that share one wait for each other at most."""
    digest = hashlib.sha256(table.encode() + b"\0" + owner_digest(owner)).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def claim_deadline(record: Record) -> Instant | None:
    """Return from when on a record is nobody's; None where its client has shown its ticket."""
    return record.rotated + UNCLAIMED_TTL if record.is_unclaimed(float("inf")) else None


def head_of(record: Record) -> bytes:
    """Return how the row of a record begins: format and key."""
    blob = pack(record)
    return blob[: blob.index(record.key.encode()) + len(record.key)]


def load(key: str, row: Row) -> Record | Corrupt:
    """Return the record of a row of blob, version, owner.

    ``Corrupt`` where the columns say something else than it does: by them it is found, listed and
    replaced, so whoever changes one hides it from nothing.
    """
    blob, version, owner = row[:3]
    record = unpack(blob, Key(key))
    if isinstance(record, Corrupt):
        return record
    holder = record.index_owner
    is_sound = record.version == integer(version) and owner == (
        None if holder is None else owner_digest(holder)
    )
    return record if is_sound else Corrupt(Key(key))


def opaque_row(record: Record) -> Opaque:
    """Return the bytes of a record, which no traceback shows."""
    return Opaque(pack(record))


def text(blob: bytes) -> str:
    """Return a text of the server's."""
    return blob.decode("utf-8", "replace")


def replace_result(rows: list[Row], replacement: Replacement) -> ReplaceResult:
    """Return the result of a login, as its statement answers it.

    Raises:
        KeyTaken: the new key was taken.
    """
    verdict, is_stored, *old, rest, _ = rows[0]
    if verdict == b"full":
        return Full()
    if verdict == b"changed":
        assert replacement.old is not None
        if old[0] is None:
            return GONE
        current = load(replacement.old.key, tuple(old))
        return Conflict(current) if isinstance(current, Record) else current
    if is_stored != b"\x01":
        raise KeyTaken(replacement.new.key)
    ended = tuple(Key(text(row[-1])) for row in rows if row[-1] is not None)
    return Replaced(ended, None if rest is None else Key(text(rest)))
