"""The feed of a Postgres table, as one connection hears it. ``stores.postgres_feed`` opens it.

A trigger of the table notifies a channel of each key, within the transaction that changes its row.

The heartbeat is a notification of the connection's own, sent at a time ``t``. When it is back,
whatever was committed before ``t`` has been told. For Postgres has one queue for all channels
(``src/backend/commands/async.c``), and

- a transaction puts what it tells into the queue before it commits (``PreCommit_Notify``), and only
  then can anybody see what it changed. So what could be seen before ``t`` stands in the queue ahead
  of the beat, which is put there later;
- each reader takes the queue in its order, and stops at what belongs to a transaction that has not
  ended (``asyncQueueProcessPageEntries``). So on its way to us the beat passes nothing;
- it is not held up either: who puts something there holds a lock until its commit is over, so what
  stands before the beat has ended when the beat comes to stand behind it.

The queue is lost with a crash of the server, and with it the connection: then nothing is vouched
for. A trigger that was dropped, disabled or replaced meanwhile has told nothing, so the beat's
statement, which runs after ``t``, looks whether the triggers are those that were there at first.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sessile.core.ticket import Key
from sessile.core.value import Seconds
from sessile.wire.feed.connection import BEAT, Heard
from sessile.wire.postgres.connection import Notification
from sessile.wire.postgres.listener import PostgresListener
from sessile.wire.postgres.statement import Query, Row

ANYTHING: Final = "@"
"""How a payload begins that is no key: any record may have changed."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The heartbeat of one connection.

    Attributes:
        query: notifies the channel.
        check: looks at its answer; raises ``StoreUnavailable`` where changes went untold.
        channel: to which nobody else listens; one for all would wake each process for each other.
        pid: of the server's process behind the connection: anybody may notify a channel, and this
            is what nobody else can.
    """

    query: Query
    check: Callable[[list[Row]], None]
    channel: str
    pid: int


class PostgresFeedConnection:
    """Hears the changes of a table, on one thread.

    Args:
        listener: connected; it listens to both channels.
        channel: of the table.
        beat: our own.
        timer: seconds by a clock that never runs backwards.
    """

    def __init__(
        self,
        listener: PostgresListener,
        channel: str,
        beat: Beat,
        timer: Callable[[], Seconds],
    ) -> None:
        self._listener = listener
        self._channel = channel
        self._beat = beat
        self._timer = timer
        self._sent = -math.inf  # when the last beat was
        self._answered = self._heard = True  # the last beat's statement, and itself
        self._lock = threading.Lock()  # of whoever uses the connection
        self._closed = False

    def wait(self, seconds: Seconds) -> Heard:
        """Wait for something that is told, so long at most.

        Raises:
            StoreUnavailable: the connection broke, the server is silent, or changes went untold.
        """
        try:
            with self._lock, self._listener.failures():
                return self._wait(self._timer() + seconds)
        finally:
            if self._closed:  # meanwhile
                self.close()

    def close(self) -> None:
        """Close it, or have the thread that waits do so. Harmless when repeated."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                self._listener.close()
            finally:
                self._lock.release()

    def _wait(self, until: Seconds) -> Heard:
        while True:
            self._send_beat()
            heard = self._hear()
            now = self._timer()
            if heard != _NOTHING or now >= until:
                return heard
            self._listener.wait(min(until, self._next()) - now)

    def _send_beat(self) -> None:
        """Send one where it is time, and the last one is back."""
        now = self._timer()
        if self._is_back and now - self._sent >= BEAT:
            self._sent, self._answered, self._heard = now, False, False
            self._listener.send(self._beat.query)

    def _hear(self) -> Heard:
        """Read what is there; only then tell whether the beat is late."""
        was_back = self._is_back
        rows, told = self._listener.receive()
        if rows is not None:
            self._beat.check(rows)
            self._answered = True
        self._heard = self._heard or any(map(self._is_own, told))
        if not self._is_back and self._timer() - self._sent > self._listener.limit:
            raise TimeoutError
        payloads = dict.fromkeys(one.payload for one in told if one.channel == self._channel)
        return Heard(
            tuple(Key(text) for text in payloads if not text.startswith(ANYTHING)),
            any(text.startswith(ANYTHING) for text in payloads),
            self._sent if self._is_back and not was_back else None,
        )

    @property
    def _is_back(self) -> bool:
        return self._answered and self._heard

    def _is_own(self, one: Notification) -> bool:
        return (one.channel, one.pid) == (self._beat.channel, self._beat.pid)

    def _next(self) -> Seconds:
        """Return when something is to be done though nothing is heard."""
        return self._sent + (BEAT if self._is_back else self._listener.limit)


_NOTHING: Final = Heard()
