"""The three steps of a tour: what a visitor has done so far, kept in the session. Pure.

They are a set inside the session, so that two requests that each add one at once both keep theirs.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from enum import Enum
from typing import cast

from sessile.core.value import Value


class Step(Enum):
    """What there is to do; the order is that of the page."""

    CART = "cart"
    KILL = "kill"
    THEFT = "theft"


@dataclass(frozen=True, slots=True)
class StepLink:
    """One step as the page shows it.

    Attributes:
        title: what to do.
        why: what there is to see.
        href: where it is done.
        done: whether it was.
    """

    title: str
    why: str
    href: str
    done: bool


_TEXTS = {
    Step.CART: ("Fill the cart", "It is a list in your session.", "/#shop"),
    Step.KILL: ("Kill a server", "Your session does not live in one.", "/#servers"),
    Step.THEFT: ("Get robbed", "See what a thief gets to see.", "/theft"),
}


def mark(session: MutableMapping[str, Value], step: Step) -> None:
    """Note in the session that a step was done."""
    done = cast("set[str]", session.setdefault("steps", set()))
    done.add(step.value)


def links(session: MutableMapping[str, Value]) -> list[StepLink]:
    """Return all steps, in their order."""
    done = cast("set[str]", session.get("steps", set()))
    return [StepLink(*text, done=step.value in done) for step, text in _TEXTS.items()]
