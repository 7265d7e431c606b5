"""How long and how much the balancer endures. ``peer`` and ``pool`` keep to it."""

from dataclasses import dataclass

from sessile.errors import ConfigError


@dataclass(frozen=True, slots=True)
class BalancerLimits:
    """Bounds on time (seconds) and room.

    Args:
        connect: until a server that does not accept is unreachable.
        answer: until a server that is silent before its answer is given up with 504.
        stall: until a peer that neither sends nor takes the body it owes is given up.
        idle: for a client to send its next request.
        head: bytes of a request's head; more is 431.
        spare: unused connections kept open per server.
        grace: for requests in flight when the balancer stops.
    """

    connect: float = 2.0
    answer: float = 30.0
    stall: float = 30.0
    idle: float = 60.0
    head: int = 32 * 1024
    spare: int = 32
    grace: float = 5.0

    def __post_init__(self) -> None:
        if min(self.connect, self.answer, self.stall, self.idle, self.head) <= 0:
            raise ConfigError("connect, answer, stall, idle and head must be above 0")
        if min(self.spare, self.grace) < 0:
            raise ConfigError("spare and grace must not be below 0")
