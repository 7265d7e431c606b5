"""What a mirror has, and how a feed writes it; and the mirror in the memory of a process.

``host_mirror`` is the one that all processes of a host have in common.
"""

import math
from collections.abc import Callable, Iterator
from itertools import islice
from struct import Struct
from typing import Final, NamedTuple, Protocol

from sessile.core.ticket import Key
from sessile.core.value import Instant, Seconds
from sessile.wire.feed.connection import FeedConnection


class StreamPosition(NamedTuple):
    """A heartbeat that was told: what stood before it in its stream was told as well.

    Attributes:
        beat: its subject, which no other feed has.
        seq: its sequence.
    """

    beat: str
    seq: int


class Heartbeat(NamedTuple):
    """What a heartbeat says.

    Attributes:
        as_of: on the timer; whatever was changed before then was told.
        position: where it stands.
        now: the server's time.
    """

    as_of: Seconds
    position: StreamPosition
    now: Instant


SWEPT: Final = 200
"""Rows of which each heartbeat sees whether the server has removed them, which it tells nobody."""


class MirrorWriter(Protocol):
    """What a feed writes into a mirror.

    Attributes:
        position: up to where the mirror has the stream; None where nobody can tell.
    """

    position: StreamPosition | None

    def put(self, key: Key, data: bytes | None, until: Instant) -> None:
        """Take what was told of a session; None is its end.

        Args:
            key: its key.
            data: the bytes of its record.
            until: when the server removes it.
        """
        ...

    def clear(self) -> None:
        """Take that everybody has ended."""
        ...

    def flush(self, beat: Heartbeat | None = None) -> None:
        """Show readers what was taken.

        Args:
            beat: the newest one, if it was told meanwhile.

        Raises:
            StoreUnavailable: it cannot be written.
        """
        ...


class Mirror(Protocol):
    """The rows of all sessions, as far as a feed has told."""

    @property
    def as_of(self) -> Seconds:
        """On the timer; whatever was changed before then is here."""
        ...

    def __len__(self) -> int:
        """How many sessions are here."""
        ...

    def look(self, key: Key) -> tuple[Seconds, bytes, bytes | None]:
        """Return ``as_of``, a mark and the bytes of a record; None where it is not here.

        The record is no older than that time. Where the mark is the same, so is the record.
        """
        ...

    def prepare(self) -> None:
        """Have readers find what is here already, before any feed is open. It fails in silence."""
        ...

    def follow(
        self, keys: Callable[[], FeedConnection], records: Callable[[MirrorWriter], FeedConnection]
    ) -> FeedConnection:
        """Open a feed that keeps this up.

        Args:
            keys: opens one that tells keys alone.
            records: opens one that writes the records as well.

        Raises:
            StoreUnavailable: it cannot be opened.
        """
        ...

    def close(self) -> None:
        """Let go of all there is. Harmless when repeated."""
        ...


_UNTIL: Final = Struct("=d")


class MemoryMirror:
    """The rows in the memory of this process.

    Attributes:
        rows: by key, the bytes of each record, and until when the server has it.
        as_of: on the timer; whatever was changed before then is here.
    """

    def __init__(self) -> None:
        self.rows: dict[Key, bytes] = {}
        self.as_of: Seconds = -math.inf

    def __len__(self) -> int:
        """How many sessions are here."""
        return len(self.rows)

    def look(self, key: Key) -> tuple[Seconds, bytes, bytes | None]:
        """Return the time, a mark and a row."""
        as_of = self.as_of  # before the row, which may be newer
        row = self.rows.get(key)
        return (as_of, b"", None) if row is None else (as_of, row, row[: -_UNTIL.size])

    @staticmethod
    def row(data: bytes, until: Instant = math.inf) -> bytes:
        """Return a row."""
        return data + _UNTIL.pack(until)

    def prepare(self) -> None:
        """Do nothing: what is here is found."""

    def follow(
        self,
        keys: Callable[[], FeedConnection],  # noqa: ARG002  (records have keys)
        records: Callable[[MirrorWriter], FeedConnection],
    ) -> FeedConnection:
        """Open a feed of the records."""
        return records(_MemoryWriter(self))

    def close(self) -> None:
        """Leave the rows to the one who has this."""


class _MemoryWriter:
    """Writes all rows anew; they take the place of the last ones once they are whole."""

    position: StreamPosition | None = None  # each feed begins with all that is there

    def __init__(self, mirror: MemoryMirror) -> None:
        self._mirror = mirror
        self._rows: dict[Key, bytes] = {}
        self._round: Iterator[Key] = iter(())

    def put(self, key: Key, data: bytes | None, until: Instant) -> None:
        if data is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = self._mirror.row(data, until)

    def clear(self) -> None:
        self._rows.clear()

    def flush(self, beat: Heartbeat | None = None) -> None:
        if beat is not None:
            self._sweep(beat.now)
            self._mirror.rows = self._rows  # with the first one, it stands behind all there was
            self._mirror.as_of = beat.as_of

    def _sweep(self, now: Instant) -> None:
        """Remove what the server has removed, some at a time."""
        looked_at = list(islice(self._round, SWEPT))
        for key in looked_at:
            row = self._rows.get(key)
            if row is not None and _UNTIL.unpack(row[-_UNTIL.size :])[0] < now:
                del self._rows[key]
        if len(looked_at) < SWEPT:
            self._round = iter(list(self._rows))
