"""The feed of what is in this process: whoever changes it tells, by a call."""

import threading
import weakref
from collections.abc import Callable
from typing import Final

from sessile.core.ticket import Key
from sessile.core.value import Seconds
from sessile.wire.feed.connection import Heard

MOST_KEPT: Final = 10_000
"""Keys that are kept for a connection that is not asked; beyond, anything may have changed."""


class LocalFeed:
    """Tells its connections what changed."""

    __slots__ = ("_connections",)

    def __init__(self) -> None:
        # a list, for one thread may open while another tells
        self._connections: list[weakref.ref[LocalConnection]] = []

    def open(self, timer: Callable[[], Seconds]) -> "LocalConnection":
        """Return a connection that is told from now on."""
        connection = LocalConnection(timer)
        self._connections.append(weakref.ref(connection, self._connections.remove))
        return connection

    def tell(self, key: str) -> None:
        """Tell that a record was changed, or is gone. Call it after that is to be seen."""
        if self._connections:
            for connection in self._open_connections():
                connection.put(Key(key))

    def tell_anything(self) -> None:
        """Tell that any record may have changed."""
        for connection in self._open_connections():
            connection.put_anything()

    def _open_connections(self) -> list["LocalConnection"]:
        found = (ref() for ref in self._connections.copy())
        return [connection for connection in found if connection is not None]


class LocalConnection:
    """What one listener has not been told yet.

    Args:
        timer: seconds by a clock that never runs backwards.
    """

    def __init__(self, timer: Callable[[], Seconds]) -> None:
        self._timer = timer
        self._changed = threading.Condition()
        self._keys: dict[Key, None] = {}
        self._anything = False

    def put(self, key: Key) -> None:
        """Keep a key until it is told."""
        with self._changed:
            self._keys[key] = None
            if len(self._keys) > MOST_KEPT:
                self._keys.clear()
                self._anything = True
            self._changed.notify()

    def put_anything(self) -> None:
        """Keep in mind that anything may have changed."""
        with self._changed:
            self._anything = True
            self._changed.notify()

    def wait(self, seconds: Seconds) -> Heard:
        """Wait for something new, so long at most."""
        with self._changed:
            self._changed.wait_for(lambda: self._keys or self._anything, seconds)
            heard = Heard(tuple(self._keys), self._anything, self._timer())
            self._keys, self._anything = {}, False
        return heard

    def close(self) -> None:
        """Keep nothing more."""
        self._keys.clear()
