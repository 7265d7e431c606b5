"""The rows and indexes of an LMDB file, within one transaction. For ``lmdb`` and ``lmdb_acts``.

All stand in one tree, so that a commit writes few pages. Its first entry has the format's number
and the *generation*: every other key begins with the one that it was made in, so that a new one
ends everybody. Then comes what it is:

=====  ===================================  =================================================
``s``  a session's key                      checksum, version, due, claim, owner, record
``o``  owner, claim                         the session's key; ``claim`` numbers logins
``d``  due, a session's key                 nothing
=====  ===================================  =================================================

``due`` is a lower bound of when a record expires: a commit that moves a deadline later leaves it
alone, and so spares the index a write. LMDB keeps no checksums of its own.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from sessile.errors import ConfigError
from sessile.stores.contract import Corrupt, Instant, Key, Record, pack, unpack

FORMAT: Final = 1
"""The layout's number; a file of another one is left alone."""

_META: Final = b"\0"
_META_VALUE: Final = struct.Struct(">II")  # format, generation
_GENERATION: Final = struct.Struct(">I")
_CHECKSUM: Final = struct.Struct(">I")
_HEAD: Final = struct.Struct(">qdQ16s")
_VERSION_END: Final = _CHECKSUM.size + 8
_RECORD_AT: Final = _CHECKSUM.size + _HEAD.size
_DUE: Final = struct.Struct(">d")
_CLAIM: Final = struct.Struct(">Q")
_NOBODY: Final = bytes(16)
_LONGEST_KEY: Final = 400  # bytes; LMDB takes 511. What is cut is the key of no session
_LAST_CLAIM: Final = b"\xff" * _CLAIM.size


class Row(NamedTuple):
    """One session as it is stored.

    Attributes:
        version: the record's.
        due: when to look whether it has expired.
        claim: which login of its owner's it was; 0 where it stands in no index.
        owner: in whose index it stands, as ``digest_of`` writes it.
        blob: the record.
    """

    version: int
    due: Instant
    claim: int
    owner: bytes
    blob: bytes


def digest_of(owner: str | None) -> bytes:
    """Return the digest of an owner, which has the same length in every key."""
    if owner is None:
        return _NOBODY
    return hashlib.blake2b(owner.encode(), digest_size=16).digest()


def pack_row(row: Row) -> bytes:
    """Return the bytes of a row."""
    rest = _HEAD.pack(*row[:4]) + row.blob
    return _CHECKSUM.pack(zlib.crc32(rest)) + rest


def unpack_row(value: bytes) -> Row | None:
    """Return the row of these bytes; None where they are damaged."""
    rest = memoryview(value)[_CHECKSUM.size :]
    if len(value) < _RECORD_AT or _CHECKSUM.unpack_from(value)[0] != zlib.crc32(rest):
        return None
    version, due, claim, owner = _HEAD.unpack_from(value, _CHECKSUM.size)
    return Row(version, due, claim, owner, value[_RECORD_AT:])


def load_row(key: Key, value: bytes, owner: str | None = None) -> Record | Corrupt:
    """Return the record of a row; ``Corrupt`` where what stands before it says something else.

    Args:
        key: whose.
        value: its bytes.
        owner: in whose index it was found.
    """
    row = unpack_row(value)
    record = Corrupt(key) if row is None else unpack(row.blob, key)
    if row is None or isinstance(record, Corrupt):
        return Corrupt(key)
    index_owner = record.index_owner
    sound = record.version == row.version and (index_owner is None) == (row.owner == _NOBODY)
    return record if sound and owner in {None, index_owner} else Corrupt(key)


def find(transaction: Any, key: str) -> bytes | None:
    """Return the bytes of a row, on the shortest way."""
    generation: bytes = transaction.get(_META)[_GENERATION.size :]
    found: bytes | None = transaction.get(generation + _session(key))
    return found


def find_version(transaction: Any, key: str) -> bytes | None:
    """Return how a row begins, its checksum and its version: otherwise whenever it is another."""
    value = find(transaction, key)
    return None if value is None else value[:_VERSION_END]


def generation_of(transaction: Any) -> bytes:
    """Return the number of the generation, as keys begin."""
    meta: bytes = transaction.get(_META)
    return meta[_GENERATION.size :]


def _session(key: str) -> bytes:
    name = key.encode("utf-8", "surrogatepass")
    return b"s" + name if len(name) <= _LONGEST_KEY else b"s" + name[:_LONGEST_KEY] + b"\xff"


