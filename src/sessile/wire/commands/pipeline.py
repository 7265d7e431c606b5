"""One event loop's commands to a server. A client keeps pipelines per loop.

What the tasks of one turn of the loop ask leaves in one write, and the next turn does not wait for
its replies. Nothing runs in the background: replies are handed out where the loop reads them, and
a timer watches the oldest command.

A command that is late fails alone. Its connection goes on as long as it answers the others: its
reply, when it comes, is thrown away. A connection that broke, or answered nothing for half a time
limit, is dropped and never read again: a late reply cannot reach a stranger. What was not sent yet
goes out on the next connection. Of what was sent, that goes out once more which can be told apart
from its first time (``Repeat``) and still has time. The rest fails, because nobody can know
whether the server performed it, and the caller decides.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from functools import partial
from typing import Final, TypeAlias

from sessile.core.value import Seconds
from sessile.errors import StoreClosed
from sessile.wire.commands.connection import Command, LoopConnection, Waiter
from sessile.wire.commands.repeat import Repeat, Repeated
from sessile.wire.commands.server import CommandError, Language, Server
from sessile.wire.opaque import Opaque
from sessile.wire.resolver import Resolver

_BUSY_LOOP_ALLOWANCE: Final = 0.01
"""Seconds for a loop that somebody kept busy to send and read what it could not before."""

Rescue: TypeAlias = Callable[[Command, Exception], bool]
"""Takes over a command with a route that was not performed; false leaves it to fail."""


def leave(command: Command, error: Exception) -> bool:  # noqa: ARG001
    """Leave it to fail."""
    return False


class Pipeline:
    """What one event loop asks of one server: unsent commands, the connection, and its opening.

    Args:
        server: where it is, and its limits.
        language: how it is spoken to.
        resolver: finds its addresses.
        loop: the running loop; every method is called on it.
        rescue: of a node of a cluster, which others can stand in for.
    """

    def __init__(
        self,
        server: Server,
        language: Language,
        resolver: Resolver,
        loop: asyncio.AbstractEventLoop,
        rescue: Rescue = leave,
    ) -> None:
        self._server = server
        self._language = language
        self._resolver = resolver
        self._loop = loop
        self._rescue = rescue
        self._timeout = server.timeout
        self._unsent: list[Command] = []
        self._connection: LoopConnection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop_finalizer: AsyncGenerator[None, None] | None = None
        self._closed = False

    def submit(self, packed: Opaque, repeat: Repeat, route: object = None) -> Waiter:
        """Return the future of a command's reply."""
        loop = self._loop
        waiter: Waiter = loop.create_future()
        # the limit counts from the asking, not from the sending: waiting for a connection is in it
        self.add(Command(packed, waiter, loop.time() + self._timeout, repeat, route))
        return waiter

    def add(self, command: Command) -> None:
        """Send a command, directly behind the one that was added before it."""
        if self._closed:
            self._fail([command], partial(StoreClosed, self._language.store))
            return
        if not self._unsent:  # the first of this turn: the others leave in the same write
            self._loop.call_soon(self._flush)
        self._unsent.append(command)
        if self._timer is None:
            self._timer = self._loop.call_at(command.deadline, self._check_deadline)

    def handle_error_reply(
        self, connection: LoopConnection, command: Command, error: CommandError
    ) -> None:
        """Answer a command with what an error reply means."""
        if command.route is not None and self._rescue(command, error):
            return
        if error.code in self._language.answers:
            reply = self._language.answers[error.code]
            command.waiter.set_result(Repeated(reply) if command.is_told else reply)
            return
        command.waiter.set_exception(self._server.failure(error))
        if error.code in self._language.farewells:
            self._resolver.expire()
            connection.abort()

    def handle_disconnect(self, connection: LoopConnection, cause: BaseException) -> None:
        """Send once more what may be, and fail the other commands of a connection that broke."""
        if connection is self._connection:
            self._connection = None
        now, unanswered = self._loop.time(), connection.take_unanswered()
        again = [
            command
            for command in unanswered
            if command.repeat is not Repeat.NEVER
            and command.deadline > now
            and not command.waiter.done()
        ]
        kept = set(map(id, again))
        self._fail(
            (command for command in unanswered if id(command) not in kept),
            partial(self._server.failure, cause),
        )
        for command in again:
            command.mark_repeated()
        if again:
            self._unsent[:0] = again
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Drop the connection; whoever waits gets ``StoreClosed``."""
        self._closed = True
        unsent, self._unsent = self._unsent, []
        closed = partial(StoreClosed, self._language.store)
        self._fail(unsent, closed)
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is not None:
            self._fail(self._connection.take_unanswered(), closed)
            self._connection.abort()
        if self._timer is not None:
            self._timer.cancel()

    async def aclose(self) -> None:
        """Close, and return when the connection is closed, one that is being opened included."""
        connection, connecting = self._connection, self._connecting
        self.close()
        if connecting is not None:
            await asyncio.wait([connecting])
        if connection is not None:
            await connection.closed

    def _fail(self, commands: Iterable[Command], error: Callable[[], Exception]) -> None:
        for command in commands:
            if not command.waiter.done():
                command.waiter.set_exception(error())

    def _flush(self) -> None:
        """Send what is unsent, on a new connection if there is none."""
        connection = self._connection
        if connection is not None and connection.rest() > self._server.most_idle:
            self._connection = None
            connection.abort()
        if self._connection is not None and self._connection.is_open:
            self._send_unsent(self._connection)
        elif self._connecting is None and self._unsent:
            self._connecting = self._loop.create_task(self._connect())

    def _send_unsent(self, connection: LoopConnection) -> None:
        batch = [command for command in self._unsent if not command.waiter.done()]
        self._unsent = []
        if not batch:
            return
        if connection.rest() >= self._server.doubt:
            self._loop.call_later(self._timeout / 2, self._doubt, connection, connection.heard)
        connection.send(batch)

    async def _connect(self) -> None:
        """Open a connection, then send what is unsent; or fail it."""
        try:
            if self._loop_finalizer is None:
                self._loop_finalizer = self._close_with_loop()
                await anext(self._loop_finalizer)
            async with asyncio.timeout(self._server.connect_timeout):
                connection = await self._open_connection()
        except BaseException as error:
            self._connecting = None
            self._resolver.expire()
            unsent, self._unsent = self._unsent, []
            if isinstance(error, Exception):
                unsent = [c for c in unsent if c.route is None or not self._rescue(c, error)]
            self._fail(unsent, partial(self._server.failure, error))
            if not isinstance(error, Exception):
                raise
        else:
            self._connecting, self._connection = None, connection
            self._send_unsent(connection)

    async def _open_connection(self) -> LoopConnection:
        connection = await self._reach()
        try:
            for packed in self._language.handshake():
                waiter: Waiter = self._loop.create_future()
                # no deadline of its own: ``_connect`` limits the handshake as a whole
                connection.send([Command(packed, waiter, 0.0)])
                self._language.check_greeting(await waiter)
        except BaseException:
            connection.abort()
            raise
        if connection.error is not None:  # it broke before ``_connect`` could hand it over
            raise connection.error
        return connection

    async def _reach(self) -> LoopConnection:
        """Return a connection to the first address that takes one; each has its share of time."""
        server, loop = self._server, self._loop
        make = partial(LoopConnection, self, self._language, loop)
        if server.path is not None:
            return (await loop.create_unix_connection(make, server.path))[1]
        context = server.context
        addresses = await self._resolver.resolve_on_loop(server.connect_timeout)
        name = None if context is None else addresses.name
        share = server.connect_timeout / len(addresses)
        for number, (address, port) in enumerate(addresses, start=1):
            try:
                async with asyncio.timeout(share):
                    _, connection = await loop.create_connection(
                        make, address, port, ssl=context, server_hostname=name
                    )
            except OSError:
                if number == len(addresses):
                    raise
            else:
                return connection
        raise ConnectionError(f"{server.target} has no address")

    async def _close_with_loop(self) -> AsyncGenerator[None, None]:
        """Close the connection with the loop: ``asyncio.run`` and its like end generators first."""
        try:
            yield
        finally:
            await self.aclose()

    def _oldest(self) -> Command | None:
        """Return the oldest command that somebody waits for."""
        sent = () if self._connection is None else self._connection.unanswered
        for commands in (sent, self._unsent):
            for command in commands:
                if not command.waiter.done():
                    return command
        return None

    def _check_deadline(self) -> None:
        """Set the timer for the oldest command, or allow a late one a last moment.

        The loop may have been busy with somebody's slow code until after the deadline, with the
        reply unread in the socket: that is not the server's fault.
        """
        oldest = self._oldest()
        if oldest is None:
            self._timer = None
        elif oldest.deadline > self._loop.time():
            self._timer = self._loop.call_at(oldest.deadline, self._check_deadline)
        else:
            self._timer = self._loop.call_later(_BUSY_LOOP_ALLOWANCE, self._time_out, oldest)

    def _time_out(self, late: Command) -> None:
        """Fail what is overdue, if the late command still is; drop a connection that is silent."""
        if not late.waiter.done():
            now, connection = self._loop.time(), self._connection
            sent = () if connection is None else connection.unanswered
            timeout = TimeoutError(self._server.timeout_message())
            if late.route is not None:
                self._rescue(late, timeout)
            self._fail(
                (command for command in (*sent, *self._unsent) if command.deadline <= now),
                partial(self._server.failure, timeout),
            )
            self._unsent = [command for command in self._unsent if not command.waiter.done()]
            if connection and sent and connection.waiting_since <= now - self._timeout / 2:
                self._give_up(connection)
        self._check_deadline()

    def _doubt(self, connection: LoopConnection, heard: Seconds) -> None:
        """Give up a connection that has been silent since its rest, if all can be sent again."""
        waiting = connection.unanswered
        is_silent = connection is self._connection and connection.heard == heard and waiting
        if is_silent and all(command.repeat is not Repeat.NEVER for command in waiting):
            self._give_up(connection)

    def _give_up(self, connection: LoopConnection) -> None:
        self._connection = None
        connection.abort()
        self.handle_disconnect(connection, TimeoutError(self._server.silence_message()))
        self._flush()
