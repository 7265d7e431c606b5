"""One lasting thread that makes calls which may hang, one at a time. For ``wire.embedded.calls``.

A hand-over and its answer cost 20 µs between threads that are awake, 100 µs where both have slept;
a thread for each call would cost three times that. Nothing can take a thread out of a call that
hangs, so nobody has to wait for its end, not even the interpreter: the thread is a daemon.
"""

import asyncio
import os
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeVar

R = TypeVar("R")


class Occupied(Exception):  # noqa: N818  (caught by whoever asks)
    """The thread is at work on another call."""


class Errand(Generic[R]):
    """A call under way in the thread. If nobody waits for it, nobody hears what became of it.

    A lock that is held until it is done: a ``Future`` would cost as much again as the hand-over.
    """

    __slots__ = ("_call", "_error", "_result", "_wake", "busy")

    def __init__(self, call: Callable[[], R]) -> None:
        self.busy = threading.Lock()
        self.busy.acquire()
        self._call = call
        self._error: BaseException | None = None
        self._wake: Callable[[], object] = bool

    def perform(self) -> None:
        """Make the call, here, and tell whoever waits."""
        try:
            self._result = self._call()
        except BaseException as error:  # noqa: BLE001  (whoever waits is told)
            self._error = error
        self.busy.release()
        with suppress(RuntimeError):  # the loop is closed
            self._wake()

    def wait(self, seconds: float) -> R:
        """Wait on this thread, and return what the call did.

        Raises:
            TimeoutError: it is not done yet.
        """
        if not self.busy.acquire(timeout=max(0.0, seconds)):
            raise TimeoutError
        self.busy.release()
        if self._error is not None:
            raise self._error
        return self._result

    async def await_(self, seconds: float) -> R:
        """Wait, as ``wait`` does, and leave the event loop to others meanwhile."""
        event = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._wake = lambda: loop.call_soon_threadsafe(event.set)
        if self.busy.locked():  # looked at after the thread was told whom to wake
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), seconds)
        return self.wait(0)


class Helper:
    """The thread, which begins with the first call and ends with this object."""

    __slots__ = ("__weakref__", "_busy", "_errands", "_lock")

    def __init__(self) -> None:
        self.reset()
        _helpers.add(self)

    def reset(self) -> None:
        """Forget, in a forked child, the thread that it does not have."""
        self._lock = threading.Lock()
        self._busy: threading.Lock | None = None  # the latest errand's
        self._errands: SimpleQueue[Errand[Any] | None] | None = None

    def start(self, call: Callable[[], R]) -> Errand[R]:
        """Begin a call in the thread.

        Raises:
            Occupied: another one is under way; nothing was done.
        """
        errand = Errand(call)
        with self._lock:
            if self._busy is not None and self._busy.locked():
                raise Occupied
            if self._errands is None:
                self._errands = self._begin()
            self._busy = errand.busy
            self._errands.put(errand)
        return errand

    def end(self) -> None:
        """End the thread when it has done what it does; a later call begins another."""
        with self._lock:
            errands, self._errands = self._errands, None
        if errands is not None:
            errands.put(None)

    def _begin(self) -> "SimpleQueue[Errand[Any] | None]":
        errands: SimpleQueue[Errand[Any] | None] = SimpleQueue()
        threading.Thread(target=_work, args=(errands,), name="sessile-file", daemon=True).start()
        weakref.finalize(self, errands.put, None).atexit = False
        return errands


def _work(errands: "SimpleQueue[Errand[Any] | None]") -> None:
    while (errand := errands.get()) is not None:
        errand.perform()
        del errand  # with what it read


_helpers: Final[weakref.WeakSet[Helper]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for helper in list(_helpers):
        helper.reset()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)
