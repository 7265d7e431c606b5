"""An event loop on a thread of its own, for ``wire.background.tasks`` where no loop is running."""

import asyncio
import contextlib
import threading
from collections.abc import Callable


class LoopThread:
    """One loop on one daemon thread, from construction until ``stop`` or ``stop_soon``.

    Args:
        name: the thread's.

    Raises:
        RuntimeError: no thread can be started (any more).
    """

    __slots__ = ("_stopping", "_thread", "loop")

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self.loop.close()
            raise

    def call_soon(self, function: Callable[[], object]) -> None:
        """Call it on the loop, in a copy of the caller's context; the order is kept."""
        self.loop.call_soon_threadsafe(function)

    def stop_soon(self) -> None:
        """Let the thread end by itself: it cancels what still runs, and closes its loop."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the thread has ended
            self.call_soon(self._stopping.set)

    def stop(self, timeout: float) -> None:
        """Stop, and wait so many seconds for the thread's end."""
        self.stop_soon()
        if threading.current_thread() is not self._thread:  # a thread cannot join itself
            self._thread.join(timeout)

    def _run(self) -> None:
        # a Runner cancels the remaining tasks and ends async generators before it closes the loop
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._wait_for_stop())

    async def _wait_for_stop(self) -> None:
        await self._stopping.wait()
