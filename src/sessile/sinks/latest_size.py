"""The size of a store as it was lately, for ``sinks.measures``: many scrapes ask the store rarely.

The store is asked on a thread, within its own time limit. Whoever scrapes waits for the answer, but
never on the thread of an event loop, which has requests to serve: there the answer is the one that
the scrape before has asked for.
"""

import asyncio
import threading
from typing import Final

from sessile.core.flow import run
from sessile.core.value import Seconds
from sessile.service.context import Context
from sessile.service.size import measure
from sessile.stores.contract import StoreSize

FRESH: Final[Seconds] = 15.0
"""For how long the store is not asked again."""

OLDEST: Final[Seconds] = 300.0
"""How old an answer may be; in Prometheus, too, a series is over then."""

PATIENCE: Final[Seconds] = 2.0
"""How long a scrape waits for the store."""


class LatestSize:
    """Knows how large a store was lately.

    Args:
        context: whose store.
    """

    __slots__ = ("_asked", "_context", "_found", "_thread")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._found: StoreSize | None = None
        self._asked = -float("inf")  # when the last answer came, by the timer
        self._thread: threading.Thread | None = None

    def __call__(self) -> StoreSize | None:
        """Return the size; None while the store does not answer, or says nothing of it."""
        if self._age() > FRESH:
            thread = self._ask()
            if thread is not None and not _is_on_event_loop():
                thread.join(PATIENCE)
        return self._found if self._age() <= OLDEST else None

    def _age(self) -> Seconds:
        return self._context.timer() - self._asked

    def _ask(self) -> threading.Thread | None:
        """Return the thread that asks; None where no thread can be started any more.

        No lock: two that ask at once harm nobody, and one that a fork took along would hold for
        good. A thread that a fork did not take along is not alive.
        """
        thread = self._thread
        if thread is None or not thread.is_alive():
            thread = threading.Thread(target=self._measure, name="sessile-size", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return None
            self._thread = thread
        return thread

    def _measure(self) -> None:
        try:
            self._found = run(measure(self._context.store))
        except Exception:  # noqa: BLE001  (whatever a store does wrong, the others are scraped)
            self._found = None
        self._asked = self._context.timer()


def _is_on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
