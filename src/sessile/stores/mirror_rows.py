"""What stands in the file of a mirror: a stamp, a position, and a row for each session.

The stamp says as of when the rows are, and who can read it: a process of the same layout, while the
machine runs, for a timer begins anew with it. For any other one there is nothing.
"""

import hashlib
from struct import Struct
from typing import Final

import msgspec

from sessile.core.ticket import Key
from sessile.core.value import Instant, Seconds
from sessile.stores.memory_mirror import SWEPT, StreamPosition
from sessile.wire.lmdb.environment import Transaction
from sessile.wire.lmdb.syncpoint import clock_id

FORMAT: Final = 1
"""The number of the layout."""

_STAMP: Final = b"!stamp"  # before all keys of sessions, as they are sorted
_POSITION: Final = b"!position"
_FIRST: Final = b"-"

_AS_OF: Final = Struct("=d")
_MARK: Final = Struct("=8sQ")
_UNTIL: Final = Struct("=d")
_HEAD: Final = _MARK.size + _UNTIL.size


class MirrorRows:
    """Reads and writes rows in transactions.

    Args:
        boot: names the timer, which begins anew with the machine.
    """

    __slots__ = ("_tag",)

    def __init__(self, boot: str | None = None) -> None:
        whose = f"{FORMAT} {clock_id() if boot is None else boot}"
        self._tag = hashlib.sha256(whose.encode()).digest()[:16]

    def as_of(self, transaction: Transaction) -> Seconds | None:
        """Return as of when the rows are; None where they are not for us."""
        stamp = transaction.get(_STAMP)
        if stamp is None or stamp[_AS_OF.size :] != self._tag:
            return None
        as_of: Seconds = _AS_OF.unpack_from(stamp)[0]
        return as_of

    def look(self, key: bytes, transaction: Transaction) -> tuple[Seconds, bytes, bytes] | None:
        """Return that time, the mark of a row, and the bytes of its record."""
        stamp, row = transaction.get(_STAMP), transaction.get(key)
        if stamp is None or row is None or stamp[_AS_OF.size :] != self._tag:
            return None
        return _AS_OF.unpack_from(stamp)[0], row[: _MARK.size], row[_HEAD:]

    def count(self, transaction: Transaction) -> int:
        """Return how many there are."""
        if self.as_of(transaction) is None:
            return 0
        number: int = transaction.stat()["entries"]
        return number - 1 - (transaction.get(_POSITION) is not None)

    def position(self, transaction: Transaction) -> StreamPosition | None:
        """Return up to where the rows have the stream."""
        position = transaction.get(_POSITION)
        if position is None or self.as_of(transaction) is None:
            return None
        return msgspec.msgpack.decode(position, type=StreamPosition)

    def vouch(self, transaction: Transaction, as_of: Seconds, position: StreamPosition) -> None:
        """Write as of when the rows are, and up to where they have the stream."""
        transaction.put(_STAMP, _AS_OF.pack(as_of) + self._tag)
        transaction.put(_POSITION, msgspec.msgpack.encode(position))

    def sweep(self, transaction: Transaction, after: bytes, now: Instant) -> bytes:
        """Remove what the server has removed, of some rows; return up to which they were.

        Args:
            transaction: changes the file.
            after: up to which they were the last time; empty to begin.
            now: the server's time.
        """
        over, key = [], b""
        with transaction.cursor() as cursor:
            found = cursor.set_range(after or _FIRST)
            for _ in range(SWEPT):
                if not found:
                    key = b""
                    break
                key, row = cursor.item()
                if _UNTIL.unpack_from(row, _MARK.size)[0] < now:
                    over.append(key)
                found = cursor.next()
        for each in over:
            transaction.delete(each)
        return key


class Edition:
    """Rows that one writer writes: no other row ever has the mark of one.

    Args:
        name: eight bytes that no other one has.
    """

    __slots__ = ("_name", "_number")

    def __init__(self, name: bytes) -> None:
        self._name, self._number = name, 0

    def put(self, transaction: Transaction, key: Key, data: bytes | None, until: Instant) -> None:
        """Write a row, with when the server removes it; None removes it."""
        if data is None:
            transaction.delete(key.encode())
            return
        self._number += 1
        transaction.put(
            key.encode(), _MARK.pack(self._name, self._number) + _UNTIL.pack(until) + data
        )
