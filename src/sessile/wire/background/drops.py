"""A count of what was dropped, reported now and then. ``wire.background.tasks`` drops things."""

import threading
from collections.abc import Callable
from typing import Final

PAUSE: Final = 10.0
"""Seconds between two reports while losing goes on."""


class Losses:
    """How many were lost since the last report.

    Args:
        tell: reports a number of them.
        clock: seconds that never run backwards.
    """

    __slots__ = ("_clock", "_count", "_lock", "_quiet_until", "_tell")

    def __init__(self, tell: Callable[[int], None], clock: Callable[[], float]) -> None:
        self._tell = tell
        self._clock = clock
        self._count = 0
        self._quiet_until = clock()
        self._lock = threading.Lock()

    def add(self) -> bool:
        """Count one. The first is told at once, others after the pause; tell whether it was."""
        with self._lock:
            self._count += 1
            due = self._clock() >= self._quiet_until
        if due:
            self.flush()
        return due

    def flush(self) -> None:
        """Tell now of those that were not told."""
        if not self._count:
            return
        with self._lock:
            count, self._count = self._count, 0
            self._quiet_until = self._clock() + PAUSE
        if count:
            self._tell(count)

    def renew(self) -> None:
        """Begin anew in a forked child, where the lock may be held by a thread left behind."""
        self._lock = threading.Lock()
        self._count = 0
