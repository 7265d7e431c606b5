"""What a session may hold, and the codec's contract. ``codecs.msgpack`` keeps it."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Protocol, TypeAlias
from uuid import UUID

Scalar: TypeAlias = (
    bool
    | int
    | float
    | str
    | bytes
    | dt.datetime
    | dt.date
    | dt.time
    | dt.timedelta
    | Decimal
    | UUID
    | None
)
Value: TypeAlias = Scalar | list[Any] | tuple[Any, ...] | dict[Any, Any] | set[Any] | frozenset[Any]
"""What may be set. A container holds values again, a set and the keys of a dict are scalars; the
codec sees to it. Types cannot: ``list[Value]`` refuses a ``list[str]``, as lists are invariant.
A value of a derived class is kept as its base, and comes back as it.
"""

Number: TypeAlias = int | float | Decimal

Encoded: TypeAlias = Mapping[str, bytes]
"""The values of one session, each encoded on its own."""

Instant: TypeAlias = float
"""Seconds since 1970-01-01T00:00:00Z."""

Seconds: TypeAlias = float

UNCHANGING = frozenset(
    (
        type(None),
        bool,
        int,
        float,
        str,
        bytes,
        dt.datetime,
        dt.date,
        dt.time,
        dt.timedelta,
        Decimal,
        UUID,
    )
)
"""Types whose values cannot change after they were handed out."""


def is_text(text: str) -> bool:
    """Tell whether a str is text that can be written: no half of a surrogate pair stands alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Codec(Protocol):
    """Values to bytes and back, with their exact types; of a derived class, with its base."""

    def encode(self, value: Value) -> bytes:
        """Return the value's bytes; equal values of one type give equal bytes.

        Raises:
            UnsupportedValue: the value could not come back as it is.
        """
        ...

    def decode(self, blob: bytes) -> Value:
        """Return the value anew: no two calls share a mutable part.

        Raises:
            ValueError: these are not bytes that ``encode`` made.
        """
        ...
