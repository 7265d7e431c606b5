"""Where a Redis server is, its handshake, and the texts of its failures.

``wire.redis.pool`` connects to it for threads and ``wire.redis.pipeline`` for event loops.
"""

import ssl
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from sessile.errors import ConfigError, StoreUnavailable

Words: TypeAlias = tuple[str | bytes | int | float, ...]
"""A command, as it is typed at a prompt."""


class ErrorReply(Enum):
    """The error replies that a store handles: it sends the script, or reports a foreign row."""

    NO_SCRIPT = "NOSCRIPT"
    WRONG_TYPE = "WRONGTYPE"


class CommandError(Exception):
    """Any error reply, as the server worded it. hiredis makes it, and does not raise it."""

    @property
    def code(self) -> str:
        """The first word, which says what kind it is."""
        return str(self).partition(" ")[0]


ERROR_REPLIES: Final = {reply.value: reply for reply in ErrorReply}

_NOT_AUTHENTICATED: Final = frozenset(("NOAUTH", "WRONGPASS", "NOPERM"))
"""Codes of a server that does not know us, or does not let us do this."""

NOT_PRIMARY: Final = frozenset(("READONLY", "MASTERDOWN"))
"""Codes of a server that is no primary now. Its name may lead to the new one: connect again."""


class Tls:
    """How the server is verified, and what we show it. Files in PEM.

    Args:
        ca: the authorities to trust instead of the system's.
        cert: our certificate, where the server asks for one.
        key: its key, where the certificate's file does not hold it.

    Attributes:
        context: verifies the certificate and the host's name.

    Raises:
        ConfigError: a file cannot be read.
    """

    def __init__(
        self, ca: str | None = None, cert: str | None = None, key: str | None = None
    ) -> None:
        self.ca, self.cert, self.key = ca, cert, key
        try:
            self.context = ssl.create_default_context(cafile=ca)
            if cert is not None:
                self.context.load_cert_chain(cert, key)
        except OSError as error:  # ssl.SSLError is one
            files = ", ".join(file for file in (ca, cert, key) if file)
            raise ConfigError(
                f"TLS files {files}: {error.strerror or error}; "
                "write ca=, cert= and key= with the paths of readable PEM files"
            ) from error


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Whom to ask where the primary is.

    Args:
        servers: host and port of each Sentinel.
        service: what ``sentinel monitor`` calls the primary.
        username: for Sentinels with access lists.
        password: theirs, not the primary's.
    """

    servers: tuple[tuple[str, int], ...]
    service: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One Redis server and one of its databases.

    Args:
        name: what errors call it; holds no credentials.
        host: a name or an address.
        port: the usual one is 6379.
        path: of a Unix socket, instead of host and port.
        db: the database's number.
        username: for servers with access lists.
        password: sent to the server and shown nowhere.
        tls: None speaks plain text.
        sentinels: they name the server, instead of host and port; None for a server with a name.
        acks: replicas that have to have a change before it counts as made; 0 for none.
        timeout: seconds for one command, from asking to the last byte of the answer; whatever is
            done for it is in them, connecting and asking once more included.
        connect_timeout: seconds of those for its name, connecting and the handshake.
        most_idle: seconds that a connection may rest before another takes its place: a balancer, or
            whatever translates addresses, forgets one that was silent for a minute or more, tells
            nobody, and swallows what is sent on it.
        doubt: seconds of rest after which a connection is given half the time limit for what may be
            sent once more, should it have been forgotten sooner.
    """

    name: str
    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    sentinels: Sentinels | None = None
    acks: int = 0
    timeout: float = 0.5
    connect_timeout: float = 0.5
    most_idle: float = 30.0
    doubt: float = 1.0

    @property
    def target(self) -> str:
        """What its addresses are looked up by, in words."""
        if self.sentinels is not None:
            return f"the primary {self.sentinels.service!r}"
        return f"the host name {self.host}"

    def failure(self, cause: BaseException, why: str = "") -> StoreUnavailable:
        """Return the error for a cause, and chain it. Each waiter gets an error of its own."""
        if isinstance(cause, StoreUnavailable):
            error = StoreUnavailable(self.name, cause.why)
            error.__cause__ = cause.__cause__
        elif self._quotes_password(str(cause)):
            error = StoreUnavailable(self.name, "the server takes no password; leave it out")
        else:
            error = StoreUnavailable(self.name, why or self._why(cause))
            error.__cause__ = cause
        return error

    def timeout_message(self) -> str:
        """Say that no reply came in time."""
        return f"no answer within {self.timeout:g} s"

    def connect_timeout_message(self) -> str:
        """Say that no connection was made in time."""
        return f"no connection within {min(self.timeout, self.connect_timeout):g} s"

    def check_acks(self, count: int) -> None:
        """Do nothing if that many replicas are enough.

        Raises:
            TimeoutError: they are not; the change is made on the primary all the same.
        """
        if count < self.acks:
            raise TimeoutError(
                f"{count} of {self.acks} replicas have the change in time (acks={self.acks}); it "
                "is made, and a fail-over may undo it"
            )

    def silence_message(self) -> str:
        """Say that a connection was given up before the time limit was over."""
        return f"its connection was given up: it answered nobody {self.timeout / 2:g} s"

    def _quotes_password(self, text: str) -> bool:
        """Tell whether a server without passwords quotes, in its error, the one it was sent."""
        return self.password is not None and "AUTH" in text.upper() and self.password in text

    def _why(self, cause: BaseException) -> str:
        if isinstance(cause, CommandError) and cause.code in _NOT_AUTHENTICATED:
            return authentication_message(cause)
        if isinstance(cause, TimeoutError) and not str(cause):
            return self.connect_timeout_message()
        return str(cause) or type(cause).__name__


def authentication_message(cause: BaseException) -> str:
    """Say that the server refused the credentials."""
    return f"authentication failed; check the URL's user name and password ({cause})"
