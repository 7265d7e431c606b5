"""A thread that does something now and then. ``cluster.leaders`` says what."""

import threading
from collections.abc import Callable

from sessile.core.value import Seconds


class Rounds:
    """Goes its rounds until it is ended; nobody waits for it.

    Args:
        name: of the thread.
        go: one round; it raises nothing.
        first: seconds until the first one.
        pause: seconds between two.
    """

    def __init__(
        self, name: str, go: Callable[[], object], *, first: Seconds, pause: Seconds
    ) -> None:
        self._go, self._first, self._pause = go, first, pause
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def has_ended(self) -> bool:
        """Whether no further round shall do anything."""
        return self._ended.is_set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no further round. Of any thread, and of a signal's handler."""
        self._ended.set()

    def _run(self) -> None:
        wait = self._first
        while not self._ended.wait(wait):
            wait = self._pause
            self._go()
