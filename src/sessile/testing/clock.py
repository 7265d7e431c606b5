"""Time and entropy that a test holds in its hands. ``wire.system`` has the real ones."""

import random
from typing import Final

from sessile.core.value import Instant, Seconds

T0: Final[Instant] = 4_102_444_800.0
"""Where tests begin: 2100-01-01, so far ahead that no server's own clock collects their rows."""


class FakeClock:
    """A clock that moves when it is told to.

    Attributes:
        now: the instant it shows.
    """

    def __init__(self, now: Instant = T0) -> None:
        self.now = now

    def __call__(self) -> Instant:
        """Return the instant it shows."""
        return self.now

    def advance(self, seconds: Seconds) -> Instant:
        """Move on, or back with a negative number as a corrected server clock does."""
        self.now += seconds
        return self.now


class SeededEntropy:
    """Random bytes that are the same on every run of the test."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311  (repeatable is what it is for)

    def __call__(self, count: int) -> bytes:
        """Return the next bytes."""
        return self._random.randbytes(count)
