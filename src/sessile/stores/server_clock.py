"""What a Redis server's clock shows, so that a script can be told until when it is wanted.

A client that gives a command up cannot take it back: a server that was frozen, or a network that
held it, performs it later, after what others were told meanwhile. A login would so end a session
that began after it. Hence its script begins by looking at the clock, and does nothing when nobody
waits for it any more. The clock is the server's own, and this measures how far it is ahead of ours.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from sessile.core.value import Instant, Seconds

_VALID: Final = 600.0
"""Seconds for which a measurement holds: a clock that is slewed by 500 ppm, the most that NTP
does, is a third of a second off by then."""


class ServerClock:
    """How far a server's clock is ahead of this process's timer.

    Args:
        ask: the server for its time.
        timer: seconds by a clock that never runs backwards.
    """

    __slots__ = ("_ahead", "_ask", "_stale_at", "_timer")

    def __init__(self, ask: Callable[[], Awaitable[Instant]], timer: Callable[[], Seconds]) -> None:
        self._ask, self._timer = ask, timer
        self._ahead = 0.0
        self._stale_at = float("-inf")

    async def time_after(self, within: Seconds) -> int:
        """Return the server's time, in microseconds since 1970, when so many seconds have passed.

        It may be too late, by no more than the server took to tell its time, and never too early.
        """
        now = self._timer()
        if now >= self._stale_at:
            self._ahead = await self._ask() - now  # as if it had been read when it was asked for
            self._stale_at = now + _VALID
            now = self._timer()
        return int((now + within + self._ahead) * 1_000_000) + 1

    def forget(self) -> None:
        """Ask again next time: one of the two clocks was set."""
        self._stale_at = float("-inf")
