"""The session of an ASGI request, which may be open for long: its application can watch it.

``web.asgi`` and ``web.websocket`` end streams and WebSockets by themselves; this is for what they
cannot know, as a subscription that an application holds for its client.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final, TypeVar

from sessile.core.flow import arun
from sessile.core.identity import Intent
from sessile.core.life import Life, open_life
from sessile.core.session import Session
from sessile.core.state import SessionState
from sessile.errors import ConfigError
from sessile.service.alive import is_alive
from sessile.service.context import Context
from sessile.service.watch import watch
from sessile.web.interruptible import Interruptible
from sessile.web.watch_scope import WatchScope

T = TypeVar("T")

_UNSTORED: Final = (
    "the session that this request begins is not stored before its answer leaves, so nobody can "
    "watch it yet: watch it in the answer's stream, or in another request"
)
_END: Final = object()


class AsgiSession(Session):
    """The session of an ASGI request, and what else can be asked of it while that is open.

    Args:
        state: what the service knows of it.
        context: the collaborators.
    """

    __slots__ = ("_context",)
    _context: Context

    def __init__(self, state: SessionState, context: Context) -> None:
        # as Session does, in one call: every request makes one
        object.__setattr__(self, "_held", state)
        object.__setattr__(self, "_context", context)

    async def alive(self) -> bool:
        """Ask the store whether the session still lives, as it is stored, and change nothing.

        It asks each time. One that goes on under another id, as after a step-up, is found for two
        minutes: ``watch`` does not lose it.

        Raises:
            StoreUnavailable: the store did not answer, so nobody can tell.
        """
        return await arun(is_alive(self._context, self._held))

    def watch(self) -> WatchScope:
        """Return a block that is cancelled once the session has ended: ``async with ...watch():``.

        It is told within a second, whoever ended the session on whatever server, where the store
        tells its changes, else within ``?watch=`` seconds of the store's URL. Then the block is
        cancelled, as by ``asyncio.timeout``, and ``SessionEnded`` is raised at its end. A visitor
        who has no session is never told. It is no sign of life. A ``yield`` in the block would
        cancel whoever it yields to: in a generator take ``until_ended``.

        Raises:
            ConfigError: the session begins in this request and is not stored yet, as after a login.
        """
        return WatchScope(self._context, self._life())

    async def wait_ended(self) -> None:
        """Return once the session has ended. See ``watch``.

        Raises:
            ConfigError: the session begins in this request and is not stored yet.
        """
        over, life = asyncio.Event(), self._life()
        watched = None if life is None else watch(self._context, life, over.set)
        try:
            await over.wait()
        finally:
            if watched is not None:
                watched.stop()

    async def until_ended(self, source: AsyncIterable[T]) -> AsyncIterator[T]:
        """Yield what a source yields, until it or the session has ended. See ``watch``.

        As in ``async for event in session.until_ended(events()):``. The source is closed with it.

        Raises:
            ConfigError: the session begins in this request and is not stored yet.
        """
        life, items = self._life(), aiter(source)
        following: Interruptible[T | object] = Interruptible(lambda: anext(items, _END))
        watched = (
            None if life is None else watch(self._context, life, lambda: following.interrupt(_END))
        )
        try:
            while (item := await following.call()) is not _END:
                yield item  # type: ignore[misc]  # what the source yields
        finally:
            if watched is not None:
                watched.stop()
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()

    def _life(self) -> Life | None:
        state = self._held
        if not (state.undecided or state.is_stored or state.intent is Intent.LOGOUT):
            raise ConfigError(_UNSTORED)
        return open_life(self._context.policy, state)
