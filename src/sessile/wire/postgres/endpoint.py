"""Where a Postgres server is, what is said to it at first, and the texts of its failures.

``wire.postgres.opening`` connects to it; libpq reads what the environment says besides (``PGHOST``,
``PGPASSWORD``, a password file).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sessile.errors import StoreUnavailable
from sessile.wire.opaque import Opaque

READ_ONLY: Final = "25006"
"""The server takes no writes now, as one that became a standby."""

NOT_THERE: Final = frozenset(("26000", "42P05"))
"""A prepared statement is not on this connection, or is already: a pooler has changed the server
behind it."""

REPEATED: Final = NOT_THERE | {"0A000", "40001", "40P01"}
"""Nothing has happened, and it will go better: a statement is not there, or was prepared before
somebody altered the table, or the transaction was undone because of another one."""

_LATE: Final = frozenset(("57014", "55P03"))
_GOING_DOWN: Final = frozenset(("57P01", "57P02", "57P03"))


class ServerError(Exception):
    """An error of the server: the statement has changed nothing.

    It never holds what the server says in detail, which quotes rows.

    Attributes:
        code: the SQLSTATE.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class PostgresHost:
    """One of the servers that may be the primary.

    Attributes:
        name: a name, an address, or the folder of a Unix socket; None is libpq's default.
        port: None is libpq's default, 5432.
    """

    name: str | None = None
    port: int | None = None

    @property
    def is_remote(self) -> bool:
        """Whether its name has addresses to be looked up."""
        return self.name is not None and not self.name.startswith(("/", "@"))

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"{self.name or 'the default host'}{port}"


@dataclass(frozen=True, slots=True)
class PostgresEndpoint:
    """One Postgres database, on the servers that may hold it.

    Args:
        name: what errors call it; holds no credentials.
        hosts: tried in this order, the last good one first.
        database: its name; None is the user's.
        username: None is libpq's default.
        password: sent to the server and shown nowhere.
        options: more of libpq's keywords, as ``sslmode``.
        timeout: seconds for one act, from asking to the last byte of the answer; whatever is done
            for it is in them: waiting for a connection, connecting, asking once more.
        connect_timeout: seconds of those for a new connection, all hosts together.
        most: connections of one event loop, and as many of all threads together.
        prepares: whether statements are prepared.
        most_idle: seconds that a connection may rest before another takes its place.
    """

    name: str
    hosts: tuple[PostgresHost, ...] = (PostgresHost(),)
    database: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 0.5
    connect_timeout: float = 0.5
    most: int = 10
    prepares: bool = True
    most_idle: float = 300.0

    def conninfo(self, host: PostgresHost, address: str | None, *, settings: bool = True) -> Opaque:
        """Return the words that libpq connects with.

        Args:
            host: the server.
            address: that of its name, where it has one.
            settings: whether to send settings of the session along, which some poolers refuse.
        """
        words: dict[str, object | None] = {
            "host": host.name,
            "hostaddr": address,
            "port": host.port,
            "dbname": self.database,
            "user": self.username,
            "password": self.password,
            "client_encoding": "UTF8",
            "fallback_application_name": "sessile",
            "keepalives_idle": 30,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "options": self._settings() if settings else None,
            **self.options,
        }
        text = " ".join(
            f"{key}={_quote(str(one))}" for key, one in words.items() if one is not None
        )
        return Opaque(text.encode())

    def _settings(self) -> str:
        """Return the settings of our sessions, as a command line of the server's.

        An act that nobody waits for any more comes to its end; a connection that was cut off
        half way gives back what it has locked.
        """
        limit = max(1, int(self.timeout * 1000))
        settings = {
            "statement_timeout": limit,
            "default_transaction_isolation": r"read\ committed",
            "enable_seqscan": "off",  # a plan that was made while the table was empty stays good
            "plan_cache_mode": "force_generic_plan",  # each statement is planned once
            "jit": "off",
            "tcp_keepalives_idle": 10,
            "tcp_keepalives_interval": 5,
            "tcp_keepalives_count": 3,
        }
        return " ".join(f"-c {name}={value}" for name, value in settings.items())

    def failure(self, cause: BaseException) -> StoreUnavailable:
        """Return the error for a cause, and chain it. Each waiter gets an error of its own."""
        error = StoreUnavailable(self.name, self._why(cause))
        error.__cause__ = cause
        return error

    def timeout_message(self) -> str:
        """Say that no answer came in time."""
        return f"no answer within {self.timeout:g} s"

    def busy_message(self) -> str:
        """Say that no connection was free in time."""
        return (
            f"all {self.most} connections of this process were busy for {self.timeout:g} s; "
            "write ?connections= with a higher number, if the server allows so many"
        )

    def _why(self, cause: BaseException) -> str:
        if isinstance(cause, ServerError):
            return _why_refused(cause)
        if isinstance(cause, TimeoutError) and not str(cause):
            return self.timeout_message()
        return str(cause) or type(cause).__name__


def _why_refused(error: ServerError) -> str:
    if error.code in _LATE:
        return f"the server gave the act up in time ({error})"
    if error.code in _GOING_DOWN:
        return f"the server stops or starts ({error})"
    if error.code == READ_ONLY:
        return f"the server takes no writes, as a standby does ({error})"
    return str(error)


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
