"""The result of a theft: what the thief got, and what became of the session. Pure.

``thief`` goes and steals; ``routes.theft`` shows both sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import msgspec

from sessile import SessionInfo
from sessile.core.binding import OnMismatch
from sessile.core.trail import CLIENT_CHANGED
from sessile.core.value import Instant
from sessile.demo.activity import Entry, entries
from sessile.demo.policies import name_of, parse
from sessile.demo.shop_client import ShopResponse
from sessile.demo.thief import Attack


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


class TheftResult(msgspec.Struct, frozen=True, tag=True):
    """The result of one theft, as it was when the thief had gone.

    Attributes:
        attack: how it was done.
        policy: the name of the policy it met.
        session: the id of the session.
        at: when the thief set out.
        responses: to the thief's requests.
    """

    attack: Attack
    policy: str
    session: str
    at: Instant
    responses: list[ShopResponse]

    @property
    def last(self) -> ShopResponse:
        """The last response to the thief."""
        return self.responses[-1]

    @property
    def got_in(self) -> bool:
        """Whether the thief was taken for the user."""
        return self.last.body.get("user") is not None

    @property
    def rotated(self) -> bool:
        """Whether the thief was handed a newer ticket."""
        return any(one.new_ticket for one in self.responses)


_ACTIONS: Final = {
    OnMismatch.RECORD: "It noticed another client and let it in. This policy only writes it down: "
    "an event, and a line in your activity.",
    OnMismatch.ROTATE: "It noticed another client, let it in, and turned the ticket. Whoever of "
    "you two comes too late with an old one ends the session.",
    OnMismatch.STEP_UP: "It noticed another client and locked it out: for that client the session "
    "is nobody's until the password is given. You go on.",
    OnMismatch.END: "It noticed another client and ended the session, for the thief and for you.",
}
_NOTHING: Final = (
    "The policy did nothing: it looks at clients, and this one looked just like yours. "
)
_REPLAY: Final = (
    "The ticket told. The thief had used it up, so that yours was an old one: when your browser "
    "came with it for this page, the session ended for both of you."
)
_NOT_YET: Final = "Your session lives; the first old ticket that comes back too late ends it."


@dataclass(frozen=True, slots=True)
class TheftView:
    """What became of the session, as the store shows it now: after your own next request.

    Attributes:
        action: what the shop did, in words.
        ended: whether the session has ended.
        lines: what its trail has since the thief set out, newest first.
    """

    action: str
    ended: bool
    lines: Sequence[Entry]

    @classmethod
    def of(
        cls,
        result: TheftResult,
        *,
        live: SessionInfo | None,
        evidence: SessionInfo | None,
        now: Instant,
    ) -> Self:
        """Return the view of a theft.

        Args:
            result: what the thief got.
            live: the session, if it lives.
            evidence: what is kept of it, if it was ended for theft.
            now: the time.
        """
        info = live or evidence
        new = [] if info is None else [line for line in info.trail if line.at >= result.at]
        noticed = not result.got_in or any(line.what == CLIENT_CHANGED for line in new)
        lines = [] if info is None else entries([info], now)[: len(new)]
        return cls(_action(result, noticed=noticed, ended=live is None), live is None, lines)


def _action(result: TheftResult, *, noticed: bool, ended: bool) -> str:
    if noticed:
        return _ACTIONS[parse(result.policy)]
    return _NOTHING + (_REPLAY if ended else _NOT_YET)
