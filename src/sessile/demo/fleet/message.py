"""What a server and its parent say to each other over ``line``: orders, and a view of the fleet."""

from enum import Enum
from typing import Final

import msgspec

from sessile.balance import Affinity


class Phase(Enum):
    """How a server is, as its process and the balancer's checks together tell."""

    UP = "up"
    UNREADY = "not ready"
    DOWN = "down"


class Member(msgspec.Struct, frozen=True):
    """One server: its name, its process (None when there is none), the requests it was given."""

    name: str
    phase: Phase
    pid: int | None
    requests: int


class View(msgspec.Struct, frozen=True):
    """All servers, and how clients are spread over them.

    Attributes:
        members: in the order of their names.
        affinity: what ties a client to a server.
        door: host and port of the balancer, for whoever is on this machine; None before it is open.
        refusal: why the order was not carried out; empty when it was.
    """

    members: tuple[Member, ...]
    affinity: Affinity
    door: tuple[str, int] | None = None
    refusal: str = ""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The server listens."""


class Look(msgspec.Struct, frozen=True, tag=True):
    """Nothing is to be done; the view is wanted."""


class Kill(msgspec.Struct, frozen=True, tag=True):
    """Kill a server's process with SIGKILL."""

    name: str


class Restart(msgspec.Struct, frozen=True, tag=True):
    """Start a killed server anew."""

    name: str


class Tie(msgspec.Struct, frozen=True, tag=True):
    """Spread clients in another way."""

    affinity: Affinity


Order = Ready | Look | Kill | Restart | Tie

_encoder: Final = msgspec.json.Encoder()
ORDERS: Final = msgspec.json.Decoder(Order)
VIEWS: Final = msgspec.json.Decoder(View)


def written(message: Order | View) -> bytes:
    """Return the line that says it."""
    return _encoder.encode(message) + b"\n"
