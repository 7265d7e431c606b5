"""Judge whether a server is well. Pure; ``probe`` and ``forwarder`` bring the observations.

Two things are known of a server and neither overrules the other: whether it answers (``alive``,
from observations) and whether somebody asked that it be emptied (``draining``, by hand). A server
that is drained and dies is down; when it comes back it is still draining.

    alive  draining   state    new clients   bound clients
    yes    no         UP       yes           yes
    yes    yes        DRAIN    no            yes
    no     either     DOWN     no            no
"""

from dataclasses import dataclass, replace
from enum import Enum

from sessile.errors import ConfigError


class State(Enum):
    """What a server may be given."""

    UP = "up"
    DRAIN = "drain"
    DOWN = "down"


class Observation(Enum):
    """One observation of a server."""

    WELL = "well"  # a check was answered as it should be
    ILL = "ill"  # a check failed; it counts towards ``fall``
    GONE = "gone"  # a request found nobody listening; no need to see it twice


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How health is asked for, and how many answers it takes to believe a change.

    Args:
        path: asked with GET; any status below 500 is well.
        interval: seconds between two checks of one server.
        timeout: seconds until an unanswered check has failed.
        rise: checks in a row that bring a server up.
        fall: checks in a row that take it down.
    """

    path: str = "/"
    interval: float = 1.0
    timeout: float = 1.0
    rise: int = 2
    fall: int = 2

    def __post_init__(self) -> None:
        if not self.path.startswith("/"):
            raise ConfigError(f"the health path {self.path!r} must start with '/'")
        if min(self.interval, self.timeout) <= 0 or min(self.rise, self.fall) < 1:
            raise ConfigError("interval and timeout must be above 0, rise and fall at least 1")


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of one server. A new server is believed to be well until it fails.

    ``streak`` counts the observations in a row that contradict ``alive``.
    """

    alive: bool = True
    draining: bool = False
    streak: int = 0

    @property
    def state(self) -> State:
        """Return the state; the table above is the whole rule."""
        if not self.alive:
            return State.DOWN
        return State.DRAIN if self.draining else State.UP

    def after(self, observation: Observation, check: HealthCheck) -> "Health":
        """Return the health after one more observation."""
        if observation is Observation.GONE:
            return replace(self, alive=False, streak=0)
        if (observation is Observation.WELL) == self.alive:
            return replace(self, streak=0)
        if self.streak + 1 < (check.fall if self.alive else check.rise):
            return replace(self, streak=self.streak + 1)
        return replace(self, alive=not self.alive, streak=0)
