"""The row of a record on a server: how it begins, whose it is, and how long the server keeps it.

The deadlines in the record decide; a server's time to live is garbage collection.
"""

import hashlib
from typing import Final

import msgspec

from sessile.stores.contract import LATE_TTL, Corrupt, Instant, Key, Record, unpack

_DIGEST: Final = 24  # bytes


def owner_digest(owner: str) -> bytes:
    """Return the digest that stands for a user: no name can forge another's, whatever is in it."""
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).digest()[:_DIGEST]


def is_session(record: Record | Corrupt) -> bool:
    """Tell whether it is in the index: what an end has left is not, though its entry may be."""
    return isinstance(record, Corrupt) or record.version > 0


def version_start(blob: bytes, key: str, version: int) -> bytes:
    """Return how a record of that version begins, for the bytes of another one: see ``Record``.

    Format, key and version stand first, and MessagePack tells an integer's length in its first
    byte: so equal beginnings are equal versions.
    """
    return blob[: blob.index(key.encode()) + len(key)] + msgspec.msgpack.encode(version)


def milliseconds(until: Instant, seen: Instant) -> int:
    """Return how long a row is kept that is over at an instant, from when it was seen."""
    return int((max(until - seen, 0.0) + LATE_TTL) * 1000)


def row_lifetime(record: Record) -> int:
    """Return how long the row of a record is kept, in milliseconds."""
    return milliseconds(record.expires, record.seen)


def blob_lifetime(blob: bytes, key: Key) -> int:
    """Return the same for the bytes of a record; if they are none, that of one that is over."""
    record = unpack(blob, key)
    return row_lifetime(record) if isinstance(record, Record) else milliseconds(0.0, 0.0)
