"""The kinds of events and their reasons: the few words that metrics and traces may group by."""

from enum import Enum
from typing import Final, get_type_hints

from sessile.service import events
from sessile.service.events import Event

KINDS: Final[tuple[type[Event], ...]] = tuple(
    thing
    for thing in vars(events).values()
    if isinstance(thing, type) and issubclass(thing, Event) and thing is not Event
)
"""Every kind of event, in the order of ``service.events``."""

_REASONS: Final = ("reason", "reaction")
"""The fields that say why, each an enum."""


def name_of(event: Event) -> str:
    """Return the name of the event's kind, as in ``"LoggedIn"``."""
    return type(event).__name__


def reason_of(event: Event) -> str:
    """Return the name of its reason or reaction, as in ``"LOGOUT"``; empty for none."""
    for field in _REASONS:
        reason = getattr(event, field, None)
        if isinstance(reason, Enum):  # never text, which a client might choose
            return reason.name
    return ""


def reason_type(kind: type[Event]) -> type[Enum] | None:
    """Return the enum of the reasons that events of a kind have; None for those without."""
    hints = get_type_hints(kind)
    for field in _REASONS:
        hint = hints.get(field)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return hint
    return None
