"""The feed of ``redis://``: which of its keys are changed. ``wire.redis.tracking`` hears it."""

from collections.abc import Callable

from sessile.core.ticket import Key, is_key
from sessile.core.value import Seconds
from sessile.wire.commands.server import CommandError
from sessile.wire.feed.connection import Heard
from sessile.wire.redis.tracking import InvalidationConnection, TrackingConnection


class RedisFeed:
    """Keys of sessions, out of all names that the server tells.

    Args:
        connection: to the server.
        timer: as of the connection.
        prefix: of the store.
        generation: the key of its generation; whoever changes that ends everybody.
    """

    def __init__(
        self,
        connection: InvalidationConnection,
        timer: Callable[[], Seconds],
        prefix: str,
        generation: str,
    ) -> None:
        self._connection = TrackingConnection(connection, timer)
        self._endpoint = connection.endpoint
        self._start = len(prefix.encode())
        self._generation = generation.encode()

    def wait(self, seconds: Seconds) -> Heard:
        """Wait for something new, so long at most."""
        try:
            names, as_of = self._connection.wait(seconds)
        except (CommandError, OSError) as error:
            failure = self._endpoint.failure(error)
        else:
            if names is None or self._generation in names:
                return Heard(anything=True, as_of=as_of)
            found = (name[self._start :].decode("ascii", "replace") for name in names)
            return Heard(tuple(Key(key) for key in found if is_key(key)), as_of=as_of)
        raise failure  # out here it has no other context than its cause

    def close(self) -> None:
        """Close the connection. Harmless when repeated."""
        self._connection.close()
