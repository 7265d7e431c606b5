"""A connection on an event loop. ``wire.commands.pipeline`` opens it and owns it.

The server answers in order, so the oldest unanswered command owns the next reply.
"""

import asyncio
from collections import deque
from typing import Any, Protocol, TypeAlias, cast

from sessile.core.value import Seconds
from sessile.wire.commands.repeat import Repeat, Repeated
from sessile.wire.commands.server import INCOMPLETE, CommandError, Language, ProtocolError
from sessile.wire.opaque import Opaque

Waiter: TypeAlias = "asyncio.Future[Any]"


class ConnectionOwner(Protocol):
    """Handles what goes wrong."""

    def handle_error_reply(
        self, connection: "LoopConnection", command: "Command", error: CommandError
    ) -> None:
        """Answer a command that the server refused."""

    def handle_disconnect(self, connection: "LoopConnection", cause: BaseException) -> None:
        """Answer the connection's waiters. It may be called twice for one connection."""


class Command:
    """A packed command and the future of its reply.

    Attributes:
        deadline: on the loop's clock.
        repeat: whether it may be sent once more.
        route: what ``wire.redis.reroute`` knows of where else it may be sent; None for nowhere.
        is_told: whether it was, and whoever asked is to know.
    """

    __slots__ = ("deadline", "is_told", "packed", "repeat", "route", "waiter")

    def __init__(
        self,
        packed: Opaque,
        waiter: Waiter,
        deadline: Seconds,
        repeat: Repeat = Repeat.NEVER,
        route: object = None,
    ) -> None:
        self.packed = packed
        self.waiter = waiter
        self.deadline = deadline
        self.repeat = repeat
        self.route = route
        self.is_told = False

    def mark_repeated(self) -> None:
        """Note that it is sent a second time, which is the last one."""
        self.is_told = self.repeat is Repeat.TOLD
        self.repeat = Repeat.NEVER


class LoopConnection(asyncio.Protocol):
    """One connection, from its first byte to its last.

    Args:
        owner: handles what goes wrong.
        language: of the server there.
        loop: the running loop.

    Attributes:
        unanswered: commands that were sent and not answered, the oldest first.
        waiting_since: when the oldest of them came to be the next one to be answered; on the
            loop's clock.
        heard: when it was opened, or something came over it; on the loop's clock.
        error: why it is no good any more, or None.
        closed: done when it is closed.
    """

    def __init__(
        self, owner: ConnectionOwner, language: Language, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.unanswered: deque[Command] = deque()
        self.waiting_since: Seconds = 0.0
        self.heard: Seconds = loop.time()
        self.error: Exception | None = None
        self.closed: asyncio.Future[None] = loop.create_future()
        self._owner = owner
        self._language = language
        self._fits = language.fits
        self._time = loop.time
        self._reader = language.new_reader()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it

    @property
    def is_open(self) -> bool:
        """Whether what is sent now can arrive; false as soon as the server hung up."""
        return not self._transport.is_closing()

    def rest(self) -> Seconds:
        """Return for how long it has had nothing to do."""
        return 0.0 if self.unanswered else self._time() - self.heard

    def send(self, commands: list[Command]) -> None:
        """Send commands in one write."""
        if not self.unanswered:
            self.waiting_since = self._time()
        self.unanswered.extend(commands)
        self._transport.write(b"".join([command.packed for command in commands]))

    def data_received(self, data: bytes) -> None:
        """Hand each reply to the oldest command."""
        unanswered, reader, self.heard = self.unanswered, self._reader, self._time()
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not INCOMPLETE:
                if not unanswered:  # a server says unasked why it hangs up: too many clients, ...
                    is_reason = isinstance(reply, CommandError)
                    self._fail(reply if is_reason else ConnectionError(self._language.not_spoken))
                    return
                if (
                    self._fits is not None
                    and type(reply) is not CommandError
                    and not self._fits(unanswered[0].packed, reply)
                ):
                    self._fail(ConnectionError(self._language.not_spoken))
                    return
                command = unanswered.popleft()
                if unanswered:
                    self.waiting_since = self._time()
                if (
                    command.waiter.done()
                ):  # cancelled, or too late; its reply is read, and thrown away
                    continue
                if type(reply) is CommandError:
                    self._owner.handle_error_reply(self, command, reply)
                elif command.is_told:
                    command.waiter.set_result(Repeated(reply))
                else:
                    command.waiter.set_result(reply)
        except ProtocolError as error:
            self._fail(ConnectionError(f"{self._language.not_spoken}: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner."""
        self.closed.set_result(None)
        self._fail(exc or ConnectionResetError("the server closed the connection"))

    def _fail(self, cause: Exception) -> None:
        self.error = self.error or cause  # the first is the reason, what follows is its consequence
        self.abort()
        self._owner.handle_disconnect(self, cause)

    def take_unanswered(self) -> list[Command]:
        """Remove the unanswered commands and return them; the caller answers them now."""
        unanswered = list(self.unanswered)
        self.unanswered.clear()
        return unanswered

    def abort(self) -> None:
        """Close at once, without sending what is still buffered."""
        self._transport.abort()
