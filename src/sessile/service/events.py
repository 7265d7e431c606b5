"""What happened, as frozen facts told to hooks. No fact holds a ticket, a verifier or a value.

A hook is called with each fact before the answer leaves; an async hook is started and finishes on
its own (see ``wire.background.tasks``). ``sessile.sinks`` has ready-made ones.
"""

from collections.abc import Awaitable
from enum import Enum
from typing import Protocol

import msgspec

from sessile.core.binding import OnMismatch
from sessile.core.client import Client
from sessile.core.identity import Lock
from sessile.core.ticket import Key
from sessile.core.value import Instant, Seconds


class End(Enum):
    """Why a session ended before its time."""

    LOGOUT = "logout"
    LOGIN = "replaced at login"
    LIMIT = "over the owner's limit"
    COMMAND = "ended from the server"
    REPLAY = "a used ticket came back"
    THEFT = "another session of its owner was stolen"
    MISMATCH = "another client presented its ticket"


class RefusalReason(Enum):
    """Why a presented ticket opened nothing."""

    SHAPE = "not a ticket"
    AMBIGUOUS = "two places of the request carry a ticket, or one carries two"
    UNKNOWN = "no live session"
    OVER = "its session was replaced or logged out a moment ago"
    STRANGER = "wrong verifier"


class Need(Enum):
    """What somebody lacked who was turned away from a handler."""

    LOGIN = "a login"
    ASSURANCE = "a higher level of assurance"
    FRESHNESS = "a more recent login"
    GRANT = "a grant for its purpose"


class Work(Enum):
    """What was timed."""

    OPEN = "open"
    SAVE = "save"


class _From(msgspec.Struct, frozen=True, kw_only=True):
    """The end of every fact: the client whose request it was; None when no request was."""

    client: Client | None = None


class Event(_From, frozen=True, tag=True):
    """One fact. ``at`` is seconds since 1970; ``session`` is the id, or None for none."""

    at: Instant
    session: Key | None


class Created(Event, frozen=True):
    """An anonymous session was stored."""


class LoginBegun(Event, frozen=True):
    """A first factor was given for a user, and another one is asked for."""

    owner: str


class LoggedIn(Event, frozen=True):
    """A session was made for an owner."""

    owner: str
    assurance: int = 1
    device: str = ""


class NewDevice(Event, frozen=True):
    """An owner logged in from a device, or from a network, that is not among those known."""

    owner: str
    device: str
    new_device: bool
    new_address: bool


class SteppedUp(Event, frozen=True):
    """The owner gave another factor: for a purpose, or to raise the session's assurance."""

    owner: str
    purpose: str | None
    assurance: int


class GrantUsed(Event, frozen=True):
    """A step-up's grant was spent on its purpose."""

    owner: str | None
    purpose: str


class Reopened(Event, frozen=True):
    """The owner of a locked session gave one factor, and it goes on."""

    owner: str


class Rotated(Event, frozen=True):
    """The ticket was replaced; the session is the same."""


class Locked(Event, frozen=True):
    """A locked session was presented: its request went on as nobody's."""

    reason: Lock
    owner: str | None


class Mismatched(Event, frozen=True):
    """A genuine ticket came from a client that does not match the session's binding.

    Attributes:
        owner: whose session it is.
        expected: the client it is bound to; ``client`` is the one that came.
        reaction: what the policy said to do about it.
    """

    owner: str | None
    expected: Client
    reaction: OnMismatch


class Ended(Event, frozen=True):
    """A session ended, and why."""

    reason: End
    owner: str | None


class EndedAll(Event, frozen=True):
    """Every session of everybody was ended from the server."""


class Expired(Event, frozen=True):
    """A request came for a session, or was serving one, whose time was over."""

    owner: str | None


class Refused(Event, frozen=True):
    """A request came with something that opened no session; it went on as anonymous."""

    reason: RefusalReason


class Denied(Event, frozen=True):
    """``require`` turned somebody away from a handler, with a 401 or a 403.

    Attributes:
        need: what they lacked.
        owner: who is logged in; None for nobody.
    """

    need: Need
    owner: str | None


class CrossSite(Event, frozen=True):
    """A request that would change something came from another site, and was answered with 403.

    Attributes:
        origin: what its Origin said; empty when it said none. It is the sender's text: escape it.
    """

    origin: str


class StaleTicket(Event, frozen=True):
    """A used ticket came in late from the session's own client, and its request was served.

    Attributes:
        owner: whose session it is.
        returned: whether the current ticket was handed over: a browser was killed before it wrote
            its cookie. Otherwise the request was held back on its way.
    """

    owner: str | None
    returned: bool


class Replayed(Event, frozen=True):
    """A genuine but used ticket was presented: theft shows. The session has been ended, or locked.

    Attributes:
        owner: whose session it was.
        expected: the client that used the session last; ``client`` brought the used ticket. Either
            of the two may be the thief.
        evidence: until when ``sessions.evidence(session)`` tells more; of a session that was
            locked, when it ends: its own trail tells.
    """

    owner: str | None
    expected: Client
    evidence: Instant


class Dropped(Event, frozen=True):
    """Changes were dropped: their session had ended, or a WebSocket never saved them."""

    keys: tuple[str, ...]


class Malformed(Event, frozen=True):
    """A stored record or value is none, or of other secrets, or was changed; it counts as absent.

    Attributes:
        keys: the session keys concerned; empty when it is the whole record.
    """

    keys: tuple[str, ...] = ()


class LimitReached(Event, frozen=True):
    """A login was refused, because its owner has as many sessions as allowed."""

    owner: str


class StoreFailing(Event, frozen=True):
    """The store did not answer, or rivals won every attempt: 503, unless it was for housekeeping.

    Attributes:
        store: its name, without credentials.
        why: the error's own words.
    """

    store: str
    why: str


class Timed(Event, frozen=True):
    """How long the session of one request took to open or to save; for hooks with ``timed``.

    Attributes:
        work: what was done.
        took: seconds, by a clock that never runs backwards.
        failed: whether it raised.
    """

    work: Work
    took: Seconds
    failed: bool = False


class Hook(Protocol):
    """Whatever is called with each event: a function, or an object with ``__call__``.

    It returns nothing, or something to await, as an ``async def`` does. One that has the attribute
    ``timed = True`` is called with ``Timed`` as well.
    """

    def __call__(self, event: Event, /) -> Awaitable[None] | None:
        """Take notice of an event."""
        ...
