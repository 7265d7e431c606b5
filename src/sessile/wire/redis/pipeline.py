"""One event loop's commands to a Redis server. ``wire.redis.client`` keeps a pipeline per loop.

What the tasks of one turn of the loop ask leaves in one write, and the next turn does not wait for
its replies. Nothing runs in the background: replies are handed out where the loop reads them, and
a timer watches the oldest command.

A connection that broke, or left its oldest command without a reply, is dropped with all that is
unanswered and never read again: a late reply cannot reach a stranger. What was not sent yet goes
out on the next connection. Of what was sent, reads are sent once more if the connection broke.
Writes are not, because nobody can know whether the server performed them: they fail, and the caller
decides.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from functools import partial
from typing import Final

from sessile.errors import StoreClosed
from sessile.wire.redis.connection import Command, RedisConnection, Waiter, pack
from sessile.wire.redis.endpoint import ERROR_REPLIES, NOT_PRIMARY, CommandError, Endpoint

_BUSY_LOOP_ALLOWANCE: Final = 0.01
"""Seconds for a loop that somebody kept busy to send and read what it could not before."""


class Pipeline:
    """What one event loop asks of one server: unsent commands, the connection, and its opening.

    Args:
        endpoint: the server.
        loop: the running loop; every method is called on it.
    """

    def __init__(self, endpoint: Endpoint, loop: asyncio.AbstractEventLoop) -> None:
        self._endpoint = endpoint
        self._loop = loop
        self._timeout = endpoint.timeout
        self._unsent: list[Command] = []
        self._connection: RedisConnection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loop_finalizer: AsyncGenerator[None, None] | None = None
        self._closed = False

    def submit(self, packed: bytes, *, idempotent: bool) -> Waiter:
        """Return the future of a command's reply."""
        loop = self._loop
        waiter: Waiter = loop.create_future()
        # the limit counts from the asking, not from the sending: waiting for a connection is in it
        command = Command(packed, waiter, loop.time() + self._timeout, retryable=idempotent)
        if self._closed:
            self._fail([command], partial(StoreClosed, "Redis store"))
            return waiter
        if not self._unsent:  # the first of this turn: the others leave in the same write
            loop.call_soon(self._flush)
        self._unsent.append(command)
        if self._timer is None:
            self._timer = loop.call_at(command.deadline, self._check_deadline)
        return waiter

    def handle_error_reply(
        self, connection: RedisConnection, waiter: Waiter, error: CommandError
    ) -> None:
        """Answer a waiter with what an error reply means."""
        if error.code in ERROR_REPLIES:
            waiter.set_result(ERROR_REPLIES[error.code])
            return
        waiter.set_exception(self._endpoint.failure(error))
        if error.code in NOT_PRIMARY:
            connection.abort()

    def handle_disconnect(self, connection: RedisConnection, cause: BaseException) -> None:
        """Send reads once more, and fail the other commands of a connection that broke."""
        if connection is self._connection:
            self._connection = None
        unanswered = connection.take_unanswered()
        reads = [one for one in unanswered if one.retryable and not one.waiter.done()]
        self._fail(
            (command for command in unanswered if not command.retryable),
            partial(self._endpoint.failure, cause),
        )
        for command in reads:
            command.retryable = False
        if reads:
            self._unsent[:0] = reads
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Drop the connection; whoever waits gets ``StoreClosed``."""
        self._closed = True
        unsent, self._unsent = self._unsent, []
        closed = partial(StoreClosed, "Redis store")
        self._fail(unsent, closed)
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is not None:
            self._fail(self._connection.take_unanswered(), closed)
            self._connection.abort()
        if self._timer is not None:
            self._timer.cancel()

    async def aclose(self) -> None:
        """Close, and return when the connection is closed."""
        connection = self._connection
        self.close()
        if connection is not None:
            await connection.closed

    def _fail(self, commands: Iterable[Command], error: Callable[[], Exception]) -> None:
        for command in commands:
            if not command.waiter.done():
                command.waiter.set_exception(error())

    def _flush(self) -> None:
        """Send what is unsent, on a new connection if there is none."""
        if self._connection is not None and self._connection.is_open:
            batch = [command for command in self._unsent if not command.waiter.done()]
            self._unsent = []
            if batch:
                self._connection.send(batch)
        elif self._connecting is None and self._unsent:
            self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        """Open a connection, then send what is unsent; or fail it."""
        try:
            if self._loop_finalizer is None:
                self._loop_finalizer = self._close_with_loop()
                await anext(self._loop_finalizer)
            async with asyncio.timeout(self._endpoint.connect_timeout):
                connection = await self._open_connection()
        except BaseException as error:
            self._connecting = None
            unsent, self._unsent = self._unsent, []
            self._fail(unsent, partial(self._endpoint.failure, error))
            if not isinstance(error, Exception):
                raise
        else:
            self._connecting, self._connection = None, connection
            self._flush()

    async def _open_connection(self) -> RedisConnection:
        endpoint = self._endpoint
        protocol = partial(RedisConnection, self, self._loop)
        if endpoint.path is not None:
            _, connection = await self._loop.create_unix_connection(protocol, endpoint.path)
        else:
            context = None if endpoint.tls is None else endpoint.tls.context
            _, connection = await self._loop.create_connection(
                protocol, endpoint.host, endpoint.port, ssl=context
            )
        try:
            for words in endpoint.handshake:
                waiter: Waiter = self._loop.create_future()
                # no deadline of its own: ``_connect`` limits the handshake as a whole
                connection.send([Command(pack(words), waiter, 0.0, retryable=False)])
                await waiter
        except BaseException:
            connection.abort()
            raise
        if connection.error is not None:  # it broke before ``_connect`` could hand it over
            raise connection.error
        return connection

    async def _close_with_loop(self) -> AsyncGenerator[None, None]:
        """Close the connection with the loop: ``asyncio.run`` and its like end generators first."""
        try:
            yield
        finally:
            await self.aclose()

    def _oldest(self) -> Command | None:
        if self._connection is not None and self._connection.unanswered:
            return self._connection.unanswered[0]
        return self._unsent[0] if self._unsent else None

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
        """Drop the connection if the late command is still unanswered; fail what is overdue."""
        if late is self._oldest():
            timeout = TimeoutError(self._endpoint.timeout_message())
            overdue = [c for c in self._unsent if c.deadline <= self._loop.time()]
            self._unsent = [c for c in self._unsent if c not in overdue]
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.abort()
                overdue += connection.take_unanswered()
            self._fail(overdue, partial(self._endpoint.failure, timeout))
            self._flush()
        self._check_deadline()
