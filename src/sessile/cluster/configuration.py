"""What the server is told, in the words of its configuration. ``node`` writes it to a file."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sessile.cluster.peers import NodePeer, is_address, is_loopback, place_text
from sessile.cluster.users import NodeUser
from sessile.core.value import Seconds
from sessile.errors import ConfigError
from sessile.wire.nats.endpoint import PORT, NatsEndpoint
from sessile.wire.tls import Tls

MESSAGE_BYTES: Final = 2_000_000
"""A session of 1 MiB, with its record and the headers of its message, is less."""

_CLUSTER: Final = "sessile"
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104
_ANSWERS_WITHIN: Final[Seconds] = 2.0
_ACCOUNT: Final = "SESSILE"
_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_QUANTITY: Final = re.compile(r"(\d{1,12})([KMGT]?)B?")
_INTERVAL: Final = re.compile(r"[1-9]\d{0,5}(ms|s|m)|always")

_PUBLISH: Final = (
    "$SESSILE.>",
    "$JS.API.STREAM.CREATE.*",
    "$JS.API.STREAM.INFO.*",
    "$JS.API.STREAM.PURGE.*",
    "$JS.API.STREAM.MSG.GET.*",
    "$JS.API.DIRECT.GET.*",
    "$JS.API.CONSUMER.CREATE.*",
    "$JS.FC.>",
)
"""What ``nats://`` asks for, of every bucket."""

_LEADS: Final = (
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.INFO.*",
    "$JS.API.STREAM.LEADER.STEPDOWN.*",
)
"""What ``leaders`` asks for."""

_GRACE: Final = "1s"
_DURATION: Final = "30s"  # less the server does not take


@dataclass(frozen=True, slots=True)
class NodeCertificate:
    """The files by which nodes know each other, in PEM.

    Attributes:
        ca: the authority that is trusted.
        cert: this node's certificate.
        key: its key.
    """

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """How one node is set.

    Attributes:
        name: of the node.
        peers: all nodes, itself among them; none for a server alone.
        folder: for its files.
        host: where it listens for workers.
        port: where it listens for workers.
        certificate: None for a server alone, on loopback.
        disk: bytes of its files, at most.
        memory: bytes that it may take, of which a quarter for what it holds by name.
        sync: how often files are flushed, ``always`` at every change.
        asks: subjects that workers may ask besides what stores do.
        advertise: where the others are told that they find it, unless by where it listens for them.
    """

    name: str
    peers: tuple[NodePeer, ...]
    folder: Path
    host: str = "127.0.0.1"
    port: int = PORT
    certificate: NodeCertificate | None = None
    disk: int = 10 << 30
    memory: int = 512 << 20
    sync: str = "always"
    asks: tuple[str, ...] = ()
    advertise: str | None = None

    def __post_init__(self) -> None:
        if _INTERVAL.fullmatch(self.sync) is None:
            raise ConfigError(f"--sync {self.sync} is no interval: write always, 500ms, 10s or 2m")

    @property
    def is_local(self) -> bool:
        """Whether workers of this host alone reach it."""
        return is_loopback(self.host)

    @property
    def listens_on(self) -> str:
        """Where workers find it."""
        return place_text(self.host, self.port)

    def endpoint_for(self, user: NodeUser) -> NatsEndpoint:
        """Return this node's server as one of its users reaches it from this host."""
        host = self.own.host if self.own is not None and self.host in _EVERYWHERE else self.host
        certificate = None if self.is_local else self.certificate
        return NatsEndpoint(
            f"node {self.name}",
            hosts=((host, self.port),),
            username=user.name,
            password=user.password,
            tls=None if certificate is None else Tls(str(certificate.ca)),
            timeout=_ANSWERS_WITHIN,
            connect_timeout=_ANSWERS_WITHIN,
        )

    @property
    def needs_certificate(self) -> bool:
        """Whether anybody reaches it over a network."""
        return bool(self.own and self.others) or not self.is_local

    @property
    def own(self) -> NodePeer | None:
        """This node as the others reach it."""
        return next((peer for peer in self.peers if peer.name == self.name), None)

    @property
    def others(self) -> tuple[NodePeer, ...]:
        """All but this one."""
        return tuple(peer for peer in self.peers if peer.name != self.name)

    def text(self, users: Sequence[NodeUser], keeper: NodeUser) -> str:
        """Return the file, with the passwords of users and of the one who keeps leaders even."""
        publish = (*_PUBLISH, *self.asks)
        known = [*(_user(user, publish) for user in users), _user(keeper, _LEADS)]
        rows = {
            "server_name": self.name,
            "listen": self.listens_on,
            "max_payload": MESSAGE_BYTES,
            "jetstream": {
                "store_dir": str(self.folder),
                "max_file_store": self.disk,
                "max_memory_store": self.memory // 4,
                "sync_interval": self.sync,
            },
            "accounts": {_ACCOUNT: {"jetstream": "enabled", "users": known}},
            "lame_duck_duration": _DURATION,
            "lame_duck_grace_period": _GRACE,
        }
        if not self.is_local:
            rows["tls"] = self._tls()
        if self.own is not None and self.others:
            rows["cluster"] = {
                "name": _CLUSTER,
                "listen": self.own.listens_on,
                "routes": [f"nats://{peer.place}" for peer in self.others],
                "no_advertise": True,  # clients know by their URL where they may go
                "tls": self._tls() | {self._verification: True},
                **({} if self.advertise is None else {"advertise": self.advertise}),
            }
        return "".join(f"{name}: {json.dumps(value)}\n" for name, value in rows.items())

    @property
    def _verification(self) -> str:
        """How the others are known; the server finds names in certificates, and no addresses."""
        by_name = all(not is_address(peer.host) for peer in self.peers)
        return "verify_cert_and_check_known_urls" if by_name else "verify"

    def _tls(self) -> dict[str, Any]:
        if self.certificate is None:
            raise ConfigError("whoever is reached over a network needs a certificate")
        return {
            "cert_file": str(self.certificate.cert),
            "key_file": str(self.certificate.key),
            "ca_file": str(self.certificate.ca),
            "min_version": "1.2",
            "timeout": 5,
        }


def _user(user: NodeUser, publish: Sequence[str]) -> dict[str, Any]:
    permissions = {"publish": publish, "subscribe": ["_INBOX.>"]}
    return {"user": user.name, "password": user.password, "permissions": permissions}


def quantity(text: str) -> int:
    """Return the bytes of ``512MB`` or ``10G``.

    Raises:
        ConfigError: it is no number of bytes.
    """
    found = _QUANTITY.fullmatch(text.upper())
    if found is None or int(found[1]) == 0:
        raise ConfigError(f"{text!r} is no number of bytes: write it as in 512MB or 10GB")
    return int(found[1]) * _UNITS[found[2]]
