"""Notice a file system that stalls, and make calls in a thread meanwhile. For ``wire.sqlite.file``.

A snapshot agent freezes it, a volume hangs, a disk takes its time to write a log back: a call that
takes microseconds does not come back for seconds. Nothing can take a thread out of it. But later
calls need not follow it: they are made one at a time, in a thread that is waited for no longer than
the time limit, until one of them is quick.
"""

import asyncio
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

R = TypeVar("R")

PATIENCE: Final = 0.25
"""Seconds that a call may take in place: ten thousand times what it takes."""


class Occupied(Exception):  # noqa: N818  (caught by whoever asks)
    """The thread is at work on another call."""


class Stall:
    """What is known of a file's calls, and one daemon thread at most for those that may hang.

    Attributes:
        running: when the call of each thread began that makes one in place.
        is_slow: whether the latest call that ended took too long.
    """

    __slots__ = ("__weakref__", "_call", "_lock", "is_slow", "running")

    def __init__(self) -> None:
        self.running: dict[int, float] = {}
        self.is_slow = False
        self._lock = threading.Lock()
        self._call: Future[Any] | None = None  # the last one that had the thread
        _stalls.add(self)

    def is_over(self, now: float) -> bool:
        """Tell whether a call that begins now may be made in place."""
        began = list(self.running.values())  # other threads come and go
        return not self.is_slow and now - min(began, default=now) < PATIENCE

    def run(self, call: Callable[[], R], deadline: float) -> R:
        """Make a call in the thread, and wait until then.

        One that is not done in time goes on, and nobody hears what became of it.

        Args:
            call: what to do.
            deadline: by ``time.monotonic``.

        Raises:
            Occupied: another call is under way; nothing was done.
            TimeoutError: it is not done yet.
        """
        return self._start(call).result(max(0.0, deadline - time.monotonic()))

    async def arun(self, call: Callable[[], R], deadline: float) -> R:
        """Make a call, as ``run`` does, and leave the event loop to others meanwhile."""
        future = asyncio.wrap_future(self._start(call))
        try:
            await asyncio.wait([future], timeout=max(0.0, deadline - time.monotonic()))
            if not future.done():
                raise TimeoutError
            return future.result()
        finally:
            future.cancel()  # nobody waits for it any more

    def _start(self, call: Callable[[], R]) -> Future[R]:
        future: Future[R] = Future()
        with self._lock:
            if self._call is not None and not self._call.done():
                raise Occupied
            self._call = future
        future.set_running_or_notify_cancel()
        work = (future, call)
        threading.Thread(target=_work, args=work, name="sessile-sqlite", daemon=True).start()
        return future

    def reset_after_fork(self) -> None:
        """Forget, in a forked child, the thread that it does not have."""
        self._lock = threading.Lock()
        self._call = None
        self.running.clear()


def _work(future: Future[R], call: Callable[[], R]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001  (whoever waits is told)
        future.set_exception(error)


_stalls: Final[weakref.WeakSet[Stall]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for stall in list(_stalls):
        stall.reset_after_fork()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)
