"""SIGTERM, held back for a while. ``service.sessions`` says what is done meanwhile.

It works where a server takes the signal by ``signal.signal``, as uvicorn and gunicorn do. One whose
event loop or whose core takes it, as hypercorn or granian, ends as if this were not there.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from sessile.core.value import Seconds

_SIGNAL: Final = signal.SIGTERM

_SAME: Final[Seconds] = 2.0
"""For how long another signal is the first one again: where all processes of a server get it at
once, the server's parent hands it on to those that have it already."""


class TermSignal:
    """Holds the signal back once; a later one goes on at once, from whomever it is.

    Args:
        delay: called on a thread of its own at the first signal, which goes on when it returns.
    """

    def __init__(self, delay: Callable[[], object]) -> None:
        self._delay = delay
        self._others: list[TermSignal] = []  # of other applications here; they drain as well
        self._former: Any = signal.SIG_DFL  # the newest handler that was there before ours
        self._pid = 0  # of the process that the signal came to
        self._came: Seconds = 0.0
        self._has_passed = False

    def hold(self) -> None:
        """Stand before the handler that there is. Harmless when repeated, and on other threads.

        A server may have put its own there since the last time.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        former = signal.getsignal(_SIGNAL)
        holder = getattr(former, "__self__", None)
        if former is None or holder is self:  # None is one that is not Python's
            return
        if isinstance(holder, TermSignal):
            holder.join(self)
            return
        self._former = former
        signal.signal(_SIGNAL, self._handle)

    def join(self, other: "TermSignal") -> None:
        """Have another one drain at the same signal."""
        if other not in self._others:
            self._others.append(other)

    def _handle(self, number: int, frame: Any) -> None:
        now = time.monotonic()
        if self._pid != os.getpid():
            self._pid, self._came, self._has_passed = os.getpid(), now, False
            if self._begin():
                return
        elif not self._has_passed and now - self._came < _SAME:
            return
        self._has_passed = True
        self._pass_on(number, frame)

    def _begin(self) -> bool:
        """Begin to drain; False where no thread is to be had, as under gevent in a handler."""
        try:
            threading.Thread(target=self._wait, name="sessile-drain", daemon=True).start()
        except Exception:  # noqa: BLE001  (whatever it is, the server is to end)
            return False
        return True

    def _wait(self) -> None:
        waits = [
            threading.Thread(target=each._delay, daemon=True)  # noqa: SLF001  (one of us)
            for each in (self, *self._others)
        ]
        for each in waits:
            each.start()
        for each in waits:
            each.join()
        if not self._has_passed:
            self._has_passed = True
            os.kill(os.getpid(), _SIGNAL)

    def _pass_on(self, number: int, frame: Any) -> None:
        if callable(self._former):
            self._former(number, frame)
        elif self._former is signal.SIG_DFL:
            signal.signal(_SIGNAL, signal.SIG_DFL)
            os.kill(os.getpid(), _SIGNAL)
