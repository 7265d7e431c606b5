"""A probe: asks a store whether it answers, on a thread of its own, while its feed is silent.

A feed that is late says nothing of its store. A store that says nothing is found out by waiting:
whoever asks first waits for its whole time limit. So the follower asks, before a copy is too old
for its readers, and they know by then that there is nothing to wait for.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from sessile.core.value import Seconds
from sessile.errors import StoreClosed, StoreUnavailable
from sessile.wire import system

SOON: Final[Seconds] = 0.1
"""How long a store may take to answer a probe, while its feed is silent as well."""


class Probe:
    """Asks one store, one question at a time.

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
        """Know nothing, as when the store was heard of, or in a forked child."""
        self._asked: Seconds | None = None  # when, while there is no answer
        self._failed = False

    def start(self) -> None:
        """Ask, unless it is being asked."""
        if self._asked is None:
            self._asked = self._timer()
            thread = threading.Thread(target=self.wait, name="sessile-probe", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # there can be no more threads: readers find out by themselves
                self._asked = None

    def wait(self) -> None:
        """Wait for the answer; until the next one it is what is known."""
        failed = True
        try:
            with suppress(StoreUnavailable):
                self._ask()
                failed = False
        except StoreClosed:
            failed = False
        self._failed, self._asked = failed, None

    def is_unanswered(self) -> bool:
        """Tell whether the store has failed, or takes longer than it may."""
        asked = self._asked
        return self._failed or (asked is not None and self._timer() - asked >= SOON)
