"""What stands behind a balancer: servers, and how clients belong to them.

Every text in it is of an alphabet in which no configuration has a meaning of its own: what is
given as a name, a host or a file stays one, and adds no line.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sessile.cluster.peers import is_address, place_text
from sessile.core.route import SERVER_NAME, route_token
from sessile.errors import ConfigError

_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PLACE: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:]+):(?P<port>[0-9]{1,5})")
_PATH: Final = re.compile(r"/[A-Za-z0-9._~/-]{0,200}")
_FILE: Final = re.compile(r"/[A-Za-z0-9._~/+@-]{1,200}")
_EXAMPLE: Final = {
    "certificate": "/etc/ssl/shop.pem",
    "key": "/etc/ssl/shop.key",
    "folder": "/run/haproxy",
}
_USUAL: Final = (80, 443)
_FORM: Final = "write a=10.0.0.1:8000,b=10.0.0.2:8000"


class SiteAffinity(Enum):
    """What ties a client to a server, for the balancer."""

    COOKIE = "cookie"  # the route, which the application writes: survives a change of address
    ADDRESS = "address"  # the client's address: all behind one NAT share a server
    NONE = "none"  # nothing: any server takes any request


@dataclass(frozen=True, slots=True)
class SiteServer:
    """A server of the application, as the balancer reaches it. Checked at birth.

    Args:
        name: tells it from the others; the application knows itself by it.
        host: its address, or its name in the DNS; without brackets.
        port: where it listens.
        token: the value of the route cookie that stands for it; ``""`` where no cookie does.
        drains: whether nobody new comes to it.

    Raises:
        ConfigError: a text would mean something else in a configuration.
    """

    name: str
    host: str
    port: int
    token: str = ""
    drains: bool = False

    def __post_init__(self) -> None:
        if SERVER_NAME.fullmatch(self.name) is None:
            raise ConfigError(
                f"{self.name!r} names no server: write letters, digits, -, _ and .; {_FORM}"
            )
        is_number = self.host.replace(".", "").isdecimal()  # and has to be a whole address
        is_name = _HOST.fullmatch(self.host) and not is_number and self.host != "unix"
        if not (is_name or _is_plain(self.host)):
            raise ConfigError(f"the server {self.name} has the host {self.host!r}: {_FORM}")
        check_port(self.port)

    @property
    def place(self) -> str:
        """Host and port, as they stand in a URL."""
        return place_text(self.host, self.port)


@dataclass(frozen=True, slots=True)
class Site:
    """The application behind its balancer. Checked at birth.

    Args:
        servers: of the application.
        affinity: what ties a client to one of them.
        host: the name by which browsers ask for it.
        health: the path that says whether a server is well.
        certificate: the file of the certificate.
        key: the file of its key.
        bind: the address that the balancer listens at; ``""`` for all.
        http: its port of http, which sends everybody to https.
        https: its port of https.
        folder: where HAProxy has the socket that takes commands.

    Raises:
        ConfigError: a text would mean something else in a configuration, two servers are one, or
            there is none for new clients.
    """

    servers: tuple[SiteServer, ...]
    affinity: SiteAffinity = SiteAffinity.COOKIE
    host: str = "shop.example"
    health: str = "/health"
    certificate: str = _EXAMPLE["certificate"]
    key: str = _EXAMPLE["key"]
    bind: str = ""
    http: int = _USUAL[0]
    https: int = _USUAL[1]
    folder: str = _EXAMPLE["folder"]

    def __post_init__(self) -> None:
        if not self.servers:
            raise ConfigError(f"there is no server: {_FORM}")
        # nginx takes two names that differ in case alone for one
        _refuse_twice("name", (server.name.lower() for server in self.servers))
        _refuse_twice("place", (server.place.lower() for server in self.servers))
        if not self.open:
            raise ConfigError("every server drains, so nobody new could go anywhere: leave one out")
        check_host(self.host)
        if _PATH.fullmatch(self.health) is None:
            raise ConfigError(
                f"{self.health!r} is no path of a health check: write it as in /health, "
                "of letters, digits and ._~/-"
            )
        for what in _EXAMPLE:
            if _FILE.fullmatch(path := getattr(self, what)) is None:
                raise ConfigError(
                    f"the {what} {path!r} is no whole path: write it from the root on, as in "
                    f"{_EXAMPLE[what]}, of letters, digits and ._~/+@-"
                )
        if self.bind and not _is_plain(self.bind):
            raise ConfigError(
                f"{self.bind!r} is no address to listen at: write 10.0.0.7, or fd00::7 without "
                "brackets, or leave it out for all"
            )
        for port in (self.http, self.https):
            check_port(port)
        if self.http == self.https:
            raise ConfigError(f"http and https are both at port {self.http}: give each its own")

    @property
    def open(self) -> tuple[SiteServer, ...]:
        """The servers that take new clients."""
        return tuple(server for server in self.servers if not server.drains)

    def others(self, server: SiteServer) -> tuple[SiteServer, ...]:
        """Return who takes the clients of a server that is down, the next one first."""
        at = self.servers.index(server)
        ring = self.servers[at + 1 :] + self.servers[:at]
        return tuple(other for other in ring if not other.drains)

    @property
    def https_suffix(self) -> str:
        """What stands behind the host in a URL of https: ``""`` for the usual port."""
        return "" if self.https == _USUAL[1] else f":{self.https}"

    @property
    def has_usual_ports(self) -> bool:
        """Whether no port stands in a URL, of http or of https."""
        return (self.http, self.https) == _USUAL

    def listener(self, port: int) -> str:
        """Return address and port to listen at, with an empty address for all."""
        return place_text(self.bind, port) if self.bind else f":{port}"


def parse_servers(
    text: str, *, secret: bytes | None = None, draining: str = ""
) -> tuple[SiteServer, ...]:
    """Return the servers of ``a=10.0.0.1:8000,b=shop-b.example:8000,c=[fd00::1]:8000``.

    Args:
        text: names and places.
        secret: the newest secret of the application, where a cookie names servers.
        draining: the names of those that nobody new comes to, with commas.

    Raises:
        ConfigError: it cannot be read, or one that drains is none of them.
    """
    if not text.strip():
        raise ConfigError(f"--servers is empty: {_FORM}")
    drains = {name.strip() for name in draining.split(",") if name.strip()}
    servers = tuple(_server(part.strip(), secret, drains) for part in text.split(","))
    names = [server.name for server in servers]
    if unknown := sorted(drains.difference(names)):
        raise ConfigError(f"no server is named {unknown[0]!r}; known are: {', '.join(names)}")
    return servers


def check_host(host: str) -> None:
    """Refuse what is no host.

    Raises:
        ConfigError: it is none.
    """
    if _HOST.fullmatch(host) is None:
        raise ConfigError(f"{host!r} is no host: write it as in shop.example")


def check_port(port: int) -> None:
    """Refuse what is no port.

    Raises:
        ConfigError: it is none.
    """
    if not 0 < port < 1 << 16:
        raise ConfigError(f"{port} is no port: write one from 1 to 65535")


def _server(part: str, secret: bytes | None, drains: set[str]) -> SiteServer:
    name, mark, place = part.partition("=")
    if not part:
        raise ConfigError(f"a comma has no server beside it: {_FORM}")
    if not mark:
        raise ConfigError(f"the server {part!r} has a name or a place, and not both: {_FORM}")
    found = _PLACE.fullmatch(place)
    if found is None:
        raise ConfigError(
            f"the server {name!r} is at {place!r}, which is no host and port: {_FORM}, without "
            "http://, and an address of IPv6 in brackets, as [fd00::1]:8000"
        )
    token = "" if secret is None else route_token(name, secret)
    return SiteServer(name, found["host"].strip("[]"), int(found["port"]), token, name in drains)


def _is_plain(address: str) -> bool:
    """Tell whether it is an address without the name of an interface, which may be any text."""
    return "%" not in address and is_address(address)


def _refuse_twice(what: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ConfigError(f"two servers have the {what} {value}: each has its own")
        seen.add(value)
