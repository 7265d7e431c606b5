"""How many sessions a user may have, and which end for one more. ``core.policy`` has one."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

from sessile.core.options import suggest_options
from sessile.errors import ConfigError

K = TypeVar("K")

_LARGEST_LIMIT: Final = 10_000


class OnLimit(Enum):
    """What happens when a user has as many sessions as allowed, and logs in once more."""

    END_OLDEST = "end oldest"  # the newest login wins; a thief with the password throws you out
    END_OTHERS = "end others"  # the newest login alone stays
    REFUSE = "refuse"  # the oldest wins; whoever forgot to log out waits for the idle clock


@suggest_options
@dataclass(frozen=True, slots=True)
class Limit:
    """How many sessions a user may have, and what happens beyond.

    Args:
        number: of sessions, the new one included; a login beyond it looks at so many.
        on_limit: what happens beyond.

    Raises:
        ConfigError: no such number, or no such thing.
    """

    number: int
    on_limit: OnLimit = OnLimit.END_OLDEST

    def __post_init__(self) -> None:
        if type(self.number) is not int or not 1 <= self.number <= _LARGEST_LIMIT:
            raise ConfigError(
                f"limit={self.number!r}: write a whole number from 1 to {_LARGEST_LIMIT}, or None"
            )
        if not isinstance(self.on_limit, OnLimit):
            members = ", ".join(f"OnLimit.{member.name}" for member in OnLimit)
            raise ConfigError(f"on_limit={self.on_limit!r}: write one of {members}")

    def excess(self, others: Sequence[K]) -> Sequence[K] | None:
        """Return which of a user's other sessions end for the sake of one more; None refuses it.

        Args:
            others: those that live, oldest login first; none that is nobody's by now.
        """
        over = len(others) + 1 - self.number
        if over <= 0:
            return ()
        if self.on_limit is OnLimit.REFUSE:
            return None
        return others if self.on_limit is OnLimit.END_OTHERS else others[:over]


MOST_SESSIONS: Final = Limit(1_000)
"""A user's sessions where no limit is given: more than anybody has who is no runaway script."""
