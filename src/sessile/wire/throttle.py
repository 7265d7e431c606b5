"""At most one line a minute of each kind, and with the next one how many were left out."""

from collections.abc import Callable, Hashable
from typing import Final

from sessile.core.value import Instant, Seconds

SELDOM: Final[Seconds] = 60.0
"""Seconds between two lines of one kind."""


class Throttle:
    """Lets lines through, each kind by itself. Few kinds: they are remembered for good.

    Args:
        clock: seconds since 1970. One that is set back lets a line through.
    """

    __slots__ = ("_clock", "_left_out", "_told")

    def __init__(self, clock: Callable[[], Instant]) -> None:
        self._clock = clock
        self._told: dict[Hashable, Instant] = {}
        self._left_out: dict[Hashable, int] = {}

    def admit(self, kind: Hashable) -> int | None:
        """Return how many lines of a kind were left out since the last one; None leaves this out.

        Threads that meet here may let one line too many through, or count one too few.
        """
        now = self._clock()
        told = self._told.get(kind)
        if told is not None and 0 <= now - told < SELDOM:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return None
        self._told[kind] = now
        return self._left_out.pop(kind, 0)
