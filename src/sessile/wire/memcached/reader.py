"""Bytes of a memcached server to its replies. ``wire.memcached.text`` knows what was asked.

A reply is a dict of items by their names, ``Stats``, the bytes of a line, or a ``CommandError``.
"""

import re
from typing import Any, Final

import msgspec

from sessile.wire.commands.server import INCOMPLETE, CommandError, ProtocolError

LONGEST_LINE: Final = 2048
"""Bytes of a line; those of a server are shorter."""

_SHOWN: Final = 200  # characters of an error reply

_VALUE: Final = re.compile(rb"VALUE ([^\x00-\x20]{1,250}) \d{1,10} (\d{1,10}) (\d{1,20})\r\n")
"""The line before an item: its name, its flags, which are of no use, its size and its token."""

_ERRORS: Final = (b"ERROR", b"CLIENT_ERROR", b"SERVER_ERROR")


class CacheItem(msgspec.Struct, frozen=True):
    """What a server holds under a name.

    Attributes:
        data: as it was stored.
        unique: the token of this very item: no other one of that name had it or will have it.
    """

    data: bytes
    unique: int

    def __repr__(self) -> str:
        return f"<CacheItem of {len(self.data)} bytes>"


class Stats(dict[str, str]):
    """What a server tells of itself, by names."""


class TextReader:
    """Reads one connection: see ``commands.server.Reader``."""

    __slots__ = ("_at", "_buffer", "_items", "_stats", "_value")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0  # whatever is before it was read
        self._items: dict[bytes, CacheItem] = {}
        self._value: tuple[bytes, int, int] | None = None  # name, size, token: its data follows
        self._stats: Stats | None = None

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += data

    def has_data(self) -> bool:
        """Tell whether something was received and not given out."""
        return self._at < len(self._buffer)

    def gets(self) -> Any:
        """Return the next reply, or ``INCOMPLETE``.

        Raises:
            ProtocolError: this is no memcached server.
        """
        while True:
            if self._value is not None and not self._take_data(*self._value):
                return INCOMPLETE
            if self._at == len(self._buffer):
                return INCOMPLETE
            found = _VALUE.match(self._buffer, self._at)
            if found is not None:
                name, size, unique = found.groups()
                self._value, self._at = (name, int(size), int(unique)), found.end()
                continue
            line = self._take_line()
            if line is None:
                return INCOMPLETE
            if line == b"END":
                return self._take_collected()
            if line.startswith(b"STAT "):
                self._stats = self._stats or Stats()
                what, _, value = line[5:].decode("ascii", "replace").partition(" ")
                self._stats[what] = value
            elif self._items or self._stats or line.startswith(b"VALUE"):
                raise ProtocolError("a list of items is not understood")
            else:
                return _line_reply(line)

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n", self._at, self._at + LONGEST_LINE)
        if end < 0:
            if len(self._buffer) - self._at >= LONGEST_LINE:
                raise ProtocolError("a line has no end")
            return None
        line = bytes(self._buffer[self._at : end])
        self._at = end + 2
        return line

    def _take_data(self, name: bytes, size: int, unique: int) -> bool:
        end = self._at + size
        if len(self._buffer) < end + 2:
            return False
        if self._buffer[end : end + 2] != b"\r\n":
            raise ProtocolError("an item is longer than it says")
        self._items[name] = CacheItem(bytes(self._buffer[self._at : end]), unique)
        self._at, self._value = end + 2, None
        return True

    def _take_collected(self) -> dict[bytes, CacheItem] | Stats:
        collected = self._items if self._stats is None else self._stats
        self._items, self._stats = {}, None
        return collected


def _line_reply(line: bytes) -> bytes | Stats | CommandError:
    first, _, rest = line.partition(b" ")
    if first in _ERRORS:
        text = line[:_SHOWN].decode("ascii", "replace")
        return CommandError("".join(each if each.isprintable() else "?" for each in text))
    if first == b"VERSION":
        return Stats(version=rest.decode("ascii", "replace"))
    return line
