"""An event loop on a thread of its own, for ``wire.background.tasks`` where no loop is running."""

import asyncio
import contextlib
import threading
from collections.abc import Callable


class Background:
    """One loop on one daemon thread, from birth until ``stop`` or ``leave``.

    Args:
        name: the thread's.

    Raises:
        RuntimeError: no thread can be started (any more).
    """

    __slots__ = ("_over", "_thread", "loop")

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self.loop.close()
            raise

    def call(self, act: Callable[[], object]) -> None:
        """Call it on the loop, in a copy of the caller's context; the order is kept."""
        self.loop.call_soon_threadsafe(act)

    def leave(self) -> None:
        """Let the thread end by itself: it cancels what still runs, and closes its loop."""
        with contextlib.suppress(RuntimeError):  # it has ended
            self.call(self._over.set)

    def stop(self, patience: float) -> None:
        """Leave, and wait so many seconds for the thread's end."""
        self.leave()
        if threading.current_thread() is not self._thread:
            self._thread.join(patience)

    def _live(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._until_over())

    async def _until_over(self) -> None:
        await self._over.wait()
