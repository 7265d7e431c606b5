"""Where a Redis server is, how it is greeted, and what its failures are called.

``wire.redis.client`` dials it for threads and ``wire.redis.pipeline`` for event loops.
"""

import ssl
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from sessile.errors import ConfigError, StoreUnavailable

Words: TypeAlias = tuple[str | bytes | int | float, ...]
"""A command, as it is typed at a prompt."""


class Told(Enum):
    """The two error replies that are answers: a store asks again, or finds a foreign row."""

    NO_SCRIPT = "NOSCRIPT"
    WRONG_TYPE = "WRONGTYPE"


class Refusal(Exception):  # noqa: N818  (Redis calls it an error reply; it is not raised by itself)
    """An error reply, as the server worded it."""

    @property
    def code(self) -> str:
        """The first word, which says what kind it is."""
        return str(self).partition(" ")[0]


ANSWERS: Final = {told.value: told for told in Told}

_STRANGER: Final = frozenset(("NOAUTH", "WRONGPASS", "NOPERM"))
"""Refusals of a server that does not know us, or does not let us do this."""

DEMOTED: Final = frozenset(("READONLY", "MASTERDOWN"))
"""Refusals of a server that is no primary now. Its name may lead to the new one: dial again."""


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
        timeout: seconds for one command, from asking to the answer.
        connect_timeout: seconds for dialling and greeting.
    """

    name: str
    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    timeout: float = 0.5
    connect_timeout: float = 0.5

    @property
    def greeting(self) -> list[Words]:
        """The commands that are answered before any other is sent."""
        words: list[Words] = []
        if self.password is not None:
            user = () if self.username is None else (self.username,)
            words.append(("AUTH", *user, self.password))
        if self.db:
            words.append(("SELECT", self.db))
        return words

    def failure(self, cause: BaseException, why: str = "") -> StoreUnavailable:
        """Return the error for a cause, and chain it. Each waiter gets an error of its own."""
        if isinstance(cause, StoreUnavailable):
            error = StoreUnavailable(self.name, cause.why)
            error.__cause__ = cause.__cause__
        elif self._quoted_in(str(cause)):
            error = StoreUnavailable(self.name, "the server takes no password; leave it out")
        else:
            error = StoreUnavailable(self.name, why or self._why(cause))
            error.__cause__ = cause
        return error

    def silence(self) -> str:
        """Say that an answer did not come in time."""
        return f"no answer within {self.timeout:g} s"

    def _quoted_in(self, text: str) -> bool:
        """Tell the reply of a server that has no passwords: it quotes what it was sent."""
        return self.password is not None and "AUTH" in text.upper() and self.password in text

    def _why(self, cause: BaseException) -> str:
        if isinstance(cause, Refusal) and cause.code in _STRANGER:
            return unwelcome(cause)
        if isinstance(cause, TimeoutError) and not str(cause):
            return f"no connection within {self.connect_timeout:g} s"
        return str(cause) or type(cause).__name__


def unwelcome(cause: BaseException) -> str:
    """Say that the server did not let us in."""
    return f"authentication failed; check the URL's user name and password ({cause})"
