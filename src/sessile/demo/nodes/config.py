"""What a node's process is told, in its environment. ``process`` writes it, ``child`` reads it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import msgspec

from sessile.cluster.authority import files_of
from sessile.cluster.configuration import NodeConfig
from sessile.cluster.peers import parse_peers
from sessile.demo.fleet.port import LOOPBACK

_NAME: Final = "SESSILE_DEMO_NODE"
_ASKS: Final = ("$JS.API.STREAM.NAMES",)  # so that the page knows which streams there are
_SYNC: Final = "10s"
_DISK: Final = 1 << 30


class DemoNodeConfig(msgspec.Struct, frozen=True):
    """One node's configuration. The secrets stand beside it.

    Attributes:
        name: of the node.
        peers: itself as it listens, and the others as it reaches them.
        port: where it listens for workers.
        folder: holds the folder of each node, and ``certificates``.
        advertise: where nobody listens. Else one that it was parted from would be told by another
            one where it is, and go round the wire.
    """

    name: str
    peers: str
    port: int
    folder: str
    advertise: str

    @classmethod
    def from_environ(cls) -> Self:
        """Return the configuration this process was started with."""
        return msgspec.json.decode(os.environ[_NAME], type=cls)

    def environ(self, common: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a process with this configuration."""
        return {**common, _NAME: msgspec.json.encode(self).decode()}

    def node(self) -> NodeConfig:
        """Return how the node is set."""
        folder = Path(self.folder)
        return NodeConfig(
            self.name,
            parse_peers(self.peers),
            folder / self.name,
            LOOPBACK,
            self.port,
            files_of(folder / "certificates", self.name),
            disk=_DISK,
            sync=_SYNC,
            asks=_ASKS,
            advertise=self.advertise,
        )
