"""One event loop's line to a Redis server. ``wire.redis.client`` keeps one for each loop.

What the tasks of one turn of the loop ask leaves in one write, and the next turn does not wait for
its answers. Nothing runs in the background: replies are handed out where the loop reads them, and
a timer watches the oldest command.

A connection that broke, or left its oldest command without an answer, is dropped with all it owes
and never read again: a late answer cannot reach a stranger. What was not sent yet goes out on the
next connection. Of what was sent, reads are asked once more if the connection broke. Writes are
not, because nobody can know whether the server performed them: they fail, and the caller decides.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from functools import partial
from typing import Final

from sessile.errors import StoreClosed
from sessile.wire.redis.connection import Command, Connection, Waiter, pack
from sessile.wire.redis.endpoint import ANSWERS, DEMOTED, Endpoint, Refusal

_LAST_CHANCE: Final = 0.01
"""Seconds for a loop that somebody kept busy to send and read what it could not before."""


class Line:
    """What one event loop asks of one server: what waits, what is under way, and who dials.

    Args:
        endpoint: the server.
        loop: the running loop; every method is called on it.
    """

    def __init__(self, endpoint: Endpoint, loop: asyncio.AbstractEventLoop) -> None:
        self._endpoint = endpoint
        self._loop = loop
        self._timeout = endpoint.timeout
        self._waiting: list[Command] = []
        self._connection: Connection | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._life: AsyncGenerator[None, None] | None = None
        self._ended = False

    def ask(self, packed: bytes, *, again: bool) -> Waiter:
        """Return the future of a command's reply."""
        loop = self._loop
        waiter: Waiter = loop.create_future()
        command = Command(packed, waiter, loop.time() + self._timeout, again=again)
        if self._ended:
            self._fail([command], partial(StoreClosed, "Redis store"))
            return waiter
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append(command)
        if self._watch is None:
            self._watch = loop.call_at(command.deadline, self._look)
        return waiter

    def refused(self, connection: Connection, waiter: Waiter, refusal: Refusal) -> None:
        """Tell a waiter what an error reply means."""
        if refusal.code in ANSWERS:
            waiter.set_result(ANSWERS[refusal.code])
            return
        waiter.set_exception(self._endpoint.failure(refusal))
        if refusal.code in DEMOTED:
            connection.drop()

    def lost(self, connection: Connection, cause: BaseException) -> None:
        """Ask reads once more, and fail the other commands of a connection that broke."""
        if connection is self._connection:
            self._connection = None
        owed = connection.cleared()
        reads = [command for command in owed if command.again and not command.waiter.done()]
        self._fail(
            (command for command in owed if not command.again),
            partial(self._endpoint.failure, cause),
        )
        for command in reads:
            command.again = False
        if reads:
            self._waiting[:0] = reads
            self._loop.call_soon(self._flush)

    def end(self) -> None:
        """Drop the connection; whoever waits hears ``StoreClosed``."""
        self._ended = True
        waiting, self._waiting = self._waiting, []
        closed = partial(StoreClosed, "Redis store")
        self._fail(waiting, closed)
        if self._dialling is not None:
            self._dialling.cancel()
        if self._connection is not None:
            self._fail(self._connection.cleared(), closed)
            self._connection.drop()
        if self._watch is not None:
            self._watch.cancel()

    async def ended(self) -> None:
        """End, and return when the connection is closed."""
        connection = self._connection
        self.end()
        if connection is not None:
            await connection.gone

    def _fail(self, commands: Iterable[Command], error: Callable[[], Exception]) -> None:
        for command in commands:
            if not command.waiter.done():
                command.waiter.set_exception(error())

    def _flush(self) -> None:
        """Send what waits, on a new connection if there is none."""
        if self._connection is not None and self._connection.open:
            batch = [command for command in self._waiting if not command.waiter.done()]
            self._waiting = []
            if batch:
                self._connection.send(batch)
        elif self._dialling is None and self._waiting:
            self._dialling = self._loop.create_task(self._dial())

    async def _dial(self) -> None:
        """Connect and greet, then send what waits; or fail it."""
        try:
            if self._life is None:
                self._life = self._until_the_loop_ends()
                await anext(self._life)
            async with asyncio.timeout(self._endpoint.connect_timeout):
                connection = await self._connect()
        except BaseException as error:
            self._dialling = None
            waiting, self._waiting = self._waiting, []
            self._fail(waiting, partial(self._endpoint.failure, error))
            if not isinstance(error, Exception):
                raise
        else:
            self._dialling, self._connection = None, connection
            self._flush()

    async def _connect(self) -> Connection:
        endpoint = self._endpoint
        protocol = partial(Connection, self, self._loop)
        if endpoint.path is not None:
            _, connection = await self._loop.create_unix_connection(protocol, endpoint.path)
        else:
            context = None if endpoint.tls is None else endpoint.tls.context
            _, connection = await self._loop.create_connection(
                protocol, endpoint.host, endpoint.port, ssl=context
            )
        try:
            for words in endpoint.greeting:
                waiter: Waiter = self._loop.create_future()
                connection.send([Command(pack(words), waiter, 0.0, again=False)])
                await waiter
        except BaseException:
            connection.drop()
            raise
        if connection.broken is not None:
            raise connection.broken
        return connection

    async def _until_the_loop_ends(self) -> AsyncGenerator[None, None]:
        """Close the connection with the loop: ``asyncio.run`` and its like end generators first."""
        try:
            yield
        finally:
            await self.ended()

    def _oldest(self) -> Command | None:
        if self._connection is not None and self._connection.owed:
            return self._connection.owed[0]
        return self._waiting[0] if self._waiting else None

    def _look(self) -> None:
        """Set the timer for the oldest command, or give a late one its last chance."""
        oldest = self._oldest()
        if oldest is None:
            self._watch = None
        elif oldest.deadline > self._loop.time():
            self._watch = self._loop.call_at(oldest.deadline, self._look)
        else:
            self._watch = self._loop.call_later(_LAST_CHANCE, self._judge, oldest)

    def _judge(self, late: Command) -> None:
        """Drop the connection that still owes the late command; fail what is overdue."""
        if late is self._oldest():
            silence = TimeoutError(self._endpoint.silence())
            overdue = [c for c in self._waiting if c.deadline <= self._loop.time()]
            self._waiting = [c for c in self._waiting if c not in overdue]
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.drop()
                overdue += connection.cleared()
            self._fail(overdue, partial(self._endpoint.failure, silence))
            self._flush()
        self._look()