class Rows:
    """The rows of one transaction.

    Args:
        transaction: of LMDB's, which may write if the caller does.
    """

    __slots__ = ("_generation", "_transaction")

    def __init__(self, transaction: Any) -> None:
        self._transaction = transaction
        meta: bytes = transaction.get(_META)
        self._generation = meta[_GENERATION.size :]

    def get(self, key: str) -> bytes | None:
        """Return the bytes of a row."""
        found: bytes | None = self._transaction.get(self._session(key))
        return found

    def put(self, key: str, row: Row, last: Row | None = None) -> None:
        """Store a row, with its entries in the indexes, in the place of another or of none."""
        if last is None or last.due != row.due:
            if last is not None:
                self._transaction.delete(self._due(last.due, key))
            self._transaction.put(self._due(row.due, key), b"")
        if last is not None and last.claim and (last.owner, last.claim) != (row.owner, row.claim):
            self._transaction.delete(self._claim(last.owner, last.claim))
        if row.claim:
            entry = self._claim(row.owner, row.claim)
            if last is None or self._transaction.get(entry) != key.encode():
                self._transaction.put(entry, key.encode())
        self._transaction.put(self._session(key), pack_row(row))

    def remove(self, key: str) -> bytes | None:
        """Remove a row and its entries; return its bytes."""
        value: bytes | None = self._transaction.pop(self._session(key))
        row = None if value is None else unpack_row(value)
        if row is not None:  # else the sweep finds its entries
            self._transaction.delete(self._due(row.due, key))
            if row.claim:
                self._transaction.delete(self._claim(row.owner, row.claim))
        return value

    def next_claim(self, owner: bytes) -> int:
        """Return the number of an owner's next login."""
        newest = next(self.claims(owner, newest_first=True), None)
        return 1 if newest is None else newest[0] + 1

    def claims(
        self, owner: bytes, *, after: int = 0, newest_first: bool = False
    ) -> Iterator[tuple[int, Key]]:
        """Yield the logins of an owner, with their sessions' keys.

        Args:
            owner: as ``digest_of`` writes it.
            after: the number of the login after which to begin, oldest first.
            newest_first: which way.
        """
        prefix = self._generation + b"o" + owner
        cursor = self._transaction.cursor()
        if newest_first:
            found = cursor.set_range(prefix + _LAST_CLAIM + b"\0")
            found = cursor.prev() if found else cursor.last()
            entries: Iterable[tuple[bytes, bytes]] = cursor.iterprev()
        else:
            found = cursor.set_range(prefix + _CLAIM.pack(after + 1))
            entries = cursor.iternext()
        for entry, key in entries if found else ():
            if not entry.startswith(prefix):
                break
            yield _CLAIM.unpack(entry[len(prefix) :])[0], Key(key.decode())

    def drop_claim(self, owner: bytes, claim: int) -> None:
        """Remove an entry that has no row."""
        self._transaction.delete(self._claim(owner, claim))

    def sessions(self, after: str = "") -> Iterator[tuple[Key, bytes]]:
        """Yield every row, in the order of the keys, from behind one of them."""
        prefix = self._generation + b"s"
        start = self._session(after) + b"\0" if after else prefix
        for key, value in self._range(start, prefix):
            yield Key(key.decode()), value

    def count(self) -> int:
        """Return how many rows there are."""
        prefix = self._generation + b"s"
        cursor = self._transaction.cursor()
        number = 0
        if cursor.set_range(prefix):
            for key in cursor.iternext(keys=True, values=False):
                if not key.startswith(prefix):
                    break
                number += 1
        return number

    def due(self, now: Instant) -> Iterator[tuple[Instant, Key]]:
        """Yield what is to be looked at by now, as the index says."""
        prefix = self._generation + b"d"
        for rest, _ in self._range(prefix, prefix):
            (due,) = _DUE.unpack(rest[: _DUE.size])
            if due > now:
                break
            yield due, Key(rest[_DUE.size :].decode())

    def drop_due(self, due: Instant, key: str) -> None:
        """Remove an entry that has no row."""
        self._transaction.delete(self._due(due, key))

    def bury(self, batch: int, size: int) -> int:
        """Delete some entries of generations that have ended; return how many."""
        cursor = self._transaction.cursor()
        removed = 0
        found = cursor.set_range(_META + b"\0")
        while found and removed < batch and size > 0:
            if cursor.key()[: _GENERATION.size] >= self._generation:
                break
            size -= len(cursor.value())
            found = cursor.delete()
            removed += 1
        return removed

    def _range(self, start: bytes, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        cursor = self._transaction.cursor()
        for key, value in cursor.iternext() if cursor.set_range(start) else ():
            if not key.startswith(prefix):
                break
            yield key[len(prefix) :], value

    def _session(self, key: str) -> bytes:
        return self._generation + _session(key)

    def _due(self, due: Instant, key: str) -> bytes:
        return self._generation + b"d" + _DUE.pack(max(due, 0.0)) + key.encode()

    def _claim(self, owner: bytes, claim: int) -> bytes:
        return self._generation + b"o" + owner + _CLAIM.pack(claim)


def is_new(transaction: Any) -> bool:
    """Tell whether a file has nothing yet.

    Raises:
        ConfigError: it is none of ours, or of another version.
    """
    meta = transaction.get(_META)
    if meta is None and transaction.stat()["entries"] == 0:
        return True
    if meta is None or len(meta) != _META_VALUE.size:
        raise ConfigError("the file holds something else than sessions: write another path")
    check_format(_META_VALUE.unpack(meta)[0])
    return False


def check_format(number: int) -> None:
    """Refuse a file of another layout.

    Raises:
        ConfigError: it is one.
    """
    if number != FORMAT:
        raise ConfigError(
            f"the file was written by another version of sessile (layout {number}, here {FORMAT}): "
            "run that version, or write another path, which logs everybody in anew"
        )


def begin(transaction: Any, generation: int = 1) -> None:
    """Write what a new file begins with."""
    transaction.put(_META, _META_VALUE.pack(FORMAT, generation))


def begin_generation(transaction: Any) -> None:
    """End everybody: what stands under the generation before is seen by nobody."""
    begin(transaction, _META_VALUE.unpack(transaction.get(_META))[1] + 1)


def row_of(record: Record, claim: int = 0, owner: bytes = _NOBODY) -> Row:
    """Return the row of a record."""
    return Row(record.version, record.expires, claim, owner, pack(record))
