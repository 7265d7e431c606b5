"""One request's unit of work: ``open`` begins it, ``commit`` stores what the application did.

What opening found is a frozen value, ``Opened``. What a commit does follows from it and from what
the application asked for: ``service.commit`` has the table.
"""

from enum import Enum

import msgspec

from sessile.core.carrier import Carrier
from sessile.core.client import NOBODY, Client
from sessile.core.identity import Intent, Lock
from sessile.core.record import Record
from sessile.core.request import Request
from sessile.core.state import SessionState
from sessile.core.ticket import Key, Ticket
from sessile.core.value import Encoded, Instant
from sessile.service.clients import client_of
from sessile.service.context import Context

_NOTHING: Encoded = {}


class Standing(Enum):
    """Where a request stands towards the session that it came for."""

    __hash__ = object.__hash__  # members are singletons; Enum's own is slow, and asked per request

    ANONYMOUS = "no session"
    STALE = "its session was replaced or logged out while the request was on its way"
    LIVE = "a session that is its own"
    LOCKED = "a session that opens for nobody until its owner proves who they are"


class Opened(msgspec.Struct, frozen=True):
    """What opening found.

    Attributes:
        standing: where the request stands. A stale one must not start another session, whose cookie
            could take the place of a newer login's.
        carrier: how a ticket goes back.
        presented: whether the request carried anything where a ticket belongs.
        is_ambiguous: whether it carried more than one, so that none counts.
        record: the stored record; None for an anonymous visitor.
        values: the record's values in plain.
        ticket: the presented ticket, once it proved genuine; that of a stale request is not proved,
            and opens nothing.
        lock: why the session is locked; None when it is not.
        reissue: the successor that this client has not received.
        unrotated: whether the request neither turns the session's ticket nor is handed one: it was
            held back and its own is stale, or its path or carrier is named so.
        replaced_by: the session in which that of a stale request goes on, if its ticket was the
            last one.
        login: the login that took the place of a stale request's session, if its ticket was the
            last one; the client may never have learned of it.
        client_changed: whether the session has a new client, which is to be written down.
        rotate_now: whether the ticket is to be replaced before its time.
    """

    standing: Standing
    carrier: Carrier
    presented: bool = True
    is_ambiguous: bool = False
    record: Record | None = None
    values: Encoded = _NOTHING
    ticket: Ticket | None = None
    lock: Lock | None = None
    reissue: Ticket | None = None
    replaced_by: Key | None = None
    login: Key | None = None
    client_changed: bool = False
    rotate_now: bool = False
    unrotated: bool = False

    @property
    def shown(self) -> Encoded:
        """The values that the application sees, the base of a merge: none of a locked session."""
        return _NOTHING if self.lock is not None else self.values

    def __repr__(self) -> str:
        return f"<Opened {self.standing.name}: {self.record!r}>"


class CommitOutcome(msgspec.Struct, frozen=True):
    """What a commit came to.

    Attributes:
        record: as it is stored now; None where the request has no session any more.
        ticket: to be handed to the client; None for none.
    """

    record: Record | None
    ticket: Ticket | None = None

    def __repr__(self) -> str:
        return f"<CommitOutcome {self.record!r}>"


class Transaction:
    """One request: what it says, what opening it found, and the state the application works on.

    Args:
        context: the collaborators.
        request: what it says.
        now: when it was opened.
        passive: whether the request counts as no activity.
        unrotated: whether it turns no ticket, and is handed none of its session.

    Attributes:
        is_sign_of_life: whether its end is activity, however long it took.
        opened: what opening found.
        state: the session within this request.
    """

    __slots__ = (
        "_client", "context", "is_sign_of_life", "now", "opened", "passive", "request", "state",
        "unrotated",
    )  # fmt: skip

    opened: Opened
    state: SessionState

    def __init__(
        self,
        context: Context,
        request: Request,
        now: Instant,
        *,
        passive: bool = False,
        unrotated: bool = False,
    ) -> None:
        self._client: Client | None = None
        self.context = context
        self.request = request
        self.now = now
        self.passive = passive
        self.unrotated = unrotated
        self.is_sign_of_life = not passive

    def takes(self, record: Record, now: Instant) -> bool:
        """Tell whether what the request did may go into that record, as its clocks are now.

        A request that is under way keeps its session alive; a WebSocket, and a poll, do not.
        """
        used = self.now if self.is_sign_of_life else now
        return self.context.policy.lives(record, now, used)

    @property
    def client(self) -> Client:
        """Whose request it is; looked at when it is first asked for."""
        if self._client is None:
            return self.client_beside(self.opened.record)
        return self._client

    def client_beside(self, record: Record | None) -> Client:
        """Return whose request it is: the very client of the record, where the two are equal."""
        if self._client is None:
            known = NOBODY if record is None else record.client
            self._client = client_of(self.context, self.request, known)
        return self._client

    def begin(self, opened: Opened) -> "Transaction":
        """Take what opening found; from here on there is a state to work on."""
        context = self.context
        self.opened = opened
        if opened.record is not None and context.worker is not None:
            context.worker.traffic.see(opened.record.key)
        self.state = SessionState(
            opened.record,
            opened.values if opened.lock is None else _NOTHING,
            context.codec,
            context.mint,
            self.now,
            lock=opened.lock,
            limit=context.policy.size_limit,
        )
        if opened.record is None and opened.presented:
            self.state.presented = self._find_ticket()
            self.state.is_stale = opened.standing is Standing.STALE
        return self

    def _find_ticket(self) -> Ticket | None:
        """Return the ticket of a visitor, which opened nothing."""
        _, found = self.context.carriers.find(self.request)
        return Ticket.parse(found) if isinstance(found, str) else None

    def resume(self, outcome: CommitOutcome, done: Intent) -> None:
        """Go on from what was just saved, as a WebSocket does.

        Args:
            outcome: of the commit.
            done: the intent that was carried out; a newer one is still to be.
        """
        self.is_sign_of_life = False
        opened, record = self.opened, outcome.record
        lock = opened.lock if record is opened.record else None
        if record is None:
            stale = opened.standing is Standing.STALE
            standing, values = Standing.STALE if stale else Standing.ANONYMOUS, _NOTHING
        elif lock is not None:
            standing, values = Standing.LOCKED, opened.values
        else:
            standing, values = Standing.LIVE, self.context.sealer.unseal(record)
        self.opened = msgspec.structs.replace(
            opened, standing=standing, record=record, values=values, lock=lock,
            client_changed=False, rotate_now=False,
        )  # fmt: skip
        self.state.resume(record, self.opened.shown, done)
