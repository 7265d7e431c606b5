"""What is open to a client and ends with its session, or at a drain: a WebSocket, or a stream.

``service.watch`` tells when that is. ``web.websocket`` and ``web.exchange`` say what the client,
and the application, hear then.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple

from sessile.core.life import Life
from sessile.core.value import Seconds
from sessile.service.context import Context
from sessile.service.watch import watch
from sessile.service.watchers import Watch
from sessile.web.interruptible import Interruptible
from sessile.web.scope import Message, Send

PATIENCE: Final[Seconds] = 5.0
"""Seconds for a client that takes nothing to take our last word, once the application is done."""


class SessionGone(OSError):  # noqa: N818  (ASGI has an OSError say that a client has left)
    """Nothing is sent any more: the session has ended, or the server drains."""

    def __init__(self) -> None:
        super().__init__(
            "nothing can be sent any more: the session of this connection has ended, or its server "
            "drains"
        )


class Parting(NamedTuple):
    """How a connection ends.

    Attributes:
        last: the last word to the client.
        farewell: what the application receives then.
    """

    last: Message
    farewell: Message


class OpenConnection:
    """The way to and from one client, until its session has ended.

    Args:
        incoming: the server's ``receive``.
        send: the server's.
        end: how it ends with its session.
        leave: how it ends where the server drains; the client comes back to another one.
        is_last: tells whether a message is the application's own last word.
        raises: whether the application meets ``SessionGone`` when it sends more; else that is
            dropped, as servers of before ASGI 2.4 do.

    Attributes:
        has_ended: whether it is over by our last word.
    """

    __slots__ = (
        "_end", "_incoming", "_is_last", "_leave", "_parting", "_raises", "_send", "_sending",
        "_watch", "has_ended",
    )  # fmt: skip

    def __init__(
        self,
        incoming: Interruptible[Message],
        send: Send,
        *,
        end: Parting,
        leave: Parting,
        is_last: Callable[[Message], bool],
        raises: bool,
    ) -> None:
        self._incoming = incoming
        self._send = send
        self._end, self._leave = end, leave
        self._is_last = is_last
        self._raises = raises
        self._sending = asyncio.Lock()
        self._watch: Watch | None = None
        self._parting: asyncio.Task[None] | None = None
        self.has_ended = False

    def watch(self, context: Context, life: Life) -> None:
        """End with that session, or where the server drains."""
        self._watch = watch(
            context, life, partial(self._part, self._end), partial(self._part, self._leave)
        )

    async def send(self, message: Message) -> None:
        """Pass a message on, if the session lives.

        Raises:
            SessionGone: it does not.
        """
        async with self._sending:  # so that our last word comes behind what is on its way
            if not self.has_ended:
                if self._is_last(message):
                    self.release()
                await self._send(message)
            elif self._raises:
                raise SessionGone
            else:
                await asyncio.sleep(0)  # whoever sends for ever lets the others go on

    def release(self) -> None:
        """Watch no longer. Harmless when repeated."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None

    async def settle(self) -> None:
        """Return when the client has heard our last word, if there was one, or takes nothing."""
        if self._parting is not None:
            await asyncio.wait((self._parting,), timeout=PATIENCE)
            self._parting.cancel()

    def _part(self, way: Parting) -> None:
        self.has_ended = True
        self._watch = None
        self._incoming.interrupt(way.farewell)
        # in a task of its own: a client that takes nothing keeps nobody else waiting
        self._parting = asyncio.get_running_loop().create_task(self._say(way.last))

    async def _say(self, last: Message) -> None:
        async with self._sending:
            with suppress(Exception):  # the client has left, or the server stops
                await self._send(last)
