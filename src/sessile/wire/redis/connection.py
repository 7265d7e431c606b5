"""A connection to Redis on an event loop. ``wire.redis.pipeline`` opens it and owns it.

Redis answers in order, so the oldest command under way owns the next reply.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeAlias, cast

import hiredis

from sessile.wire.redis.endpoint import Refusal, Words

Waiter: TypeAlias = "asyncio.Future[Any]"

pack: Final = cast("Callable[[Words], bytes]", hiredis.pack_command)
"""Return a command's bytes."""

_MORE: Final = object()
_ODD: Final = "its answer is not the Redis protocol"


class Owner(Protocol):
    """Who hears of what goes wrong."""

    def refused(self, connection: "Connection", waiter: Waiter, refusal: Refusal) -> None:
        """Hear of an error reply."""

    def lost(self, connection: "Connection", cause: BaseException) -> None:
        """Hear, perhaps twice, that the connection broke."""


class Command:
    """A packed command and who waits for its reply.

    Attributes:
        deadline: on the loop's clock.
        again: it may be asked once more, for it changes nothing.
    """

    __slots__ = ("again", "deadline", "packed", "waiter")

    def __init__(self, packed: bytes, waiter: Waiter, deadline: float, *, again: bool) -> None:
        self.packed = packed
        self.waiter = waiter
        self.deadline = deadline
        self.again = again


class Connection(asyncio.Protocol):
    """One connection, from its first byte to its last.

    Args:
        line: hears what goes wrong.
        loop: the running loop.

    Attributes:
        owed: commands that were sent and not answered, the oldest first.
        broken: why it is no good any more, or None.
        gone: done when it is closed.
    """

    def __init__(self, line: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self.owed: deque[Command] = deque()
        self.broken: Exception | None = None
        self.gone: asyncio.Future[None] = loop.create_future()
        self._line = line
        self._reader = hiredis.Reader(replyError=Refusal, notEnoughData=_MORE)
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it

    @property
    def open(self) -> bool:
        """Whether what is sent now can arrive; false as soon as the server hung up."""
        return not self._transport.is_closing()

    def send(self, commands: list[Command]) -> None:
        """Send commands in one write."""
        self.owed.extend(commands)
        self._transport.write(b"".join([command.packed for command in commands]))

    def data_received(self, data: bytes) -> None:
        """Hand each reply to the oldest command."""
        owed, reader = self.owed, self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _MORE:
                if not owed:
                    self._break(reply if isinstance(reply, Refusal) else ConnectionError(_ODD))
                    return
                waiter = owed.popleft().waiter
                if waiter.done():
                    continue
                if type(reply) is Refusal:
                    self._line.refused(self, waiter, reply)
                else:
                    waiter.set_result(reply)
        except hiredis.ProtocolError as error:
            self._break(ConnectionError(f"{_ODD}: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the line."""
        self.gone.set_result(None)
        self._break(exc or ConnectionResetError("the server closed the connection"))

    def _break(self, cause: Exception) -> None:
        self.broken = self.broken or cause
        self.drop()
        self._line.lost(self, cause)

    def cleared(self) -> list[Command]:
        """Return what it owes, and owe it no more."""
        owed = list(self.owed)
        self.owed.clear()
        return owed

    def drop(self) -> None:
        """Close at once, without farewell."""
        self._transport.abort()
