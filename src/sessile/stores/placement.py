"""On which servers a session is kept. ``abilities.HasPlacement`` asks, ``sessile where`` shows."""

from enum import Enum

import msgspec


class CopyState(Enum):
    """How a copy is."""

    CURRENT = "current"
    BEHIND = "behind"  # it has not yet all that its primary has
    AWAY = "away"  # its server does not answer


class Placement(msgspec.Struct, frozen=True):
    """Where one session is.

    Attributes:
        shard: the part of the store that it is in, together with others.
        primary: the server that decides about it; empty while the others elect one.
        backups: the servers that have a copy, and how that is.
        proxies: those that have none, as far as the store knows them: they ask the primary.
    """

    shard: str
    primary: str
    backups: dict[str, CopyState] = {}
    proxies: tuple[str, ...] = ()
