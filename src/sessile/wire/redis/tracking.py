"""Connections to which a Redis server tells which keys are changed: client tracking, broadcast.

The server tells the names of all keys that begin with a prefix, whoever changes them and however: a
command, a script, an expiry, an eviction. Writers send nothing more for it. Redis, "Client-side
caching"; RESP3's push frames carry it beside the replies.

Heartbeat. The server answers commands of one turn of its loop first, and tells what was changed in
that turn at its end. So the answer to a PING may overtake what was changed just before it. The next
PING is not sent before that answer is here, so it comes in a later turn: its answer vouches for all
that was changed before the PING *before* it was sent.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import hiredis
import msgspec

from sessile.core.value import Seconds
from sessile.wire.commands.blocking import BlockingConnection
from sessile.wire.commands.pool import ConnectionPool
from sessile.wire.commands.server import CommandError
from sessile.wire.feed.connection import BEAT
from sessile.wire.opaque import Opaque
from sessile.wire.redis.endpoint import Endpoint
from sessile.wire.redis.resp import RESP, handshake, pack, refuse_replica
from sessile.wire.resolver import Resolver

_PING: Final = Opaque(pack(("PING",)))
_INVALIDATE: Final = b"invalidate"


class InvalidationConnection:
    """A connection over which a server names changed keys, beside the answers to what it is asked.

    Args:
        endpoint: the server.
        resolver: finds its addresses.
        prefix: what the keys begin with.
        timer: seconds by a clock that never runs backwards.

    Raises:
        CommandError: the server refused us.
        OSError: it was not reached in time.
    """

    def __init__(
        self, endpoint: Endpoint, resolver: Resolver, prefix: str, timer: Callable[[], Seconds]
    ) -> None:
        self.endpoint = endpoint
        self._timer = timer
        self._connection = _connect(endpoint, resolver, prefix, timer)

    def fileno(self) -> int:
        """Return the number of its file, to wait for several of them."""
        return self._connection.fileno()

    def send(self, packed: Opaque) -> None:
        """Send a command, whose reply ``receive`` returns.

        Raises:
            OSError: the connection broke, or takes no more in time.
        """
        self._connection.send(packed, self._timer() + self.endpoint.timeout)

    def receive(self, until: Seconds) -> Any:
        """Return the next ``Invalidation``, or reply.

        Args:
            until: on the timer; a time that is over returns only what was received already.

        Raises:
            CommandError: the server refuses us from now on.
            OSError: the connection broke.
            TimeoutError: nothing whole is there yet.
        """
        said = self._connection.receive(until)
        if isinstance(said, CommandError):
            raise said
        if isinstance(said, hiredis.PushNotification):
            kind, *rest = said
            return Invalidation(rest[0] if kind == _INVALIDATE else [])
        return said

    def close(self) -> None:
        """Close it. Harmless when repeated."""
        self._connection.close()


class Invalidation(msgspec.Struct, frozen=True):
    """What a server says unasked.

    Attributes:
        names: of keys that were changed; None where the server emptied a database.
    """

    names: list[bytes] | None


class TrackingConnection:
    """Hears of the keys of one server, and of its heartbeat.

    Args:
        connection: to the server.
        timer: seconds by a clock that never runs backwards.
    """

    def __init__(self, connection: InvalidationConnection, timer: Callable[[], Seconds]) -> None:
        self._connection = connection
        self._timer = timer
        self._asked: Seconds | None = None  # when the PING was sent whose answer is awaited
        self._before: Seconds | None = None  # and the one before it, which was answered

    def wait(self, seconds: Seconds) -> tuple[list[bytes] | None, Seconds | None]:
        """Wait for the names of changed keys, so long at most; and for what time they vouch.

        The names are None where any key may have been changed.

        Raises:
            CommandError: the server refuses us from now on.
            OSError: it answers no more.
        """
        endpoint = self._connection.endpoint
        if self._asked is None and (self._before is None or self._timer() >= self._before + BEAT):
            self._asked = self._timer()
            self._connection.send(_PING)
        until = self._timer() + seconds
        if self._asked is None:
            assert self._before is not None
            until = min(until, self._before + BEAT)
        names: list[bytes] | None = []
        try:
            said = self._connection.receive(until)
        except TimeoutError:
            if self._asked is not None and self._timer() > self._asked + endpoint.timeout:
                raise TimeoutError(endpoint.timeout_message()) from None
            return names, None
        if isinstance(said, Invalidation):
            return said.names, None
        as_of, self._before, self._asked = self._before, self._asked, None
        return names, as_of

    def close(self) -> None:
        """Close it. Harmless when repeated."""
        self._connection.close()


def _connect(
    endpoint: Endpoint, resolver: Resolver, prefix: str, timer: Callable[[], Seconds]
) -> BlockingConnection:
    """Return a connection that speaks RESP3, and is told of the keys with that prefix."""
    language = replace(
        RESP,
        handshake=lambda: [
            *handshake(endpoint),
            Opaque(pack(("HELLO", 3))),
            Opaque(pack(("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", prefix))),
        ],
        check_greeting=refuse_replica,
    )
    pool = ConnectionPool(endpoint, language, resolver, timer=timer)
    return pool.connect(timer() + endpoint.timeout)
