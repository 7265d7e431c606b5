"""A task of an event loop that does its work when it is due, and when it is woken.

For ``service.watchers``, which say how long to rest. Who rests for ever has no task.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context

from sessile.core.value import Seconds


class Ticker:
    """Goes its rounds on the running event loop.

    Args:
        go: one round; returns how long to rest after it, or None to rest until somebody wakes it.
    """

    __slots__ = ("_go", "_is_called", "_is_closed", "_loop", "_task", "_woken")

    def __init__(self, go: Callable[[], Awaitable[Seconds | None]]) -> None:
        self._go = go
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_called = False  # to wake, from another thread
        self._is_closed = False

    def wake(self) -> None:
        """Go a round soon. Call it on the loop's thread."""
        self._is_called = False
        self._woken.set()
        if self._task is None and not self._is_closed:
            # nothing of the request that happens to be under way belongs to it
            self._task = self._loop.create_task(
                self._run(), name="sessile-watch", context=Context()
            )

    def wake_from_thread(self) -> None:
        """Go a round soon. Call it on any thread."""
        if not self._is_called:
            self._is_called = True
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self.wake)

    def close(self) -> None:
        """End, soon. Call it on any thread."""
        self._is_closed = True
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._cancel)

    async def aclose(self) -> None:
        """End. Call it on the loop's thread."""
        self._is_closed = True
        task = self._task
        self._cancel()
        if task is not None:
            await asyncio.wait((task,))

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            rest: Seconds | None = 0.0
            while rest is not None or self._woken.is_set():
                self._woken.clear()
                rest = await self._go()
                if rest is not None:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(rest):
                            await self._woken.wait()
        finally:
            self._task = None
