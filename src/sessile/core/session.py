"""The session that an application holds: a mapping with an identity. ``service.commit`` saves it.

Nothing here does I/O. ``login``, ``logout`` and ``rotate`` are intents, carried out when the
request is committed, which is before the response headers leave.
"""

from collections.abc import Callable
from typing import Final, cast

from sessile.core.authentication import Authentication
from sessile.core.identity import Lock
from sessile.core.intent import Intent
from sessile.core.record import Record
from sessile.core.ticket import Key, Ticket
from sessile.core.trail import printable
from sessile.core.value import Codec, Encoded, Instant
from sessile.errors import ConfigError, TooLate

FLASHES: Final = "_flashes"


class Session(Authentication):
    """One client's session: a mutable mapping of values, and who it belongs to.

    Its ``repr`` shows the id alone: never a value, a user or a ticket.
    """

    __slots__ = ("_closed", "_notes", "_wanted")

    def __init__(
        self,
        record: Record | None,
        values: Encoded,
        codec: Codec,
        mint: Callable[[], Ticket],
        now: Instant,
        *,
        lock: Lock | None = None,
    ) -> None:
        super().__init__(record, values, codec, mint, now, lock=lock)
        self._closed: str | None = None
        self._notes: tuple[str, ...] = ()
        self._wanted = False

    @property
    def id(self) -> Key:
        """The session's handle, twenty characters; safe to show and to log. It opens nothing."""
        self.accessed = True
        if self._fresh is None and self._record is not None:
            return Key(self._record.key)
        return self.fresh().key

    @property
    def new(self) -> bool:
        """Whether the client came without a session that lives."""
        self.accessed = True
        return self._record is None

    @property
    def record(self) -> Record | None:
        """The stored record this session was opened from, for its clocks; None when new."""
        self.accessed = True
        return self._record

    def note(self, what: str) -> None:
        """Add a line to the session's trail, as in ``note("changed the password")``.

        It is stored with when, the client's address and its device; 80 characters at most.

        Raises:
            ConfigError: it is no text.
        """
        self._writable()
        self.accessed = True
        if type(what) is not str:
            raise ConfigError(f"note takes a text, not {type(what).__name__}")
        self._notes += (printable(what),)

    def keep(self) -> None:
        """Store this session even if it holds nothing, as a form's token needs it."""
        self._writable()
        self.accessed = True
        self._wanted = True

    def logout(self) -> None:
        """End the session: on the server first, then the cookie. The mapping is empty at once."""
        self._writable()
        self.clear()
        self._intent = Intent.LOGOUT
        self._inherits = self._wanted = False
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
        self.setdefault(FLASHES, []).append((category, message))

    def flashes(self) -> list[tuple[str, str]]:
        """Take the waiting messages, as (category, message), oldest first."""
        if FLASHES not in self:
            return []
        return cast("list[tuple[str, str]]", self.pop(FLASHES))

    # What follows is for the service and the web floor.

    @property
    def notes(self) -> tuple[str, ...]:
        """The lines to add to the trail."""
        return self._notes

    @property
    def kept(self) -> bool:
        """Whether it is to be stored even if it holds nothing."""
        return self._wanted

    def fresh(self) -> Ticket:
        """Return the ticket a new session will have; drawn once."""
        if self._fresh is None:
            self._fresh = self._mint()
        return self._fresh

    def close(self, reason: str) -> None:
        """Refuse every later change, with that reason."""
        self._closed = reason

    def resume(self, record: Record | None, values: Encoded, done: Intent) -> None:
        """Go on from what was just saved, as a WebSocket does.

        Args:
            record: as it is stored now; None when the session is over.
            values: its values in plain.
            done: the intent that was carried out; a newer one is still to be.
        """
        self.rebase(values)
        self._notes, self._wanted = (), False
        if self._intent is done:
            self._intent, self._inherits, self._fresh = Intent.KEEP, True, None
            self._identify(record, self._lock if record is self._record else None)

    def _writable(self) -> None:
        if self._closed is not None:
            raise TooLate(self._closed)

    def __repr__(self) -> str:
        known = self._fresh or self._record
        return f"<Session {known.key if known else 'unsaved'}>"
