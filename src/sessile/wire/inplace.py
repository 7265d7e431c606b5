"""Quick calls on shared memory as Asks: on the caller's thread, one at a time.

For ``stores.memory``. Nothing waits here: the lock is held for one step of plain Python.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

from sessile.core.flow import Ask

R = TypeVar("R")


class InPlace:
    """A lock, and Asks that hold it for the length of one call."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def ask(self, what: str, call: Callable[[], R]) -> Ask[R]:
        """Return an Ask that makes the call, the same way in both colours."""

        def block() -> R:
            with self._lock:
                return call()

        async def wait() -> R:
            return block()

        return Ask(what, block, wait)
