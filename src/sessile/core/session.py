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
_LONGEST_USER = 512


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
        self._mint = mint
        self._now = now
        self._fresh: Ticket | None = None
        self._intent = Intent.KEEP
        self._inherits = True
        self._closed: str | None = None
        self._identify(record)

    def _identify(self, record: Record | None) -> None:
        """Be the session of that record, or nobody's."""
        self._record = record
        self._user = None if record is None else record.owner
        self._assurance = 0 if record is None else record.assurance
        self._authenticated_at = None if record is None else record.authenticated_at
        self._persistent = record is not None and record.persistent
        self._device = "" if record is None else record.device

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
        self,
        user: str,
        *,
        assurance: int = 1,
        remember: bool | None = None,
        device: str | None = None,
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

        What is None stays as it was for the same user, as at a rise of assurance.

        Raises:
            ConfigError: the user or the assurance is no such value.
        """
        self._writable()
        self.accessed = True
        _check_login(user, assurance)
        if self._user != user:
            if self._user is not None:
                self.clear()
                self._inherits = False
            remember, device = remember or False, device or ""
        self._fresh = self._mint()
        self._intent = Intent.LOGIN
        self._user, self._assurance = user, assurance
        self._authenticated_at = self._now
        if remember is not None:
            self._persistent = bool(remember)
        if device is not None:
            self._device = "".join(filter(str.isprintable, device))[:80]

    def logout(self) -> None:
        """End the session: on the server first, then the cookie. The mapping is empty at once."""
        self._writable()
        self.clear()
        self._intent = Intent.LOGOUT
        self._inherits = False
        self._fresh = None
        self._identify(None)

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
        self.accessed = True
        return self._persistent

    @property
    def device(self) -> str:
        """What the login called this client."""
        self.accessed = True
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

    def reopen(self, record: Record | None, values: Encoded, done: Intent) -> None:
        """Go on from what was just saved, as a WebSocket does.

        Args:
            record: as it is stored now; None when the session is over.
            values: its values in plain.
            done: the intent that was carried out; a newer one is still to be.
        """
        self.rebase(values)
        if self._intent is done:
            self._intent, self._inherits, self._fresh = Intent.KEEP, True, None
            self._identify(record)

    def _writable(self) -> None:
        if self._closed is not None:
            raise TooLate(self._closed)

    def __repr__(self) -> str:
        known = self._fresh or self._record
        return f"<Session {known.key if known else 'unsaved'}>"


def _check_login(user: object, assurance: object) -> None:
    if type(user) is not str:
        kind = type(user).__name__
        raise ConfigError(f"login takes the user's key as a text, not {kind}: login(str(...))")
    if not 0 < len(user) <= _LONGEST_USER or not is_text(user):
        raise ConfigError(
            "login takes the user's key as a text of 1 to 512 characters without lone surrogates; "
            f"this one has {len(user)}"
        )
    if type(assurance) is not int or not 1 <= assurance <= 9:
        raise ConfigError(f"assurance={assurance!r}: write a whole number from 1 to 9")
