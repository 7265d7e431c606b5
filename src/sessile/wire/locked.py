"""Quick calls on shared memory as Asks: on the caller's thread, one at a time.

For ``stores.memory``. Nothing waits here: the lock is held for one step of plain Python.
"""

import os
import threading
from collections.abc import Callable
from typing import TypeVar

from sessile.core.flow import Ask
from sessile.errors import ConfigError

R = TypeVar("R")


class InPlace:
    """A lock, and Asks that hold it for the length of one call.

    Args:
        forked: what to say in a process that was forked off later, which has a copy of its own;
            None lets it go on with the copy.
    """

    __slots__ = ("_forked", "_home", "_lock")

    def __init__(self, forked: str | None) -> None:
        self._forked = forked
        self._home = os.getpid()
        self._lock = threading.Lock()

    def ask(self, what: str, call: Callable[[], R]) -> Ask[R]:
        """Return an Ask that makes the call, the same way in both colours."""

        def block() -> R:
            if os.getpid() != self._home:
                self._arrive()
            with self._lock:
                return call()

        return Ask(what, block)

    def _arrive(self) -> None:
        if self._forked is not None:
            raise ConfigError(self._forked)
        self._home = os.getpid()
        self._lock = threading.Lock()  # a thread that stayed behind may have held the old one
