"""What happened, as frozen facts told to hooks. No fact holds a ticket, a verifier or a value."""

from collections.abc import Callable
from enum import Enum
from typing import TypeAlias

import msgspec

from sessile.core.ticket import Key
from sessile.core.value import Instant


class End(Enum):
    """Why a session ended before its time."""

    LOGOUT = "logout"
    LOGIN = "replaced at login"
    LIMIT = "over the owner's limit"
    COMMAND = "ended from the server"
    REPLAY = "a used ticket came back"


class Refusal(Enum):
    """Why a presented ticket opened nothing."""

    SHAPE = "not a ticket"
    AMBIGUOUS = "the cookie stands twice in the request"
    UNKNOWN = "no live session"
    OVER = "its session was replaced or logged out a moment ago"
    STRANGER = "wrong verifier"


class Event(msgspec.Struct, frozen=True, tag=True):
    """One fact. ``at`` is seconds since 1970; ``session`` is the id, or None for none."""

    at: Instant
    session: Key | None


class Created(Event, frozen=True):
    """An anonymous session was stored."""


class LoggedIn(Event, frozen=True):
    """A session was made for an owner."""

    owner: str


class Rotated(Event, frozen=True):
    """The ticket was replaced; the session is the same."""


class Ended(Event, frozen=True):
    """A session ended, and why."""

    reason: End
    owner: str | None


class Refused(Event, frozen=True):
    """A request came with something that opened no session; it went on as anonymous."""

    reason: Refusal


class Replayed(Event, frozen=True):
    """A genuine but used ticket was presented: theft shows. The session has been ended."""

    owner: str | None


class Dropped(Event, frozen=True):
    """Changes were dropped: their session had ended, or a WebSocket never saved them."""

    keys: tuple[str, ...]


class Malformed(Event, frozen=True):
    """A stored record or value was no record, or was tampered with; it counts as absent.

    Attributes:
        keys: the session keys concerned; empty when it is the whole record.
    """

    keys: tuple[str, ...] = ()


class LimitReached(Event, frozen=True):
    """A login was refused, because its owner has as many sessions as allowed."""

    owner: str


Hook: TypeAlias = Callable[[Event], None]
