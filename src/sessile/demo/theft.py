"""What a theft came to: what the thief got, and what became of the session. Pure.

``thief`` goes and steals; ``routes.theft`` shows the two side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from sessile import SessionInfo
from sessile.core.binding import Mismatch
from sessile.core.trail import Trail
from sessile.core.value import Instant
from sessile.demo.activity import Entry, entries
from sessile.demo.choice import word
from sessile.demo.thief import Loot, Way


@dataclass(frozen=True, slots=True)
class Option:
    """A policy to choose."""

    word: str
    name: str
    meaning: str


OPTIONS: Final = {
    Mismatch.RECORD: Option(
        word(Mismatch.RECORD),
        "Record",
        "The session goes on, for the other client as well. There is an event, and a line in your "
        "activity.",
    ),
    Mismatch.ROTATE: Option(
        word(Mismatch.ROTATE),
        "Rotate",
        "The session goes on with the other client, and its ticket turns. Two who hold copies take "
        "turns at it, until an old copy comes back too late: that ends the session.",
    ),
    Mismatch.STEP_UP: Option(
        word(Mismatch.STEP_UP),
        "Step up",
        "The other client gets a locked session, which is nobody's until the password is given. "
        "You notice a line in your activity and nothing else.",
    ),
    Mismatch.END: Option(
        word(Mismatch.END),
        "End",
        "The session ends for everybody who holds its ticket. The evidence is kept. Whoever "
        "changes networks is logged out as well.",
    ),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one theft came to, as the store tells it afterwards.

    Attributes:
        way: how it was done.
        loot: what each request brought.
        ended: whether the session has ended.
        turned: whether its ticket was replaced.
        lines: what its trail has now that it did not have before, newest first.
    """

    way: Way
    loot: Sequence[Loot]
    ended: bool
    turned: bool
    lines: Sequence[Entry]

    @classmethod
    def of(
        cls,
        way: Way,
        loot: Sequence[Loot],
        *,
        before: Trail,
        live: SessionInfo | None,
        evidence: SessionInfo | None,
        now: Instant,
    ) -> Self:
        """Return what a theft came to.

        Args:
            way: how it was done.
            loot: what each request brought.
            before: the session's trail before it.
            live: the session, if it lives.
            evidence: what is kept of it, if it was ended for theft.
            now: the time.
        """
        info = live or evidence
        new = [] if info is None else entries([info], now)
        return cls(
            way=way,
            loot=loot,
            ended=live is None,
            turned=any(one.renewed for one in loot),
            lines=new[: max(len(new) - len(before), 0)],
        )

    @property
    def last(self) -> Loot:
        """The last request of the thief."""
        return self.loot[-1]

    @property
    def got_in(self) -> bool:
        """Whether the thief was taken for the user."""
        return self.last.said.get("user") is not None
