"""How large a store is, as it knows itself. ``abilities.HasSize`` asks; nobody reads a record."""

from enum import Enum

import msgspec


class Extent(Enum):
    """Of what a figure is: a server may have more than our sessions, and no figure of them."""

    STORE = "store"  # of its records, and what finds them
    FILE = "file"  # of the whole file
    SERVER = "server"  # of the whole server, or of all of them together


class StoreSize(msgspec.Struct, frozen=True):
    """What a store says of its own size.

    Attributes:
        records: how many it has, expired ones that are still there included.
        bytes: what they take, in memory or on disk; None where the server lets nobody ask.
        records_of: of what the number is.
        bytes_of: of what the bytes are.
        is_estimate: whether the number is one, for so many are not counted.
    """

    records: int
    bytes: int | None
    records_of: Extent = Extent.STORE
    bytes_of: Extent = Extent.STORE
    is_estimate: bool = False
