"""The messages between a server and its parent, over ``channel``: commands, views of the fleet."""

from enum import Enum
from typing import Final

import msgspec

from sessile.balance import Affinity
from sessile.demo.near_figures import NearFigures
from sessile.demo.nodes.status import NodesStatus


class ServerPhase(Enum):
    """How a server is, as its process and the balancer's checks together tell."""

    UP = "up"
    DRAINING = "draining"
    UNREADY = "not ready"
    DOWN = "down"


class Member(msgspec.Struct, frozen=True):
    """One server.

    Attributes:
        name: what the page calls it.
        phase: how it is.
        pid: of its process; None when there is none.
        requests: how many it was given.
        active: how many of them are under way, WebSockets included.
        near: how its near cache does; None before it has told, and where it has none.
    """

    name: str
    phase: ServerPhase
    pid: int | None
    requests: int
    active: int = 0
    near: NearFigures | None = None


class FleetView(msgspec.Struct, frozen=True):
    """All servers, and how clients are spread over them.

    Attributes:
        members: in the order of their names.
        affinity: what ties a client to a server.
        address: host and port of the balancer, on this machine; None before it listens.
        has_routes: whether the servers hand out the cookie that leads to them, so that they can be
            drained.
        error: why the command was not carried out; empty when it was.
        nodes: of the store, where the demo runs them.
    """

    members: tuple[Member, ...]
    affinity: Affinity
    address: tuple[str, int] | None = None
    has_routes: bool = False
    error: str = ""
    nodes: NodesStatus | None = None

    def can_store(self, server: str) -> bool:
        """Tell whether the nodes take what a server stores; without nodes nobody knows better."""
        return self.nodes is None or self.nodes.can_store(server)


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The server listens."""


class GetView(msgspec.Struct, frozen=True, tag=True):
    """Do nothing but return the view."""


class NoteNear(msgspec.Struct, frozen=True, tag=True):
    """Note how the near cache of the server that sends this does."""

    near: NearFigures


class Kill(msgspec.Struct, frozen=True, tag=True):
    """Kill a server's process with SIGKILL, and its node with it."""

    name: str


class Restart(msgspec.Struct, frozen=True, tag=True):
    """Start a killed server anew."""

    name: str


class Drain(msgspec.Struct, frozen=True, tag=True):
    """Send nobody new to a server."""

    name: str


class Undrain(msgspec.Struct, frozen=True, tag=True):
    """Send new clients to it again."""

    name: str


class SetAffinity(msgspec.Struct, frozen=True, tag=True):
    """Spread clients in another way."""

    affinity: Affinity


class Part(msgspec.Struct, frozen=True, tag=True):
    """Part the network: a server and its node from the others."""

    name: str


class Heal(msgspec.Struct, frozen=True, tag=True):
    """Join the network again."""


FleetCommand = (
    Ready | GetView | NoteNear | Kill | Restart | Drain | Undrain | SetAffinity | Part | Heal
)

_encoder: Final = msgspec.json.Encoder()
COMMANDS: Final = msgspec.json.Decoder(FleetCommand)
VIEWS: Final = msgspec.json.Decoder(FleetView)


def encode(message: FleetCommand | FleetView) -> bytes:
    """Return the line that carries a message."""
    return _encoder.encode(message) + b"\n"
