"""Where memcached servers are, and the texts of their failures."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from sessile.core.value import Seconds
from sessile.errors import ConfigError
from sessile.wire.commands.server import CommandError, Server

Address: TypeAlias = tuple[str, int]

PORT: Final = 11211

_REMEDIES: Final = {
    "SERVER_ERROR object too large": "the session is larger than an item may be: start the server "
    "with a larger limit, as memcached -I 4m, or keep less in a session",
    "SERVER_ERROR out of memory": "the server has no memory left for it, and evicts nothing (-M): "
    "start it with more, as memcached -m 1024",
    "ERROR Too many open connections": "start the server with more of them, as memcached -c 4096",
    "CLIENT_ERROR unauthenticated": "the server asks for a password (-Y), and none is sent: start "
    "it without, where nobody but your servers can reach it",
}
"""How an error reply begins, and what to write."""


@dataclass(frozen=True, slots=True)
class MemcachedEndpoint:
    """The memcached servers that hold the items together, each item one of them.

    SASL is not spoken: it needs the binary protocol, which memcached has given up. Nor is TLS:
    few servers are built with it. They belong where nobody but the application reaches them.

    Args:
        name: what errors call them; holds no credentials.
        servers: host and port of each; their order is of no importance.
        path: of a Unix socket, instead of servers.
        timeout: seconds for one command, whatever is done for it.
        connect_timeout: seconds of those for a name and connecting.
        most_idle: seconds that a connection may rest before another takes its place.
        doubt: seconds of rest after which a connection is given half the time limit for a read.

    Raises:
        ConfigError: there is no server, or one twice.
    """

    name: str
    servers: tuple[Address, ...] = ()
    path: str | None = None
    timeout: Seconds = 0.5
    connect_timeout: Seconds = 0.5
    most_idle: Seconds = 30.0
    doubt: Seconds = 1.0

    def __post_init__(self) -> None:
        if bool(self.servers) is (self.path is not None):
            raise ConfigError("name memcached servers as host:port, or the path of one's socket")
        names = [place.label for place in self.places]
        for label in names:
            if names.count(label) > 1:
                raise ConfigError(f"the memcached server {label} is named twice: write it once")

    @property
    def places(self) -> "list[MemcachedServer]":
        """Each server on its own."""
        rest = (self.timeout, self.connect_timeout, self.most_idle, self.doubt)
        if self.path is not None:
            return [
                MemcachedServer(self.name, self.path, 0, self.path, *rest, is_one_of_many=False)
            ]
        many = len(self.servers) > 1
        return [
            MemcachedServer(self.name, host.lower(), port, None, *rest, is_one_of_many=many)
            for host, port in self.servers
        ]


@dataclass(frozen=True, slots=True)
class MemcachedServer(Server):
    """One of the servers; see ``Server`` and ``MemcachedEndpoint``.

    Args:
        is_one_of_many: errors say which one it is.
    """

    name: str
    host: str
    port: int
    path: str | None
    timeout: Seconds
    connect_timeout: Seconds
    most_idle: Seconds
    doubt: Seconds
    is_one_of_many: bool = False

    @property
    def label(self) -> str:
        """How it is called among the others: by it the server of a key is chosen."""
        if self.path is not None:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def explain(self, cause: BaseException) -> str:
        """Say what went wrong, where, and what to write."""
        why = Server.explain(self, cause)  # a class with slots is made anew: no super()
        if isinstance(cause, CommandError):
            remedies = (said for begin, said in _REMEDIES.items() if why.startswith(begin))
            why = "".join(f"{said} " for said in remedies) + f"(it answers {why!r})"
        return f"{self.label}: {why}" if self.is_one_of_many else why
