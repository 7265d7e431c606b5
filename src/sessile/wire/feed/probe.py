"""A probe: asks a store whether it answers, on a thread of its own, while its feed is silent.

A feed that is late says nothing of its store. A store that says nothing is found out by waiting:
whoever asks waits for its whole time limit. So a thread asks for all, again and again until there
is an answer, and readers know what came of it last. It is the store that fails or answers, by its
own time limit: one that is slow, or a process that is busy, is no outage.
"""

import threading
from collections.abc import Callable
from typing import Final

from sessile.core.value import Seconds
from sessile.errors import StoreUnavailable
from sessile.wire import system

GOOD_FOR: Final[Seconds] = 2.0
"""Seconds after which a failure says nothing any more, whatever holds the thread up."""

_PAUSE: Final[Seconds] = 0.2
"""Seconds between a failure and the next question."""


class Probe:
    """Asks one store.

    Args:
        ask: waits for an answer of the store; fails as its acts do.
        timer: seconds by a clock that never runs backwards.
    """

    def __init__(
        self, ask: Callable[[], object], *, timer: Callable[[], Seconds] = system.timer
    ) -> None:
        self._ask = ask
        self._timer = timer
        self.reset()

    def reset(self) -> None:
        """Begin anew, in a forked child, which has no thread of its parent's."""
        self._thread: threading.Thread | None = None
        self._wanted = threading.Event()
        self.forget()

    def start(self) -> None:
        """Ask until there is an answer, unless that is so already."""
        self._wanted.set()
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="sessile-probe", daemon=True)
            self._thread = thread
            try:
                thread.start()
            except RuntimeError:  # there can be no more threads: readers find out by themselves
                self._thread = None

    def forget(self) -> None:
        """Know nothing, and ask no more: the store was heard of."""
        self._wanted.clear()
        self._failed: tuple[Seconds, Seconds] | None = None  # when it was asked, and had failed

    def ask(self) -> bool:
        """Ask once; tell whether the store has failed."""
        asked = self._timer()
        try:
            self._ask()
        except StoreUnavailable:
            self._failed = asked, self._timer()
            return True
        self._failed = None
        return False

    def has_failed(self, heard: Seconds) -> bool:
        """Tell whether the store has failed the last question, a moment ago.

        Args:
            heard: when the store was heard of; what was asked before says nothing.
        """
        failed = self._failed
        return failed is not None and failed[0] > heard and self._timer() - failed[1] <= GOOD_FOR

    def _run(self) -> None:
        rest = threading.Event()
        try:
            while self._wanted.is_set() and self.ask():
                rest.wait(_PAUSE)
        except Exception:  # noqa: BLE001  (a store that is closed, or no store: readers are told)
            self._failed = None
        finally:
            self._thread = None
