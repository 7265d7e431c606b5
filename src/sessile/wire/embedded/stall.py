"""Notice a file system that stalls; say who may make a call in place. For ``wire.embedded.calls``.

A snapshot agent freezes it, a volume hangs, a disk takes its time to write a log back: a call that
takes microseconds does not come back for seconds. Nothing can take a thread out of it. But later
calls need not follow it: they are made apart, in a thread that is waited for no longer than the
time limit, until one of them is quick.

An event loop must not meet the first such call either. It makes a call in place only just after one
of the same kind was quick: that a read was says nothing of a commit.
"""

import math
import os
import sys
import weakref
from typing import Final

PATIENCE: Final = 0.25
"""Seconds that a call may take in place: ten thousand times what it takes."""

LOOP_PATIENCE: Final = 0.05
"""Seconds that an event loop stands still for a call that another thread makes for it."""

WARMTH: Final = 0.01
"""Seconds for which a quick call vouches for the next one of its kind. A hand-over takes some 100
µs of CPU when both threads have slept, so all of them take a hundredth of a core for each kind. A
loop that is busier makes its calls in place, at no cost, and may meet the first that hangs."""


class Stall:
    """What is known of a file's calls.

    Attributes:
        running: when the call of each thread began that makes one.
        is_slow: whether the latest call that ended took too long.
        quick: when the latest quick call of each kind ended.
    """

    __slots__ = ("__weakref__", "is_slow", "quick", "running")

    def __init__(self) -> None:
        self.running: dict[int, float] = {}
        self.is_slow = False
        self.quick: dict[str, float] = {}
        _stalls.add(self)

    def is_over(self, now: float) -> bool:
        """Tell whether a thread may make a call in place now."""
        began = list(self.running.values())  # other threads come and go
        return not self.is_slow and now - min(began, default=now) < PATIENCE

    def is_warm(self, what: str, now: float) -> bool:
        """Tell whether an event loop may make a call of that kind in place now."""
        return now - self.quick.get(what, -math.inf) < WARMTH and self.is_over(now)


_stalls: Final[weakref.WeakSet[Stall]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for stall in list(_stalls):
        stall.running.clear()  # of threads that the child does not have


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)
