"""Threads' connections to a Postgres server. ``wire.postgres.client`` keeps one pool of them.

A connection for each act under way, up to a number; those at rest wait for the next one, the latest
first. An act has one deadline, for waiting its turn, connecting, and its whole answer.
"""

import os
import threading
from collections import deque
from collections.abc import Sequence

from sessile.core.value import Seconds
from sessile.wire.postgres.addresses import HostAddresses
from sessile.wire.postgres.blocking import connect, exchange
from sessile.wire.postgres.connection import PostgresConnection
from sessile.wire.postgres.opening import PostgresServer
from sessile.wire.postgres.statement import Query, Row
from sessile.wire.postgres.waiting import wait

_inherited: list[PostgresConnection] = []
"""A parent's connections, in a forked child: referred to for ever, for to close one would end it
for the parent as well."""


class PostgresPool:
    """Connections to one database, for any number of threads. After a fork the child has none.

    Args:
        server: the database.
        addresses: finds its hosts.
    """

    def __init__(self, server: PostgresServer, addresses: HostAddresses) -> None:
        self._server = server
        self._addresses = addresses
        self._idle: deque[PostgresConnection] = deque()
        self._closed = False
        self._begin_process()

    def ask(self, queries: Sequence[Query], deadline: Seconds) -> list[list[Row]]:
        """Return the rows of each query of an act, by a deadline on the timer.

        Raises:
            ServerError: the server refused it, and nothing has happened.
            OSError: it was not answered in time, or the connection broke.
        """
        if self._pid != os.getpid():
            _inherited.extend(self._idle)
            self._idle = deque()
            self._begin_process()
        endpoint, timer = self._server.endpoint, self._server.timer
        if not self._room.acquire(timeout=max(deadline - timer(), 0.0)):
            raise TimeoutError(endpoint.busy_message())
        try:
            connection = self._take() or connect(self._server, self._addresses, deadline)
            prepares = self._server.prepares
            try:
                rows = exchange(self._server, connection, queries, deadline, prepares=prepares)
            except BaseException as error:
                connection.close()
                if isinstance(error, TimeoutError):
                    self.close_idle()  # what swallowed this may swallow more
                raise
            self._give_back(connection)
            return rows
        finally:
            self._room.release()

    def close(self) -> None:
        """Close every connection; one that is in use is closed when its act is over."""
        self._closed = True
        self.close_idle()

    def close_idle(self) -> None:
        """Close what is at rest; the next act opens a new connection."""
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:  # another thread was faster
                return

    def _begin_process(self) -> None:
        self._pid = os.getpid()
        self._room = threading.BoundedSemaphore(self._server.endpoint.most)

    def _take(self) -> PostgresConnection | None:
        """Return a connection that is at rest and still good."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # as above
                return None
            rest = self._server.timer() - connection.heard
            if rest <= self._server.endpoint.most_idle and not wait(connection.fd):
                return connection  # what has something to say at rest hangs up
            connection.close()
        return None

    def _give_back(self, connection: PostgresConnection) -> None:
        self._idle.append(connection)
        if self._closed:
            self.close_idle()
