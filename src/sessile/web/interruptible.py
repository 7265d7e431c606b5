"""A call that waits, and is taken out of its wait once a session has ended.

``web.open_connection`` has the server's ``receive`` so, ``web.asgi_session`` an application's own
source of messages. It works by a cancellation, as ``asyncio.timeout`` does; the task goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_NOTHING: Final = object()


class Interruptible(Generic[T]):
    """A call that returns something else from a certain time on.

    Args:
        wait: the call.
    """

    __slots__ = ("_last", "_wait", "_waiting")

    def __init__(self, wait: Callable[[], Awaitable[T]]) -> None:
        self._wait = wait
        self._last: object = _NOTHING
        self._waiting: set[asyncio.Task[object]] = set()

    async def call(self) -> T:
        """Make the call; once it was interrupted, return its last result at once."""
        if self._last is _NOTHING:
            task = asyncio.current_task()
            assert task is not None
            cancels = task.cancelling()
            self._waiting.add(task)
            try:
                result = await self._wait()
            except asyncio.CancelledError:
                if self._last is _NOTHING or task.uncancel() > cancels:
                    raise  # somebody else's, with ours or without
            else:
                if self._last is _NOTHING:
                    return result
                task.uncancel()
            finally:
                self._waiting.discard(task)
        else:
            await asyncio.sleep(0)  # whoever asks for ever lets the others go on
        last: T = self._last  # type: ignore[assignment]  # what ``interrupt`` was given
        return last

    def interrupt(self, last: T) -> None:
        """Have every call return that, from now on, and those that wait as well."""
        self._last = last
        for task in self._waiting:
            task.cancel()
