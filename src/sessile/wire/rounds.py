"""A thread that does something now and then, as ``cluster.leaders`` or ``service.worker`` say."""

import asyncio
import os
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from sessile.core.value import Seconds


class Rounds:
    """Goes its rounds until it is ended; nobody has to wait for it.

    Args:
        name: of the thread.
        go: one round; it raises nothing.
        first: seconds until the first one.
        pause: seconds between two.
        last: done after the last one; it raises nothing.
    """

    def __init__(
        self,
        name: str,
        go: Callable[[], object],
        *,
        first: Seconds,
        pause: Seconds,
        last: Callable[[], object] = bool,
    ) -> None:
        self._go, self._first, self._pause, self._last = go, first, pause, last
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

    def join(self, patience: Seconds) -> None:
        """Wait until the last round is over, so many seconds at most."""
        self._thread.join(patience)

    def _run(self) -> None:
        wait = self._first
        while not self._ended.wait(wait):
            wait = self._pause
            self._go()
        self._last()


class LazyRounds:
    """Rounds that begin when they are first wanted, also after an end, and in a child by itself.

    Args:
        make: returns them.
        restart: called in a child that was forked, before anything else there.

    Attributes:
        rounds: those that are gone; None where they have not begun.
    """

    def __init__(self, make: Callable[[], Rounds], restart: Callable[[], object]) -> None:
        self._make, self._restart = make, restart
        self._guard = threading.Lock()
        self.rounds: Rounds | None = None
        _lazy.add(self)

    def start(self) -> None:
        """Begin, or try to: where there is no thread to be had, the next call may find one."""
        if self.rounds is not None:
            return
        with self._guard:
            if self.rounds is None:
                rounds = self._make()
                with suppress(RuntimeError):  # the interpreter ends, or has too many of them
                    rounds.start()
                    self.rounds = rounds

    def end(self) -> Rounds | None:
        """Begin no further round, and return those that are about to end; None for none."""
        with self._guard:
            rounds, self.rounds = self.rounds, None
        if rounds is not None:
            rounds.stop()
        return rounds

    def stop(self, patience: Seconds) -> None:
        """End, and wait until the last round is over, so many seconds at most."""
        rounds = self.end()
        if rounds is not None:
            rounds.join(patience)

    async def astop(self, patience: Seconds) -> None:
        """Do the same on an event loop."""
        rounds = self.end()
        if rounds is not None:
            await asyncio.to_thread(rounds.join, patience)

    def reset(self) -> None:
        """Know nothing of the thread that a child does not have."""
        self._guard = threading.Lock()
        self.rounds = None
        self._restart()


_lazy: Final[weakref.WeakSet[LazyRounds]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for lazy in list(_lazy):
        lazy.reset()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)
