"""Connect, and ask, on this thread, by one deadline. ``pool`` and ``listener`` have connections."""

from collections.abc import Sequence

from sessile.core.value import Seconds
from sessile.wire.postgres.addresses import HostAddresses
from sessile.wire.postgres.connection import PostgresConnection
from sessile.wire.postgres.opening import PostgresServer
from sessile.wire.postgres.statement import Query, Row
from sessile.wire.postgres.waiting import wait


def connect(
    server: PostgresServer, addresses: HostAddresses, deadline: Seconds
) -> PostgresConnection:
    """Return a new connection to the server that serves us.

    Raises:
        OSError: there is none, or not in time.
    """
    deadline = min(deadline, server.timer() + server.connect_limit)
    places = addresses.find(server.hosts(), deadline - server.timer())
    opening = server.open(places, deadline)
    try:
        awaited = next(opening)
        while True:
            left = awaited.until - server.timer()
            ready = wait(awaited.fd, writable=awaited.writable, within=left)
            awaited = opening.send(ready)
    except StopIteration as end:
        connection: PostgresConnection = end.value
        return connection
    except OSError:
        addresses.expire()
        raise
    finally:
        opening.close()


def exchange(
    server: PostgresServer,
    connection: PostgresConnection,
    queries: Sequence[Query],
    deadline: Seconds,
    *,
    prepares: bool,
) -> list[list[Row]]:
    """Return the rows of each query of an act. Where it fails the connection is of no more use.

    Raises:
        ServerError: the server refused it, and nothing has happened.
        OSError: it was not answered in time, or the connection broke.
    """
    connection.send(queries, prepares=prepares)
    while True:
        left = deadline - server.timer()
        if not wait(connection.fd, writable=connection.unsent, within=left):
            raise TimeoutError(server.endpoint.timeout_message())
        if connection.advance():
            return connection.rows()
