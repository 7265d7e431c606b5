"""The deadlines of a session as a visitor sees them: what ends when. Pure; ``page`` shows them."""

from dataclasses import dataclass
from typing import Self

from sessile import Policy, SessionInfo
from sessile.core.value import Instant, Seconds
from sessile.demo.times import span, stamp


@dataclass(frozen=True, slots=True)
class Deadline:
    """One deadline.

    Attributes:
        name: of the rule.
        meaning: what happens then.
        left: how long until then, for people.
        at: when, for machines.
        part: the share of the whole time that is left, in thousandths.
    """

    name: str
    meaning: str
    left: str
    at: str
    part: int

    @classmethod
    def until(cls, end: Instant, *, name: str, meaning: str, now: Instant, whole: Seconds) -> Self:
        """Return the deadline, as seen now."""
        left = max(end - now, 0)
        return cls(name, meaning, span(left), stamp(end), round(1000 * left / whole))


def deadlines(policy: Policy, info: SessionInfo, now: Instant) -> list[Deadline]:
    """Return the deadlines of a session that is being used now."""
    idle = policy.idle_for(persistent=info.remembered)
    absolute = policy.absolute_for(persistent=info.remembered)
    shown = [
        Deadline.until(
            min(now + idle, info.ends),
            name="Idle",
            meaning="ends if you do nothing",
            now=now,
            whole=idle,
        ),
        Deadline.until(
            info.ends,
            name="Absolute",
            meaning="ends whatever you do",
            now=now,
            whole=absolute,
        ),
    ]
    if policy.rotate is not None:
        rotation = Deadline.until(
            info.rotated + policy.rotate,
            name="Rotation",
            meaning="the ticket in your cookie is replaced",
            now=now,
            whole=policy.rotate,
        )
        shown.append(rotation)
    return shown
