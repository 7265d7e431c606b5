"""``async with session.watch():``, a block that ends with a session, as ``asyncio.timeout`` would.

``web.asgi_session`` makes them.
"""

import asyncio
from types import TracebackType
from typing import Self

from sessile.core.life import Life
from sessile.errors import SessionEnded
from sessile.service.context import Context
from sessile.service.watch import watch
from sessile.service.watchers import Watch


class WatchScope:
    """A block that is cancelled once a session has ended, and then raises ``SessionEnded``.

    Args:
        context: the collaborators.
        life: of the session; None for nobody's, which has no end.
    """

    __slots__ = ("_cancels", "_context", "_has_ended", "_life", "_task", "_watch")

    def __init__(self, context: Context, life: Life | None) -> None:
        self._context, self._life = context, life
        self._watch: Watch | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancels = 0
        self._has_ended = False

    async def __aenter__(self) -> Self:
        """Begin to watch."""
        task = self._task = asyncio.current_task()
        self._cancels = 0 if task is None else task.cancelling()
        if self._life is not None:
            self._watch = watch(self._context, self._life, self._end)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Watch no longer.

        Raises:
            SessionEnded: the block was cancelled for that, and for nothing else.
        """
        if self._watch is not None:
            self._watch.stop()
        if not self._has_ended or self._task is None:
            return
        is_ours = self._task.uncancel() <= self._cancels
        if is_ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise SessionEnded from error

    def _end(self) -> None:
        self._has_ended = True
        if self._task is not None:
            self._task.cancel()
