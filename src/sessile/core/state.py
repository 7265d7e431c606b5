"""What the service reads and writes of a session during one request. ``core.session`` is its face.

Nothing here does I/O: what an application wants is left as an intent, which the commit carries out.
"""

from collections.abc import Callable

import msgspec

from sessile.core.changes import DEFAULT_LIMIT
from sessile.core.identity import ANYONE, Identity, Intent, Lock
from sessile.core.mapping import Values
from sessile.core.record import Record
from sessile.core.size import SizeLimit
from sessile.core.ticket import Key, Ticket
from sessile.core.value import Codec, Encoded, Instant
from sessile.errors import TooLate


class SessionState:
    """A session within one request: as it was opened, and what was done to it since.

    Args:
        record: as it is stored; None when the client came without a session that lives.
        values: its values in plain; none while it is locked.
        codec: values to bytes and back.
        mint: makes a ticket.
        now: when the request was opened.
        lock: why the record opens for nobody, if it is so.
        limit: how much it may hold.

    Attributes:
        values: what it holds.
        intent: what the commit is to do beside saving values.
        inherits: whether the values that the session was opened with are still its own.
        purpose: what the step-up of this request allows.
        notes: the lines to add to the trail.
        remember: whether a session that begins in this request is to be remembered, where its login
            does not say; None leaves it as it was.
        says_remember: whether the login of this request does say.
        saved_version: of the record, as the handler itself had it stored; 0 where it did not.
        must_store: whether it is stored even if it holds nothing.
        is_stored: whether it is one that was stored in this request, as by a login.
        accessed: whether the application has looked at it, so that the answer depends on it.
        presented: the ticket that a visitor came with, which opens nothing. It proves nothing.
        is_stale: whether that session was replaced or logged out a moment ago.
        now: the time by which the request is judged. A WebSocket's goes on.
    """

    # What most requests never change stands here, shared, until one does: see ``core.mapping``.
    accessed = False
    inherits = True
    intent = Intent.KEEP
    is_stale = False
    is_stored = False
    must_store = False
    notes: tuple[str, ...] = ()
    presented: Ticket | None = None
    purpose: str | None = None
    remember: bool | None = None
    saved_version = 0
    says_remember = False
    _closed: str | None = None
    _identity: Identity | None = None
    _ticket: Ticket | None = None

    def __init__(
        self,
        record: Record | None,
        values: Encoded,
        codec: Codec,
        mint: Callable[[], Ticket],
        now: Instant,
        *,
        lock: Lock | None = None,
        limit: SizeLimit = DEFAULT_LIMIT,
    ) -> None:
        self._mint = mint
        self.lock = lock
        self.now = now
        self.record = record
        self.values = Values(values, codec, limit)

    @property
    def identity(self) -> Identity:
        """Who it belongs to, as the application left it; read from the record when first asked."""
        if self._identity is None:
            known = self.record is not None and self.lock is None
            self._identity = self.record.identity if known and self.record else ANYONE
        return self._identity

    @property
    def undecided(self) -> bool:
        """Whether this request has said nothing yet of who it is."""
        return self.intent is Intent.KEEP or self.intent is Intent.ROTATE

    @property
    def key(self) -> Key:
        """The session's id; that of a new one is drawn when it is first asked for."""
        if self._ticket is None and self.record is not None:
            return Key(self.record.key)
        return self.new_ticket().key

    @property
    def known_key(self) -> Key | None:
        """The session's id as far as there is one already."""
        known = self._ticket or self.record
        return None if known is None else Key(known.key)

    def new_ticket(self) -> Ticket:
        """Return the ticket that a new session will have; made once."""
        if self._ticket is None:
            self._ticket = self._mint()
        return self._ticket

    def check_open(self) -> None:
        """Refuse a change that would be lost.

        Raises:
            TooLate: the session was closed; the message says why.
        """
        if self._closed is not None:
            raise TooLate(self._closed)

    def close(self, reason: str) -> None:
        """Refuse every later change, with that reason."""
        self._closed = reason

    def become(self, intent: Intent, identity: Identity) -> None:
        """Make it a new session of that identity, under a ticket that was never seen."""
        self._ticket = self._mint()
        self.intent, self._identity = intent, identity

    def claim(self, user: str) -> Identity:
        """Return who that user was here before; what belongs to anybody else is left behind."""
        before = self.identity if self.lock is None else self.identity_on_record()
        if before.owner == user:
            return before
        if before.owner is not None or self.has_other_login(user):
            self.disinherit()
        return ANYONE

    def has_other_login(self, user: str) -> bool:
        """Tell whether somebody else began a login here: what was set meanwhile may be theirs."""
        pending = self.identity.pending
        return pending is not None and pending.user != user

    def identity_on_record(self) -> Identity:
        """Return whose the stored record is, locked or not."""
        assert self.record is not None
        return self.record.identity

    def disinherit(self) -> None:
        """Begin with no values: those there were belong to somebody else."""
        self.values.clear()
        self.inherits = False

    def follow(self, user: str | None, *, named: str | None = None) -> None:
        """Take it for said that somebody logged in, or out: other code left word in the values.

        What belonged to another user goes, but for what this request has set.

        Args:
            user: who it is now.
            named: whom the values named before, be they the session's owner or not.
        """
        if user is None:
            self._leave()
            return
        before = self.identity if self.lock is None else self.identity_on_record()
        if {before.owner, named} - {None, user} or self.has_other_login(user):
            self.values.keep_written()
            self.inherits = False
        persistent, ticket = bool(self.remember), self._ticket
        who = Identity(owner=user, assurance=1, authenticated_at=self.now, persistent=persistent)
        self.become(Intent.LOGIN, who)
        self._ticket = ticket or self._ticket  # a CSRF token may be bound to it already

    def wish_remembered(self, wish: bool) -> None:
        """Remember, or not, whoever logs in in this request, unless the login says otherwise."""
        self.remember = wish
        if self.intent is Intent.LOGIN and not self.says_remember:
            self._identity = msgspec.structs.replace(self.identity, persistent=wish)

    def begin_remembered(self) -> None:
        """Remember a visitor's session that begins in this request."""
        if self.record is None and self.undecided:
            self._identity = msgspec.structs.replace(self.identity, persistent=True)

    def log_out(self) -> None:
        """Make it nobody's, and empty; what is set after it begins a new one."""
        self.values.clear()
        self._leave()

    def _leave(self) -> None:
        self.values.keep_written()
        self.inherits = False
        self.intent = Intent.LOGOUT
        self.must_store = False
        self._ticket = None
        self._assign(None, None)

    def note_lost(self, login: str) -> None:
        """Note the lost login that the half finished one is to find."""
        pending = self.identity.pending
        if pending is not None:
            pending = msgspec.structs.replace(pending, lost=login)
            self._identity = msgspec.structs.replace(self.identity, pending=pending)

    def forget_grant(self, purpose: str, version: int) -> None:
        """Forget a grant that was used up in the store, and note the record's version since."""
        self.saved_version = version
        rest = {name: until for name, until in self.identity.grants.items() if name != purpose}
        self._identity = msgspec.structs.replace(self.identity, grants=rest)

    def resume(self, record: Record | None, values: Encoded, done: Intent) -> None:
        """Go on from what was just saved, as a WebSocket does.

        Args:
            record: as it is stored now; None when the session is over.
            values: its values in plain.
            done: the intent that was carried out; a newer one is still to be.
        """
        self.values.rebase(values)
        self.notes, self.must_store = (), False
        if self.intent is done:
            self.intent, self.inherits, self._ticket = Intent.KEEP, True, None
            self._assign(record, self.lock if record is self.record else None)

    def _assign(self, record: Record | None, lock: Lock | None) -> None:
        self.record, self.lock, self._identity = record, lock, None

    def __repr__(self) -> str:
        return f"<SessionState {self.known_key or 'unsaved'}>"
