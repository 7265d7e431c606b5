"""The result of a theft: what the thief got, and what became of the session. Pure.

``thief`` goes and steals; ``routes.theft`` shows the two side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from sessile import SessionInfo
from sessile.core.binding import OnMismatch
from sessile.core.trail import Trail
from sessile.core.value import Instant
from sessile.demo.activity import Entry, entries
from sessile.demo.policies import name_of
from sessile.demo.thief import Attack, ThiefResponse


@dataclass(frozen=True, slots=True)
class Option:
    """A policy to choose."""

    word: str
    name: str
    meaning: str


OPTIONS: Final = {
    OnMismatch.RECORD: Option(
        name_of(OnMismatch.RECORD),
        "Record",
        "The session goes on, for the other client as well. There is an event, and a line in your "
        "activity.",
    ),
    OnMismatch.ROTATE: Option(
        name_of(OnMismatch.ROTATE),
        "Rotate",
        "The session goes on with the other client, and its ticket turns. Two who hold copies take "
        "turns at it, until an old copy comes back too late: that ends the session.",
    ),
    OnMismatch.STEP_UP: Option(
        name_of(OnMismatch.STEP_UP),
        "Step up",
        "The other client gets a locked session, which is nobody's until the password is given. "
        "You notice a line in your activity and nothing else.",
    ),
    OnMismatch.END: Option(
        name_of(OnMismatch.END),
        "End",
        "The session ends for everybody who holds its ticket. The evidence is kept. Whoever "
        "changes networks is logged out as well.",
    ),
}


@dataclass(frozen=True, slots=True)
class TheftResult:
    """The result of one theft, as the store shows it afterwards.

    Attributes:
        attack: how it was done.
        responses: to the thief's requests.
        ended: whether the session has ended.
        rotated: whether its ticket was replaced.
        lines: what its trail has now that it did not have before, newest first.
    """

    attack: Attack
    responses: Sequence[ThiefResponse]
    ended: bool
    rotated: bool
    lines: Sequence[Entry]

    @classmethod
    def of(
        cls,
        attack: Attack,
        responses: Sequence[ThiefResponse],
        *,
        before: Trail,
        live: SessionInfo | None,
        evidence: SessionInfo | None,
        now: Instant,
    ) -> Self:
        """Return the result of a theft.

        Args:
            attack: how it was done.
            responses: to the thief's requests.
            before: the session's trail before it.
            live: the session, if it lives.
            evidence: what is kept of it, if it was ended for theft.
            now: the time.
        """
        info = live or evidence
        new = [] if info is None else entries([info], now)
        return cls(
            attack=attack,
            responses=responses,
            ended=live is None,
            rotated=any(one.new_ticket for one in responses),
            lines=new[: max(len(new) - len(before), 0)],
        )

    @property
    def last(self) -> ThiefResponse:
        """The last request of the thief."""
        return self.responses[-1]

    @property
    def got_in(self) -> bool:
        """Whether the thief was taken for the user."""
        return self.last.body.get("user") is not None
