"""What a worker of a server has to do just now. ``service.worker`` tells the other servers."""

from typing import Final

from sessile.core.ticket import Key
from sessile.core.value import Instant, Seconds

PERIOD: Final[Seconds] = 60.0
"""For how long sessions are counted together."""

MOST_SEEN: Final = 1 << 16
"""Sessions that are counted of one period: beyond, there are at least so many."""


class Traffic:
    """Counts by sets, which threads change at once and nobody counts twice.

    Attributes:
        requests: that are under way, each by a number of its own.
        sockets: the WebSockets that are open, likewise.
        has_counted: whether a whole period is over, so that its sessions are all counted.
    """

    __slots__ = ("_before", "_began", "_seen", "has_counted", "requests", "sockets")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin anew, as in a child that was forked."""
        self.requests: set[int] = set()
        self.sockets: set[int] = set()
        self._seen: set[int] = set()
        self._before = 0
        self.has_counted = False
        self._began: Instant | None = None

    def see(self, key: Key | str) -> None:
        """Count the session of a request."""
        if len(self._seen) < MOST_SEEN:
            self._seen.add(hash(key))

    def forget(self, key: Key | str) -> None:
        """Count a session no more: its client is sent to another server."""
        self._seen.discard(hash(key))
        self._before = max(self._before - 1, 0)

    def count_sessions(self, now: Instant) -> int:
        """Return how many different sessions were seen in this period, or the one before."""
        if self._began is None or not 0 <= now - self._began < PERIOD:
            self.has_counted = self._began is not None
            self._before, self._seen, self._began = len(self._seen), set(), now
        return max(self._before, len(self._seen))
