"""An event loop's connections to a Postgres server. ``wire.postgres.client`` keeps one lane a loop.

The loop calls us when a socket has something; whoever asked waits for a future. An act goes on when
nobody waits for it any more, so that its connection is good for the next one; at its deadline the
connection is given up.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, TypeAlias

from sessile.core.value import Seconds
from sessile.wire.postgres.addresses import HostAddresses
from sessile.wire.postgres.connection import PostgresConnection
from sessile.wire.postgres.endpoint import ServerError
from sessile.wire.postgres.opening import Awaited, PostgresServer
from sessile.wire.postgres.statement import Query, Row
from sessile.wire.postgres.waiting import wait

Waiter: TypeAlias = "asyncio.Future[list[list[Row]]]"


_REST: Final[Seconds] = 0.01
"""How long a connection is at rest that is not asked whether it is good: a loop that is at work has
looked by then."""


class _Pending:
    """Some queries, and the future of their rows."""

    __slots__ = ("connection", "queries", "timer", "waiter")

    def __init__(self, queries: Sequence[Query], waiter: Waiter) -> None:
        self.queries = queries
        self.waiter = waiter
        self.connection: PostgresConnection | None = None
        self.timer: asyncio.TimerHandle

    def fail(self, error: BaseException) -> None:
        """Tell whoever waits."""
        self.timer.cancel()
        if not self.waiter.done():
            self.waiter.set_exception(error)


class PostgresLane:
    """Connections to one database, for the tasks of one loop.

    Args:
        server: the database.
        addresses: finds its hosts.
        loop: the running one.
    """

    def __init__(
        self, server: PostgresServer, addresses: HostAddresses, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._server = server
        self._addresses = addresses
        self._loop = loop
        self._idle: list[PostgresConnection] = []
        self._pending: dict[PostgresConnection, _Pending] = {}
        self._queue: deque[_Pending] = deque()
        self._opening = 0  # connections
        self._tasks: set[asyncio.Task[None]] = set()  # so that none is collected while it runs
        self._closed = False

    def submit(self, queries: Sequence[Query], deadline: Seconds) -> Waiter:
        """Begin an act; return the future of the rows of each query, by a deadline on the timer.

        It ends in ``ServerError`` where the server refused, and in an ``OSError`` where it was not
        answered in time, or the connection broke.
        """
        act = _Pending(queries, self._loop.create_future())
        act.timer = self._loop.call_later(deadline - self._server.timer(), self._give_up, act)
        connection = self._take()
        if connection is not None:
            self._start(connection, act)
        else:
            self._queue.append(act)
            self._open_more()
        return act.waiter

    def close(self) -> None:
        """Close every connection; one that is in use is closed when its act is over."""
        self._closed = True
        self.close_idle()

    def close_idle(self) -> None:
        """Close what is at rest; the next act opens a new connection."""
        while self._idle:
            self._drop(self._idle.pop())

    def _take(self) -> PostgresConnection | None:
        while self._idle:
            connection = self._idle.pop()
            rest = self._server.timer() - connection.heard
            is_long = rest > self._server.endpoint.most_idle
            if rest <= _REST or not (is_long or wait(connection.fd)):
                return connection
            self._drop(connection)
        return None

    def _start(self, connection: PostgresConnection, act: _Pending) -> None:
        act.connection = connection
        self._pending[connection] = act
        try:
            connection.send(act.queries, prepares=self._server.prepares)
        except ConnectionError as error:
            self._break(connection, error)
            return
        if connection.unsent:
            self._loop.add_writer(connection.fd, self._advance, connection)

    def _advance(self, connection: PostgresConnection) -> None:
        """Go on with a connection whose socket has something; one that is at rest is given up."""
        act = self._pending.get(connection)
        if act is None:
            self._idle.remove(connection)
            self._drop(connection)
            return
        try:
            was_unsent = connection.unsent
            done = connection.advance()
            if was_unsent and not connection.unsent:
                self._loop.remove_writer(connection.fd)
            if not done:
                return
            rows = connection.rows()
        except (ConnectionError, ServerError) as error:
            self._break(connection, error)
            return
        act.timer.cancel()
        if not act.waiter.done():  # else cancelled: its answer is read, and thrown away
            act.waiter.set_result(rows)
        del self._pending[connection]
        self._give_back(connection)

    def _give_back(self, connection: PostgresConnection) -> None:
        while self._queue:
            act = self._queue.popleft()
            if not act.waiter.done():
                self._start(connection, act)
                return
            act.timer.cancel()
        self._idle.append(connection)
        if self._closed:
            self.close_idle()

    def _break(self, connection: PostgresConnection, error: Exception) -> None:
        act = self._pending.pop(connection)
        self._drop(connection)
        act.fail(error)
        self._open_more()

    def _drop(self, connection: PostgresConnection) -> None:
        self._loop.remove_reader(connection.fd)
        self._loop.remove_writer(connection.fd)
        connection.close()

    def _give_up(self, act: _Pending) -> None:
        """Let an act be, whose time is over."""
        endpoint = self._server.endpoint
        if act.connection is None:
            message = endpoint.busy_message() if self._pending else endpoint.timeout_message()
            act.fail(TimeoutError(message))
            return
        self.close_idle()  # what swallowed this may swallow more
        self._break(act.connection, TimeoutError(endpoint.timeout_message()))

    def _open_more(self) -> None:
        """Open connections for those that wait, as far as there may be more."""
        while self._queue and self._queue[0].waiter.done():
            self._queue.popleft().timer.cancel()
        there = len(self._pending) + len(self._idle) + self._opening
        if self._opening < len(self._queue) and there < self._server.endpoint.most:
            self._opening += 1
            task = self._loop.create_task(self._open())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open(self) -> None:
        """Open a connection for the first who waits; where none can be, tell all of them."""
        try:
            connection = await self._connect()
        except OSError as error:
            self._opening -= 1
            self._addresses.expire()
            if not self._pending:  # else one of those at work will serve them
                self._fail_all(error)
            return
        except BaseException:
            self._opening -= 1
            raise
        self._opening -= 1
        self._loop.add_reader(connection.fd, self._advance, connection)
        self._give_back(connection)

    async def _connect(self) -> PostgresConnection:
        server = self._server
        deadline = server.timer() + server.connect_limit
        addresses = await self._addresses.find_on_loop(server.hosts(), deadline - server.timer())
        opening = server.open(addresses, deadline)
        try:
            awaited = next(opening)
            while True:
                awaited = opening.send(await self._wait(awaited))
        except StopIteration as end:
            connection: PostgresConnection = end.value
            return connection
        finally:
            opening.close()

    def _fail_all(self, error: OSError) -> None:
        queue, self._queue = self._queue, deque()
        for act in queue:
            act.fail(type(error)(str(error)))

    async def _wait(self, awaited: Awaited) -> bool:
        ready = self._loop.create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        add = self._loop.add_writer if awaited.writable else self._loop.add_reader
        remove = self._loop.remove_writer if awaited.writable else self._loop.remove_reader
        add(awaited.fd, wake)
        try:
            async with asyncio.timeout(max(awaited.until - self._server.timer(), 0.0)):
                await ready
        except TimeoutError:
            return False
        finally:
            remove(awaited.fd)
        return True
