"""Quick calls on shared memory: on the caller's thread, under a lock, in either colour.

For ``stores.memory``. Nothing waits here: the lock is held for one step of plain Python.
"""

import os
import threading
from collections.abc import Callable
from typing import TypeVar

from sessile.errors import ConfigError

R = TypeVar("R")


class LockedCalls:
    """A lock, and calls that hold it.

    Args:
        fork_error: the error's text in a process that was forked off later, which has a copy of
            its own; None lets it go on with the copy.
    """

    __slots__ = ("_fork_error", "_lock", "_pid")

    def __init__(self, fork_error: str | None) -> None:
        self._fork_error = fork_error
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def call(self, act: Callable[..., R], *args: object) -> R:
        """Make one call while nobody else does."""
        # no fork hook: what one raises is only printed, and this must reach the caller
        if os.getpid() != self._pid:
            self._reset_after_fork()
        with self._lock:
            return act(*args)

    def _reset_after_fork(self) -> None:
        if self._fork_error is not None:
            raise ConfigError(self._fork_error)
        self._pid = os.getpid()
        self._lock = threading.Lock()  # a thread that the child does not have may hold the old one
