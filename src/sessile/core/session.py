"""The session that an application holds: a mapping with an identity. ``service.commit`` saves it.

Nothing here does I/O. ``login``, ``logout`` and ``rotate`` are intents, carried out when the
request is committed, which is before the response headers leave.
"""

from collections.abc import Callable
from enum import Enum
from typing import cast

from sessile.core.record import Record
from sessile.core.ticket import Key, Ticket
from sessile.core.value import Codec, Encoded, Instant, Value, is_text
from sessile.core.values import Values
from sessile.errors import ConfigError, TooLate

FLASHES = "_flashes"


class Intent(Enum):
    """What the application asked for beside changing values."""

    KEEP = "keep"
    LOGIN = "login"
    LOGOUT = "logout"
    ROTATE = "rotate"


class Session(Values):
    """One client's session: a mutable mapping of values, and who it belongs to.

    Its ``repr`` shows the id alone: never a value, a user or a ticket.
    """

    __slots__ = (
        "_assurance",
        "_authenticated_at",
        "_closed",
        "_device",
        "_fresh",
        "_inherits",
        "_intent",
        "_mint",
        "_now",
        "_persistent",
        "_record",
        "_user",
    )  # fmt: skip

    def __init__(
        self,
        record: Record | None,
        values: Encoded,
        *,
        codec: Codec,
        mint: Callable[[], Ticket],
        now: Instant,
    ) -> None:
        super().__init__(values, codec)
        self._record = record
        self._mint = mint
        self._now = now
        self._fresh: Ticket | None = None
        self._intent = Intent.KEEP
        self._inherits = True
        self._closed: str | None = None
        if record is None:
            self._user: str | None = None
            self._assurance = 0
            self._authenticated_at: Instant | None = None
            self._persistent = False
            self._device = ""
        else:
            self._user = record.owner
            self._assurance = record.assurance
            self._authenticated_at = record.authenticated_at
            self._persistent = record.persistent
            self._device = record.device

    @property
    def id(self) -> Key:
        """The session's handle, twenty characters; safe to show and to log. It opens nothing."""
        self.accessed = True
        if self._fresh is None and self._record is not None:
            return Key(self._record.key)
        return self.fresh().key

    @property
    def user(self) -> str | None:
        """Who is logged in; None for an anonymous visitor."""
        self.accessed = True
        return self._user

    @property
    def new(self) -> bool:
        """Whether the client came without a session that lives."""
        self.accessed = True
        return self._record is None

    @property
    def assurance(self) -> int:
        """How well the user proved who they are: 0 not at all, 1 and up as the login said."""
        self.accessed = True
        return self._assurance

    @property
    def authenticated_at(self) -> Instant | None:
        """When the user proved who they are, in seconds since 1970."""
        self.accessed = True
        return self._authenticated_at

    @property
    def record(self) -> Record | None:
        """The stored record this session was opened from, for its clocks; None when new."""
        self.accessed = True
        return self._record

    def login(
        self, user: str, *, assurance: int = 1, remember: bool = False, device: str = ""
    ) -> None:
        """Log a user in: a new session with a new id; the old one ends, without grace.

        An anonymous visitor's values, and those of the same user, are carried over. The values of
        another user are not.

        Args:
            user: the user's key in your database, as text.
            assurance: the level reached, 1 for one factor; NIST SP 800-63B-4 counts to 3.
            remember: keep the cookie when the browser closes, with the policy's longer clocks.
            device: what to call this client in a list of the user's sessions; 80 characters at
                most are kept.

        Raises:
            ConfigError: the user or the assurance is no such value.
        """
        self._writable()
        self.accessed = True
        if type(user) is not str or not 0 < len(user) <= 512 or not is_text(user):
            raise ConfigError(
                f"login takes the user's key as a text, as in login(str({_kind(user)}))"
            )
        if type(assurance) is not int or not 1 <= assurance <= 9:
            raise ConfigError(f"assurance={assurance!r}: write a whole number from 1 to 9")
        if self._user is not None and self._user != user:
            self.clear()
            self._inherits = False
        self._fresh = self._mint()
        self._intent = Intent.LOGIN
        self._user, self._assurance = user, assurance
        self._authenticated_at, self._persistent = self._now, remember
        self._device = "".join(filter(str.isprintable, device))[:80]

    def logout(self) -> None:
        """End the session: on the server first, then the cookie. The mapping is empty at once."""
        self._writable()
        self.clear()
        self._fresh = None
        self._inherits = False
        self._intent = Intent.LOGOUT
        self._user, self._assurance = None, 0
        self._authenticated_at, self._persistent = None, False

    def rotate(self) -> None:
        """Replace the ticket now, as after any change of privilege. The id stays."""
        self._writable()
        self.accessed = True
        if self._intent is Intent.KEEP:
            self._intent = Intent.ROTATE

    def flash(self, message: str, category: str = "message") -> None:
        """Leave a message for the next page. Parallel flashes are all kept."""
        waiting = cast("list[Value]", self.setdefault(FLASHES, []))
        waiting.append((category, message))

    def flashes(self) -> list[tuple[str, str]]:
        """Take the waiting messages, as (category, message), oldest first."""
        if FLASHES not in self:
            return []
        return cast("list[tuple[str, str]]", self.pop(FLASHES))

    # What follows is for the service and the web floor.

    @property
    def intent(self) -> Intent:
        """What the commit is to do beside saving values."""
        return self._intent

    @property
    def persistent(self) -> bool:
        """Whether the cookie outlives the browser."""
        return self._persistent

    @property
    def device(self) -> str:
        """What the login called this client."""
        return self._device

    @property
    def inherits(self) -> bool:
        """Whether the values that the session was opened with are still its own."""
        return self._inherits

    def fresh(self) -> Ticket:
        """Return the ticket a new session will have; drawn once."""
        if self._fresh is None:
            self._fresh = self._mint()
        return self._fresh

    def close(self, reason: str) -> None:
        """Refuse every later change, with that reason."""
        self._closed = reason

    def reopen(self, record: Record | None, values: Encoded) -> None:
        """Go on from what was just saved, as a WebSocket does."""
        self.rebase(values)
        self._record, self._fresh, self._intent = record, None, Intent.KEEP

    def _writable(self) -> None:
        if self._closed is not None:
            raise TooLate(self._closed)

    def __repr__(self) -> str:
        known = self._fresh or self._record
        return f"<Session {known.key if known else 'unsaved'}>"


def _kind(user: object) -> str:
    return "..." if isinstance(user, str) else f"<{type(user).__name__}>"
