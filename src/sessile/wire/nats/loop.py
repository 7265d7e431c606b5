"""The loop, on a thread of ours, that NATS is spoken on for other threads. ``wire.nats.client``."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any, Final, TypeVar

from sessile.core.value import Seconds
from sessile.errors import ConfigError, StoreClosed
from sessile.wire.background.loop import LoopThread
from sessile.wire.event_loop import green_threads

R = TypeVar("R")

_STOP_TIMEOUT: Final[Seconds] = 2.0


class NatsLoop:
    """A loop that is started when it is first needed, and takes nothing once it is to end.

    Args:
        name: of the store, for errors.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_closed = False
        self.reset()

    def reset(self) -> None:
        """Begin anew in a forked child, where the thread is not."""
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None

    def check_open(self) -> None:
        """Do nothing if it is open.

        Raises:
            StoreClosed: it was closed.
        """
        if self._is_closed:
            raise StoreClosed("NATS store")

    def perform(self, act: Coroutine[Any, Any, R], limit: Seconds) -> R:
        """Finish a coroutine on the loop; return its result, or raise what it raised.

        Raises:
            TimeoutError: it takes longer than so many seconds, and is cancelled.
            StoreClosed: the loop was closed, before or meanwhile.
            ConfigError: there are no threads here.
        """
        try:
            with self._lock:  # so that nothing begins behind the end
                future = asyncio.run_coroutine_threadsafe(act, self._start().loop)
        except BaseException:
            act.close()
            raise
        try:
            return future.result(limit)
        except CancelledError:  # by the end of the loop
            raise StoreClosed("NATS store") from None
        except BaseException:
            future.cancel()
            raise

    def post(self, function: Callable[[], object]) -> None:
        """Call a function on the loop, if that runs."""
        with self._lock:
            if self._thread is not None:
                self._thread.call_soon(function)

    def close(self, finish: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Finish a last coroutine on the loop, if that runs, and end it."""
        with self._lock:
            self._is_closed = True
            thread, self._thread = self._thread, None
        if thread is None:
            return
        with contextlib.suppress(TimeoutError, CancelledError):  # what it leaves ends with the loop
            asyncio.run_coroutine_threadsafe(finish(), thread.loop).result(_STOP_TIMEOUT)
        thread.stop(_STOP_TIMEOUT)

    def _start(self) -> LoopThread:
        self.check_open()
        if self._thread is None:
            green = green_threads()
            if green is not None:  # the loop would run on this very thread, and wait for itself
                raise ConfigError(
                    f"{self._name} needs threads, and {green} has replaced them: use another "
                    "server, as gunicorn with --threads, or another store"
                )
            self._thread = LoopThread("sessile nats")
        return self._thread
