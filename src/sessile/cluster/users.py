"""Who may use a node: whoever has a secret of the key ring, from which the password is derived.

So workers need no second secret. While a secret is changed, old and new both let in: each has a
user of its own, because a server knows no user twice.
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sessile.cluster.peers import is_loopback, place_text
from sessile.core.secrets import KeyRing, fingerprint
from sessile.wire import system

_PURPOSE: Final = b"sessile node password 1"
_LENGTH: Final = 32  # bytes


@dataclass(frozen=True, slots=True)
class NodeUser:
    """A user of a node.

    Attributes:
        name: tells secrets apart, and gives none away.
        password: derived from one, which it does not give away either.
    """

    name: str
    password: str = field(repr=False)


def users_of(ring: KeyRing) -> tuple[NodeUser, ...]:
    """Return a user for each secret, the newest first."""
    return tuple(NodeUser(f"sessile-{fingerprint(secret)}", _derive(secret)) for secret in ring)


def keeper_of_leaders() -> NodeUser:
    """Return the user by which a node asks its own server to lead; drawn anew at each start."""
    return NodeUser("sessile-leaders", urlsafe_b64encode(system.entropy(_LENGTH)).decode())


class NodeStore(Enum):
    """How sessions are kept on nodes, by the scheme of a URL."""

    NATS = "nats"  # every node has every session, and workers ask
    REPLICATED = "replicated"  # the same, and workers have all of them in memory
    BACKUP = "backup"  # a session is on some of the nodes


def url_of(
    user: NodeUser,
    places: Sequence[tuple[str, int]],
    ca: str | None = None,
    store: NodeStore = NodeStore.NATS,
) -> str:
    """Return the URL of a store, with the password.

    Args:
        user: who asks.
        places: host and port of each node; others than this host are reached by TLS.
        ca: the authority's file, where TLS is spoken on this host as well.
        store: its kind.
    """
    hosts = ",".join(place_text(*place) for place in places)
    is_plain = ca is None and all(is_loopback(host) for host, _ in places)
    scheme = store.value if is_plain else f"{store.value}+tls"
    ending = "" if ca is None else f"/?ca={quote(ca, safe='/')}"
    return f"{scheme}://{user.name}:{user.password}@{hosts}{ending}"


def _derive(secret: bytes) -> str:
    key = HKDF(SHA256(), _LENGTH, salt=None, info=_PURPOSE).derive(secret)
    return urlsafe_b64encode(key).decode().rstrip("=")
