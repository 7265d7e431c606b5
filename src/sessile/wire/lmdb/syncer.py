"""The thread that makes sync points, beside the requests. For ``wire.lmdb.holder``.

A second after a write it waits for the disk (``wire.lmdb.syncpoint``), sooner after many writes,
and so on as long as there is something new. No request waits with it. A process that has not
written for a minute lets go of its sync point, so that others may use again what they have freed
since; its next write waits for a new one.
"""

import contextlib
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sessile.wire.embedded.calls import FileLocked

EVERY: Final = 1.0
"""Seconds from a write until it is synced, and between two sync points."""

MANY: Final = 1000
"""Writes of a process after which it does not wait for the second to be over. The pages of each,
some 20 KB, are not used again before."""

IDLE: Final = 60.0
"""Seconds without a write after which a process lets go of its sync point."""

_ATTEMPTS: Final = 200
_PAUSE: Final = 0.001  # seconds between them; a write is done in 20 µs

_LONG: Final = 60.0  # seconds between two looks whether anybody still needs the thread


@dataclass(slots=True)
class _Signals:
    """What the thread waits for."""

    wake: threading.Event = field(default_factory=threading.Event)  # something was written
    hurry: threading.Event = field(default_factory=threading.Event)  # much was
    stop: threading.Event = field(default_factory=threading.Event)

    def end(self) -> None:
        """Let the thread sync once more, and end."""
        for event in (self.stop, self.hurry, self.wake):
            event.set()


class Syncer:
    """The thread of one file; it begins with the first write.

    Args:
        sync: a method that makes a sync point if there is something new, and tells whether to look
            again though nothing is written here.
        on_failure: hears why the disk did not take it.
        every: seconds between two.
        many: writes between two.
    """

    __slots__ = ("_every", "_left", "_lock", "_many", "_on_failure", "_signals", "_sync", "_thread")

    def __init__(
        self,
        sync: Callable[[], bool],
        on_failure: Callable[[OSError], object],
        every: float = EVERY,
        many: int = MANY,
    ) -> None:
        self._sync = weakref.WeakMethod(sync)
        self._on_failure = on_failure
        self._every = every
        self._many = self._left = many
        self.reset()

    def reset(self) -> None:
        """Forget, in a forked child, the thread that it does not have."""
        self._lock = threading.Lock()
        self._signals = _Signals()
        self._thread: threading.Thread | None = None

    def note(self, number: int = 1) -> None:
        """Hear of writes."""
        signals = self._signals
        self._left -= number
        if self._left <= 0:
            self._left = self._many
            signals.hurry.set()
        if not signals.wake.is_set():
            signals.wake.set()
            if self._thread is None:
                self._begin()

    def end(self, patience: float = 0.0) -> None:
        """End the thread, which syncs once more; wait for it so many seconds."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._signals.end()
            self._signals = _Signals()
        if thread is not None and patience:
            thread.join(patience)

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                words = (self._sync, self._on_failure, self._signals, self._every)
                self._thread = threading.Thread(
                    target=_work, args=words, name="sessile-sync", daemon=True
                )
                self._thread.start()


def _work(
    method: "weakref.WeakMethod[Callable[[], bool]]",
    on_failure: Callable[[OSError], object],
    signals: _Signals,
    every: float,
) -> None:
    """Sync a while after each write, until the file's holder is gone, or the end."""
    look_again = False
    while not signals.stop.is_set():
        woken = signals.wake.wait(every if look_again else _LONG)
        if woken or look_again:
            signals.hurry.wait(every)
        signals.wake.clear()
        signals.hurry.clear()
        sync = method()
        if sync is None:
            return
        try:
            look_again = (woken or look_again) and _insist(sync)
        except FileLocked:
            signals.wake.set()  # after the next pause
        except OSError as error:
            on_failure(error)
            return
        del sync


def _insist(sync: Callable[[], bool]) -> bool:
    """Sync as soon as somebody else's sync, or write, is over."""
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(FileLocked):
            return sync()
        time.sleep(_PAUSE)
    return sync()
