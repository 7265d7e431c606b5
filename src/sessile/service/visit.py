"""A visit: one request's view of its session. ``opening`` makes it, ``commit`` finishes it."""

from sessile.core.carrier import Carrier
from sessile.core.client import NOBODY, Client
from sessile.core.identity import Lock
from sessile.core.record import Record
from sessile.core.request import Request
from sessile.core.session import Session
from sessile.core.ticket import Key, Ticket
from sessile.core.value import Encoded, Instant
from sessile.service.clients import came_from
from sessile.service.parts import Parts

_NONE: Encoded = {}


class Visit:
    """What was presented, what was found, and the session handed to the application.

    Args:
        parts: the collaborators.
        now: when the request was opened.
        request: what it says.
        carrier: how a ticket goes back.
        passive: whether the request counts as no activity.

    Attributes:
        session: the application's mapping.
        ticket: the presented ticket, once it proved genuine; that of a ``late`` visit is not
            proved, and opens nothing.
        record: the stored record; None for an anonymous visitor.
        stored: the record's values in plain.
        values: those of them that the application was shown, the base of a merge: all, or none
            while the session is locked.
        lock: why it is locked; None when it is not.
        hand_over: the successor that this client has not received.
        carried: whether the request carried anything where a ticket belongs.
        heir: the session in which that of a late visit goes on, if its ticket was the last one.
        late: whether its session was replaced or logged out while it was on its way. It must not
            start another one, whose cookie could take the place of a newer login's.
        moved: whether the session has a new client, which is to be written down.
        turn: whether the ticket is to be replaced before its time.
    """

    __slots__ = (
        "_client", "_parts", "carried", "carrier", "hand_over", "heir", "late", "lock", "moved",
        "now", "passive", "record", "request", "session", "stored", "ticket", "turn", "values",
    )  # fmt: skip

    def __init__(
        self,
        parts: Parts,
        now: Instant,
        request: Request,
        carrier: Carrier,
        *,
        passive: bool = False,
    ) -> None:
        self._parts = parts
        self._client: Client | None = None
        self.now = now
        self.request = request
        self.carrier = carrier
        self.passive = passive
        self.ticket: Ticket | None = None
        self.record: Record | None = None
        self.stored = self.values = _NONE
        self.lock: Lock | None = None
        self.hand_over: Ticket | None = None
        self.heir: Key | None = None
        self.carried = True
        self.late = self.moved = self.turn = False
        self.session: Session

    @property
    def client(self) -> Client:
        """Whose request it is; read when it is first asked for."""
        if self._client is None:
            known = NOBODY if self.record is None else self.record.client
            self._client = came_from(self._parts, self.request, known)
        return self._client

    def anonymous(self, late: Ticket | None = None) -> "Visit":
        """Be the visit of somebody who has no session; or has none any more, and is late."""
        self.ticket, self.late = late, late is not None
        self.record, self.stored = None, _NONE
        return self._seated()

    def opened(self, record: Record, values: Encoded) -> "Visit":
        """Be the visit of that session."""
        self.record, self.stored, self.values = record, values, values
        return self._seated()

    def locked(self, record: Record, values: Encoded, lock: Lock) -> "Visit":
        """Be the visit of that session, shown to nobody until its owner proves who they are."""
        self.record, self.stored, self.lock = record, values, lock
        return self._seated()

    def _seated(self) -> "Visit":
        parts = self._parts
        self.session = Session(
            self.record, self.values, parts.codec, parts.mint, self.now, lock=self.lock
        )
        return self
