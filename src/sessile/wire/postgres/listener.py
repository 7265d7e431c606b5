"""A connection of a thread's own, on which the server speaks unasked. ``feed`` hears it.

It is in no pool: whoever listens keeps it, and one process of the server's with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sessile.core.value import Seconds
from sessile.wire.postgres.addresses import HostAddresses
from sessile.wire.postgres.blocking import connect, exchange
from sessile.wire.postgres.connection import Notification
from sessile.wire.postgres.endpoint import ServerError
from sessile.wire.postgres.opening import PostgresServer
from sessile.wire.postgres.statement import Query, Row
from sessile.wire.postgres.waiting import wait


class PostgresListener:
    """One connection, connected where this returns. After an error it is of no more use.

    Args:
        server: the database.
        addresses: finds its hosts.

    Raises:
        StoreUnavailable: none of the servers serves us.
    """

    def __init__(self, server: PostgresServer, addresses: HostAddresses) -> None:
        self._server = server
        self._is_asked = False
        with self.failures():
            self._connection = connect(server, addresses, self._deadline())

    @property
    def limit(self) -> Seconds:
        """The seconds within which the server has to answer."""
        return self._server.endpoint.timeout

    @property
    def backend_pid(self) -> int:
        """The number of the server's process, or the one that a pooler makes up."""
        return self._connection.backend_pid

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Turn what goes wrong into ``StoreUnavailable``."""
        try:
            yield
        except (OSError, ServerError) as error:
            raise self._server.endpoint.failure(error) from error

    def ask(self, *queries: Query) -> list[list[Row]]:
        """Return the rows of each query of an act, which is one transaction.

        Raises:
            StoreUnavailable: it was refused, or not answered in time.
        """
        with self.failures():
            return exchange(
                self._server, self._connection, queries, self._deadline(), prepares=False
            )

    def send(self, query: Query) -> None:
        """Send a query, whose rows ``receive`` returns at last.

        Raises:
            ConnectionError: the connection is broken.
        """
        self._connection.send([query], prepares=self._server.prepares)
        self._is_asked = True

    def receive(self) -> tuple[list[Row] | None, list[Notification]]:
        """Return the rows of the query, once they are there, and what we were notified of.

        Raises:
            ServerError: the server refused the query.
            ConnectionError: the connection is broken.
        """
        rows: list[Row] | None = None
        if not self._is_asked:
            self._connection.receive()
        elif self._connection.advance():
            self._is_asked = False
            (rows,) = self._connection.rows()
        return rows, self._connection.notifications()

    def wait(self, seconds: Seconds) -> None:
        """Wait until there may be something, or so long."""
        wait(self._connection.fd, writable=self._connection.unsent, within=seconds)

    def close(self) -> None:
        """Close it at once, on the thread that uses it. Harmless when repeated."""
        self._connection.close()

    def _deadline(self) -> Seconds:
        return self._server.timer() + self.limit
