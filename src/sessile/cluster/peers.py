"""The nodes of a cluster: ``a=10.0.0.1,b=10.0.0.2,c=10.0.0.3``, the same on every host."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from sessile.errors import ConfigError

ROUTE_PORT: Final = 6222

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_PLACE: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class NodePeer:
    """A node, as the others reach it.

    Attributes:
        name: of the node, which no other one has.
        host: its address, or its name in the DNS; without brackets.
        port: where it takes connections of the others.
    """

    name: str
    host: str
    port: int = ROUTE_PORT

    @property
    def place(self) -> str:
        """Host and port, as they stand in a URL."""
        return place_text(self.host, self.port)

    @property
    def listens_on(self) -> str:
        """Where it listens: on every address, if its host is a name.

        Many hosts know themselves by their name as 127.0.1.1, where nobody else would reach it.
        """
        return place_text(self.host if is_address(self.host) else "0.0.0.0", self.port)  # noqa: S104


def parse_peers(text: str) -> tuple[NodePeer, ...]:
    """Return the nodes of ``a=10.0.0.1,b=node-b.example:7222,c=[fd00::1]``; () of an empty text.

    Raises:
        ConfigError: it cannot be read, names one twice, or two and no third.
    """
    peers = tuple(_peer(part.strip()) for part in text.split(",")) if text.strip() else ()
    for what in ("name", "place"):
        seen: set[str] = set()
        for peer in peers:
            value: str = getattr(peer, what)
            if value in seen:
                raise ConfigError(f"two peers have the {what} {value}: each node has its own")
            seen.add(value)
    if len(peers) == 2:
        raise ConfigError(
            "two nodes cannot tell a dead one from a cut wire, so with either away nothing is "
            "stored: name a third; a small host without an application is enough"
        )
    return peers


def own_peer(name: str, peers: tuple[NodePeer, ...]) -> NodePeer | None:
    """Return the one of that name; None where there are no peers.

    Raises:
        ConfigError: it is none of them, or no name.
    """
    if _NAME.fullmatch(name) is None:
        raise ConfigError(f"{name!r} names no node: write letters, digits, - and _, as in --name a")
    if not peers:
        return None
    for peer in peers:
        if peer.name == name:
            return peer
    known = ", ".join(peer.name for peer in peers)
    raise ConfigError(f"no peer is named {name}; known are: {known}")


def parse_place(text: str, port: int) -> tuple[str, int]:
    """Return host and port of ``127.0.0.1:4222``, ``[::1]`` or ``node-a``.

    Args:
        text: the place.
        port: where it names none.

    Raises:
        ConfigError: it is none.
    """
    found = _PLACE.fullmatch(text)
    if found is None or not 0 < int(found["port"] or port) < 1 << 16:
        raise ConfigError(f"{text!r} is no host and port: write them as in 10.0.0.1:{port}")
    return found["host"].strip("[]"), int(found["port"] or port)


def place_text(host: str, port: int) -> str:
    """Return host and port as they stand in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_address(host: str) -> bool:
    """Tell whether it is an address, and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Tell whether it is this host itself, which no other host reaches."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def _peer(text: str) -> NodePeer:
    name, mark, place = text.partition("=")
    if not mark or _NAME.fullmatch(name) is None:
        raise ConfigError(f"the peer {text!r} cannot be read: write a=10.0.0.1,b=10.0.0.2,...")
    return NodePeer(name, *parse_place(place, ROUTE_PORT))
