"""Where a Redis server is, its handshake, and the texts of its failures.

``wire.commands`` connects to it.
"""

import ssl
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from sessile.errors import StoreUnavailable
from sessile.wire.commands.server import CommandError, Server
from sessile.wire.tls import Tls

Words: TypeAlias = tuple[str | bytes | int | float, ...]
"""A command, as it is typed at a prompt."""


class ErrorReply(Enum):
    """The error replies that a store handles.

    It sends the script, reports a foreign row, or asks a cluster for one key after the other.
    """

    NO_SCRIPT = "NOSCRIPT"
    WRONG_TYPE = "WRONGTYPE"
    SPLIT = "TRYAGAIN"


ERROR_REPLIES: Final = {
    reply.value: reply for reply in (ErrorReply.NO_SCRIPT, ErrorReply.WRONG_TYPE)
}
"""Those of any server. That keys are split is handled only by who asked to be told."""

_OF_CLUSTER: Final = frozenset(("MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "CROSSSLOT"))
"""Codes of a server that is a node of a cluster."""

_NOT_AUTHENTICATED: Final = frozenset(("NOAUTH", "WRONGPASS", "NOPERM"))
"""Codes of a server that does not know us, or does not let us do this."""

NOT_PRIMARY: Final = frozenset(("READONLY", "MASTERDOWN"))
"""Codes of a server that is no primary now. Its name may lead to the new one: connect again."""


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
class Endpoint(Server):
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
        cluster: nodes of a Redis Cluster that are asked for the others, instead of host and port.
        is_node: host and port are those of one node of that cluster.
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
    cluster: tuple[tuple[str, int], ...] | None = None
    is_node: bool = False
    acks: int = 0
    timeout: float = 0.5
    connect_timeout: float = 0.5
    most_idle: float = 30.0
    doubt: float = 1.0

    @property
    def context(self) -> ssl.SSLContext | None:
        """What TLS is spoken with."""
        return None if self.tls is None else self.tls.context

    @property
    def target(self) -> str:
        """What its addresses are looked up by, in words."""
        if self.sentinels is not None:
            return f"the primary {self.sentinels.service!r}"
        return f"the host name {self.host}"

    def failure(self, cause: BaseException, why: str = "") -> StoreUnavailable:
        """Return the error for a cause, and chain it unless it quotes the password."""
        if self._quotes_password(str(cause)):
            return StoreUnavailable(self.name, "the server takes no password; leave it out")
        return Server.failure(self, cause, why)  # a class with slots is made anew: no super()

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

    def _quotes_password(self, text: str) -> bool:
        """Tell whether a server without passwords quotes, in its error, the one it was sent."""
        return self.password is not None and "AUTH" in text.upper() and self.password in text

    def explain(self, cause: BaseException) -> str:
        """Say what went wrong, and at which node."""
        where = f"{self.host}:{self.port}: " if self.is_node else ""
        return where + self._message(cause)

    def _message(self, cause: BaseException) -> str:
        if isinstance(cause, CommandError) and cause.code in _OF_CLUSTER and not self.cluster:
            return (
                "the server is a node of a Redis Cluster: write redis+cluster:// instead of "
                f"redis://, rediss+cluster:// with TLS ({cause})"
            )
        if isinstance(cause, ssl.SSLCertVerificationError) and self.sentinels is not None:
            return (
                f"the server that the Sentinels name did not prove to be it: {cause}. Its "
                "certificate has to be for what they call it: for its address, unless there is "
                "'sentinel resolve-hostnames yes' and 'sentinel announce-hostnames yes'"
            )
        if isinstance(cause, CommandError) and cause.code in _NOT_AUTHENTICATED:
            return authentication_message(cause)
        return Server.explain(self, cause)


def authentication_message(cause: BaseException) -> str:
    """Say that the server refused the credentials."""
    return f"authentication failed; check the URL's user name and password ({cause})"
