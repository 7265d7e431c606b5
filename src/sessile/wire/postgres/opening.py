"""Open a connection to the server that serves us, of those that may. For threads and event loops.

``opening`` is a generator: it yields what it waits for, and each colour waits in its own way. Each
host, and each address of it, has its share of the time that is left.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Final, NamedTuple, TypeAlias

from psycopg import pq
from psycopg.errors import Error

from sessile.core.value import Seconds
from sessile.wire.opaque import Opaque
from sessile.wire.postgres.connection import PostgresConnection
from sessile.wire.postgres.endpoint import PostgresEndpoint, PostgresHost

OLDEST: Final = 130000
"""The oldest server that is asked."""

_OLDEST_LIBPQ: Final = 140000
_UNSUPPORTED: Final = "unsupported startup parameter"


class Awaited(NamedTuple):
    """A socket that is waited for.

    Attributes:
        fd: of the socket.
        writable: wait until it can be written; else until it can be read.
        until: not longer; on the timer.
    """

    fd: int
    writable: bool
    until: Seconds


Opening: TypeAlias = Generator[Awaited, bool, PostgresConnection]
"""Yields what it waits for; is sent whether that came in time; returns the connection."""


class NotConnected(OSError):  # noqa: N818  (what happened, and to nobody but us)
    """No server took us. The act was sent to none; to try again at once would change nothing."""


class PostgresServer:
    """What this process has learned of the servers behind an endpoint.

    Args:
        endpoint: the database.
        timer: seconds by a clock that never runs backwards.

    Attributes:
        prepares: whether statements are prepared still.
    """

    def __init__(self, endpoint: PostgresEndpoint, timer: Callable[[], Seconds]) -> None:
        self.endpoint = endpoint
        self.timer = timer
        self.prepares = endpoint.prepares
        self._sends_settings = True
        self._last_good: PostgresHost | None = None

    @property
    def connect_limit(self) -> Seconds:
        """The seconds for a new connection; a bit less than an act has, so that it can say why."""
        return min(self.endpoint.connect_timeout, self.endpoint.timeout * 0.9)

    def hosts(self) -> Sequence[PostgresHost]:
        """Return the hosts, the last good one first."""
        return sorted(self.endpoint.hosts, key=lambda host: host != self._last_good)

    def open(self, places: Sequence[tuple[PostgresHost, str | None]], deadline: Seconds) -> Opening:
        """Open a connection to the first place that serves us.

        Args:
            places: hosts, with an address where the name has one.
            deadline: on the timer.

        Raises:
            NotConnected: none did, and why.
        """
        if pq.version() < _OLDEST_LIBPQ:
            raise NotConnected(
                f"this psycopg brings libpq {pq.version() // 10000}, and 14 or newer is needed: "
                "pip install 'psycopg[binary]'"
            )
        failed: list[str] = []
        for number, (host, address) in enumerate(places):
            now = self.timer()
            until = now + (deadline - now) / (len(places) - number)
            try:
                connection = yield from self._try(host, address, until)
            except (OSError, Error) as error:
                failed.append(f"{host}: {error}" if len(places) > 1 else str(error))
            else:
                self._last_good = host
                return connection
        raise NotConnected("; ".join(failed))

    def _try(self, host: PostgresHost, address: str | None, until: Seconds) -> Opening:
        settings = self._sends_settings
        try:
            return (yield from self._connect(host, address, until, settings=settings))
        except ConnectionError as error:
            if not settings or _UNSUPPORTED not in str(error):
                raise
        self._sends_settings = False  # a pooler; the role's own settings may stand in for them
        return (yield from self._connect(host, address, until, settings=False))

    def _connect(
        self, host: PostgresHost, address: str | None, until: Seconds, *, settings: bool
    ) -> Opening:
        conninfo = self.endpoint.conninfo(host, address, settings=settings)
        pgconn = _start(conninfo)
        try:
            yield from self._shake_hands(pgconn, until)
            return PostgresConnection(pgconn, self.timer)
        except BaseException:
            pgconn.finish()
            raise

    def _shake_hands(self, pgconn: pq.abc.PGconn, until: Seconds) -> Generator[Awaited, bool, None]:
        state = pq.PollingStatus.WRITING
        while state is not pq.PollingStatus.OK:
            if pgconn.status == pq.ConnStatus.BAD or state is pq.PollingStatus.FAILED:
                raise ConnectionError(_explain(pgconn))
            writable = state is pq.PollingStatus.WRITING
            if not (yield Awaited(pgconn.socket, writable, until)):
                raise TimeoutError(f"no connection within {self.connect_limit:g} s")
            state = pq.PollingStatus(pgconn.connect_poll())
        if pgconn.server_version < OLDEST:
            raise ConnectionError(
                f"the server is PostgreSQL {pgconn.server_version // 10000}, and "
                f"{OLDEST // 10000} or newer is needed"
            )


def _start(conninfo: Opaque) -> pq.abc.PGconn:
    """Begin to connect. What libpq says of its own words may quote them: it is told by us."""
    try:
        return pq.PGconn.connect_start(conninfo)
    except Error as error:
        raise ConnectionError(f"libpq cannot begin: {type(error).__name__}") from None


def _explain(pgconn: pq.abc.PGconn) -> str:
    """Return why a server turned us away, and what to write."""
    text = pgconn.get_error_message().strip()
    text = " ".join(line.strip() for line in text.splitlines()[:1]) or "no connection"
    if pgconn.needs_password:
        return f"{text}: the server asks for a password; write it into the URL, or set PGPASSWORD"
    if pgconn.used_password and _speaks_of_password(text):
        return f"authentication failed; check the URL's user name and password ({text})"
    if "does not exist" in text:
        return f"{text}; make it, or write another into the URL"
    return text


def _speaks_of_password(text: str) -> bool:
    return "password" in text or "authentication" in text or "SASL" in text
