"""Bounded load: a server with too many sessions sends some clients to the others, one at a time.

A cookie keeps clients where they are, also when a server joins, or was away and is back. So each
worker compares its server with the others, whose rows are in the store; that they can be read there
shows that those open the same sessions. ``service.worker`` looks, ``service.routing`` moves.
"""

import math
from collections.abc import Sequence
from typing import Final

from sessile.core.ticket import Key
from sessile.core.value import Instant, Seconds
from sessile.service.server_row import ServerStatus
from sessile.service.traffic import MOST_SEEN, PERIOD, Traffic

BOUND: Final = 1.25
"""How many times the mean of all servers one may have, unless said otherwise."""

FEWEST: Final = 20
"""Sessions of a server below which nobody is moved: with so few the mean is luck."""

COMPARES: Final[Seconds] = 5.0
"""Seconds between two looks at the other servers."""

_SHARE: Final = 20
"""Of so many sessions one is moved between two looks, so that nobody is swamped."""


def excess(server: str, servers: Sequence[ServerStatus], bound: float) -> int:
    """Return how many sessions a server has beyond its bound.

    A server that is down, drains, or has not counted for a period yet neither takes clients from
    others nor counts. Where one has several workers nobody is moved: each of them counts a session
    that comes to all, and none knows who just came to another.

    Args:
        server: its name.
        servers: all of them.
        bound: how many times the mean one may have.
    """
    if any(each.workers > 1 for each in servers):
        return 0
    sessions = {
        each.name: each.sessions_counted
        for each in servers
        if each.counted and each.undrained and not each.is_drained
    }
    own = sessions.get(server, 0)
    if own < FEWEST:
        return 0
    mean = sum(sessions.values()) / len(sessions)
    return max(math.floor(own - bound * mean), 0)


class BoundedLoad:
    """Which clients one worker moves until it looks again.

    Args:
        bound: how many times the mean its server may have.
        traffic: the worker's, which counts its sessions.
    """

    __slots__ = ("_began", "_bound", "_came", "_came_before", "_left", "_looked", "_traffic")

    def __init__(self, bound: float, traffic: Traffic) -> None:
        self._bound, self._traffic = bound, traffic
        self.clear()

    def clear(self) -> None:
        """Begin anew, as in a child that was forked."""
        self._left = 0
        self._came: set[int] = set()
        self._came_before: set[int] = set()
        self._began: Instant | None = None
        self._looked: Instant | None = None

    def is_due(self, now: Instant) -> bool:
        """Tell whether the other servers are to be looked at."""
        return self._looked is None or not 0 <= now - self._looked < COMPARES

    def look(self, server: str, servers: Sequence[ServerStatus], now: Instant) -> None:
        """Work out what may be moved."""
        if self._began is None or not 0 <= now - self._began < PERIOD:
            self._came_before, self._came, self._began = self._came, set(), now
        self._looked = now
        own = next((each.sessions for each in servers if each.name == server), 0)
        self._left = min(excess(server, servers, self._bound), math.ceil(own / _SHARE))

    def welcome(self, key: Key) -> None:
        """Note a session that came here from elsewhere: it is not sent on at once.

        It stays for a period at least. Without that a client could go round between servers that
        all have too many, or come back to this one by the balancer's choice and leave again.
        """
        if len(self._came) < MOST_SEEN:
            self._came.add(hash(key))

    def may_move(self, key: Key) -> bool:
        """Tell whether the client of a session may be moved."""
        if self._left <= 0:
            return False
        number = hash(key)
        return number not in self._came and number not in self._came_before

    def move(self, key: Key) -> None:
        """Count one that is moved; its other requests that are on their way move nobody else."""
        self._left -= 1
        self._traffic.forget(key)
        self.welcome(key)
