"""A client of one Postgres database: acts as Asks. ``stores.postgres`` says which.

Threads have a pool (``postgres.pool``), every event loop a lane (``postgres.lane``). The errors of
either become ``StoreUnavailable``.

Forks: the pool notices one by the process id. In a child no loop is running, so it begins with a
new loop, and that with a new lane.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from sessile.core.flow import Ask
from sessile.core.value import Seconds
from sessile.errors import MissingExtra, StoreClosed
from sessile.wire import system
from sessile.wire.log import log_unprepared
from sessile.wire.per_loop import forget_closed
from sessile.wire.postgres.endpoint import (
    NOT_THERE,
    READ_ONLY,
    REPEATED,
    PostgresEndpoint,
    ServerError,
)
from sessile.wire.postgres.statement import Query, Row

try:
    from sessile.wire.postgres.addresses import HostAddresses
    from sessile.wire.postgres.lane import PostgresLane
    from sessile.wire.postgres.listener import PostgresListener
    from sessile.wire.postgres.opening import PostgresServer
    from sessile.wire.postgres.pool import PostgresPool
except ImportError as error:
    raise MissingExtra("PostgresStore", "postgres") from error

MOST_REPEATS: Final = 8
"""Times that an act is made again that the server has undone because of another one."""

_MOST_BREAKS: Final = 2
"""Times that an act which does no harm is made again because its connection broke."""


class PostgresClient:
    """Everything that this process asks of one Postgres database.

    Args:
        endpoint: the database.
        lookup: finds the addresses of a name, as ``socket.getaddrinfo`` does.
        timer: seconds by a clock that never runs backwards.

    Attributes:
        name: of the database, without credentials.
    """

    def __init__(
        self,
        endpoint: PostgresEndpoint,
        *,
        lookup: Callable[..., Any] = socket.getaddrinfo,
        timer: Callable[[], Seconds] = system.timer,
    ) -> None:
        self.name = endpoint.name
        self._endpoint = endpoint
        self._server = PostgresServer(endpoint, timer)
        self._places = HostAddresses(endpoint, timer, lookup)
        self._pool = PostgresPool(self._server, self._places)
        self._lanes: dict[asyncio.AbstractEventLoop, PostgresLane] = {}
        self._closed = False

    def ask(self, what: str, *queries: Query, is_harmless: bool = False) -> Ask[list[list[Row]]]:
        """Return the Ask for one act: its queries are one transaction, and go in one trip.

        Its answer has the rows of each query.

        Args:
            what: its name in traces.
            queries: those.
            is_harmless: whether it is made once more where its connection broke.

        Raises:
            StoreClosed: the client was closed.
        """
        self.check_open()
        return Ask(
            what,
            partial(self._block, queries, is_harmless),
            partial(self._wait, queries, is_harmless),
        )

    def open_listener(self) -> PostgresListener:
        """Connect, on this thread, and beside the pool.

        Raises:
            StoreUnavailable: none of the servers serves us.
            StoreClosed: the client was closed.
        """
        self.check_open()
        return PostgresListener(self._server, self._places)

    def check_open(self) -> None:
        """Do nothing if the client is open.

        Raises:
            StoreClosed: it was closed.
        """
        if self._closed:
            raise StoreClosed("Postgres store")

    def close(self) -> Ask[None]:
        """Return the Ask that closes every connection; harmless when repeated."""
        return Ask("postgres close", self._close)

    def _block(self, queries: Sequence[Query], is_harmless: bool) -> list[list[Row]]:
        deadline = self._deadline()
        for attempt in range(MOST_REPEATS):
            try:
                return self._pool.ask(queries, deadline)
            except (ServerError, OSError) as error:
                if not self._is_repeated(error, attempt, is_harmless):
                    failure = self._endpoint.failure(error)
                    break
        raise failure  # out here it has no other context than its cause

    async def _wait(self, queries: Sequence[Query], is_harmless: bool) -> list[list[Row]]:
        lane, deadline = self._lane(), self._deadline()
        for attempt in range(MOST_REPEATS):
            try:
                return await lane.submit(queries, deadline)
            except (ServerError, OSError) as error:
                if not self._is_repeated(error, attempt, is_harmless):
                    failure = self._endpoint.failure(error)
                    break
        raise failure

    def _deadline(self) -> Seconds:
        return self._server.timer() + self._endpoint.timeout

    def _is_repeated(self, error: BaseException, attempt: int, is_harmless: bool) -> bool:
        """Tell whether an act that failed is made again, and learn from how it did."""
        if attempt == MOST_REPEATS - 1:
            return False
        if isinstance(error, ServerError):
            if error.code == READ_ONLY:
                self._leave()
            if error.code in NOT_THERE and self._server.prepares:
                self._server.prepares = False
                log_unprepared(self.name)
            return error.code in REPEATED
        return is_harmless and attempt < _MOST_BREAKS and isinstance(error, ConnectionError)

    def _leave(self) -> None:
        """Give up what is at rest: the server is no primary now, and its name may lead to one."""
        self._places.expire()
        self._pool.close_idle()
        for loop, lane in list(self._lanes.items()):
            with contextlib.suppress(RuntimeError):  # it is closed
                loop.call_soon_threadsafe(lane.close_idle)

    def _lane(self) -> PostgresLane:
        loop = asyncio.get_running_loop()
        lane = self._lanes.get(loop)
        if lane is None:
            forget_closed(self._lanes)
            lane = self._lanes[loop] = PostgresLane(self._server, self._places, loop)
        return lane

    def _close(self) -> None:
        self._closed = True
        self._pool.close()
        for loop, lane in list(self._lanes.items()):
            if loop is _running_loop():
                lane.close()
                continue
            with contextlib.suppress(RuntimeError):  # it is closed
                loop.call_soon_threadsafe(lane.close)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    return asyncio._get_running_loop()  # noqa: SLF001  (as ``wire.event_loop``)
