"""SIGTERM, held back for a while. ``service.sessions`` says what is done meanwhile.

It works where a server takes the signal by ``signal.signal``, as uvicorn and gunicorn do. One whose
event loop or whose core takes it, as hypercorn or granian, ends as if this were not there.
"""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any, Final

_SIGNAL: Final = signal.SIGTERM


class TermSignal:
    """Holds the signal back once; a second one goes on at once, from whomever it is.

    Args:
        delay: called on a thread of its own at the first signal, which goes on when it returns.
    """

    def __init__(self, delay: Callable[[], object]) -> None:
        self._delay = delay
        self._former: list[Any] = []  # the handlers before ours, newest last
        self._pid = 0  # of the process that the signal came to

    def hold(self) -> None:
        """Stand before the handler that there is. Harmless when repeated, and on other threads.

        A server may have put its own there since the last time.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        former = signal.getsignal(_SIGNAL)
        if former is None or former == self._handle:  # None is one that is not Python's
            return
        self._former.append(former)
        signal.signal(_SIGNAL, self._handle)

    def _handle(self, number: int, frame: Any) -> None:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            threading.Thread(target=self._wait, name="sessile-drain", daemon=True).start()
        else:
            self._pass_on(number, frame)

    def _wait(self) -> None:
        self._delay()
        os.kill(os.getpid(), _SIGNAL)

    def _pass_on(self, number: int, frame: Any) -> None:
        former = self._former.pop() if len(self._former) > 1 else self._former[0]
        if callable(former):
            former(number, frame)
        elif former is signal.SIG_DFL:
            signal.signal(_SIGNAL, signal.SIG_DFL)
            os.kill(os.getpid(), _SIGNAL)
