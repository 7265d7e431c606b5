"""Statements with their values, as the server's binary protocol wants them.

Its name says what a statement is: two connections that prepared the same name hold the same text,
so that a pooler which mixes them up does no harm.
"""

import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, TypeAlias

from sessile.wire.opaque import Opaque

Row: TypeAlias = tuple[Any, ...]
"""A row of an answer; its values are bytes or None, in the server's binary form."""

_float: Final = struct.Struct("!d")
_integer: Final = struct.Struct("!q")


class Type(IntEnum):
    """The types that values have, by the server's numbers."""

    BYTES = 17
    INTEGER = 20
    TEXT = 25
    FLOAT = 701
    TEXTS = 1009


def _pack_texts(texts: Sequence[str]) -> bytes:
    """Return an array: its dimensions, whether there are nulls, type, size, first index, texts."""
    parts = [struct.pack("!iiIii", 1, 0, Type.TEXT, len(texts), 1)]
    if not texts:
        return struct.pack("!iiI", 0, 0, Type.TEXT)
    for text in texts:
        blob = text.encode()
        parts += (struct.pack("!i", len(blob)), blob)
    return b"".join(parts)


_PACK: Final[dict[int, Callable[[Any], bytes]]] = {
    Type.BYTES: Opaque,
    Type.INTEGER: _integer.pack,
    Type.TEXT: str.encode,
    Type.FLOAT: _float.pack,
    Type.TEXTS: _pack_texts,
}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, and the types of its values.

    Args:
        text: in SQL, with ``$1`` for the first value.
        types: of the values, in their order.
    """

    text: bytes = field(repr=False)
    types: tuple[Type, ...] = ()
    name: bytes = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(self.text + repr(self.types).encode()).hexdigest()
        object.__setattr__(self, "name", f"sessile_{digest[:24]}".encode())

    def bind(self, *values: object) -> "Query":
        """Return the statement with its values; None is NULL."""
        packed = [
            None if value is None else _PACK[kind](value)
            for kind, value in zip(self.types, values, strict=True)
        ]
        return Query(self, packed)


@dataclass(frozen=True, slots=True)
class Query:
    """A statement and its values, packed."""

    statement: Statement
    values: Sequence[bytes | None] = field(default=(), repr=False)


def integer(blob: bytes) -> int:
    """Return an integer of the server's, of any of its sizes."""
    return int.from_bytes(blob, "big", signed=True)


def number(blob: bytes) -> float:
    """Return a double precision number of the server's."""
    found: float = _float.unpack(blob)[0]
    return found
