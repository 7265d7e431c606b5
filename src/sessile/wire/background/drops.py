"""A count of dropped tasks, reported now and then. ``wire.background.tasks`` adds to it."""

import threading
from collections.abc import Callable
from typing import Final

REPORT_INTERVAL: Final = 10.0
"""Seconds between two reports while tasks are being dropped."""


class DropCount:
    """How many were dropped since the last report.

    Args:
        report: called with the number.
        clock: seconds that never run backwards.
    """

    __slots__ = ("_clock", "_count", "_lock", "_next_report", "_report")

    def __init__(self, report: Callable[[int], None], clock: Callable[[], float]) -> None:
        self._report = report
        self._clock = clock
        self._count = 0
        self._next_report = clock()
        self._lock = threading.Lock()

    def add(self) -> bool:
        """Count one; report the first at once and later ones after the interval.

        Returns:
            Whether a report was made.
        """
        with self._lock:
            self._count += 1
            due = self._clock() >= self._next_report
        if due:
            self.flush()
        return due

    def flush(self) -> None:
        """Report now what was not reported yet."""
        if not self._count:
            return
        with self._lock:
            count, self._count = self._count, 0
            self._next_report = self._clock() + REPORT_INTERVAL
        if count:
            self._report(count)

    def reset_after_fork(self) -> None:
        """Start from zero in a forked child; the parent reports its own count."""
        self._lock = threading.Lock()  # a thread that the child does not have may hold the old one
        self._count = 0
