"""The messages between a server and its parent, over ``channel``: commands, views of the fleet."""

from enum import Enum
from typing import Final

import msgspec

from sessile.balance import Affinity


class ServerPhase(Enum):
    """How a server is, as its process and the balancer's checks together tell."""

    UP = "up"
    UNREADY = "not ready"
    DOWN = "down"


class Member(msgspec.Struct, frozen=True):
    """One server: its name, its process (None when there is none), the requests it was given."""

    name: str
    phase: ServerPhase
    pid: int | None
    requests: int


class FleetView(msgspec.Struct, frozen=True):
    """All servers, and how clients are spread over them.

    Attributes:
        members: in the order of their names.
        affinity: what ties a client to a server.
        address: host and port of the balancer, on this machine; None before it listens.
        error: why the command was not carried out; empty when it was.
    """

    members: tuple[Member, ...]
    affinity: Affinity
    address: tuple[str, int] | None = None
    error: str = ""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The server listens."""


class GetView(msgspec.Struct, frozen=True, tag=True):
    """Do nothing but return the view."""


class Kill(msgspec.Struct, frozen=True, tag=True):
    """Kill a server's process with SIGKILL."""

    name: str


class Restart(msgspec.Struct, frozen=True, tag=True):
    """Start a killed server anew."""

    name: str


class SetAffinity(msgspec.Struct, frozen=True, tag=True):
    """Spread clients in another way."""

    affinity: Affinity


FleetCommand = Ready | GetView | Kill | Restart | SetAffinity

_encoder: Final = msgspec.json.Encoder()
COMMANDS: Final = msgspec.json.Decoder(FleetCommand)
VIEWS: Final = msgspec.json.Decoder(FleetView)


def encode(message: FleetCommand | FleetView) -> bytes:
    """Return the line that carries a message."""
    return _encoder.encode(message) + b"\n"
