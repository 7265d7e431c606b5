"""What went wrong with a peer. ``peer`` raises it, ``error_response`` has the answer."""

from enum import Enum

from sessile.errors import SessileError


class Side(Enum):
    """On which side of the balancer a peer is."""

    CLIENT = "client"
    SERVER = "server"


class Fault(Enum):
    """How a peer failed."""

    CLOSED = "closed the connection early"
    PROTOCOL = "broke the protocol"
    SILENT = "fell silent"


class PeerFailed(SessileError):  # noqa: N818  (the name says what is wrong)
    """A peer failed in the middle of something. It never leaves the balancer.

    Attributes:
        side: which peer.
        fault: how.
        hint: the status that a client's breach of protocol deserves.
    """

    def __init__(self, side: Side, fault: Fault, *, hint: int = 400) -> None:
        super().__init__(f"the {side.value} {fault.value}")
        self.side = side
        self.fault = fault
        self.hint = hint


class Unreachable(SessileError):  # noqa: N818
    """Nobody listens there; nothing was sent. It never leaves the balancer.

    Attributes:
        name: the server's.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"server {name!r} cannot be reached")
        self.name = name
