"""A visit: one request's view of its session. ``opening`` makes it, ``commit`` finishes it."""

from sessile.core.record import Record
from sessile.core.session import Session
from sessile.core.ticket import Ticket
from sessile.core.value import Encoded, Instant
from sessile.service.parts import Parts


class Visit:
    """What was presented, what was found, and the session handed to the application.

    Attributes:
        session: the application's mapping.
        now: when the request was opened.
        ticket: the presented ticket, once it proved genuine; that of a ``late`` visit is not
            proved, and opens nothing.
        record: the stored record; None for an anonymous visitor.
        values: the record's values in plain, the base of a merge.
        hand_over: the successor that this client has not received.
        carried: whether the request carried anything under the cookie's name.
        late: whether its session was replaced or logged out while it was on its way. It must not
            start another one, whose cookie could take the place of a newer login's.
    """

    __slots__ = ("carried", "hand_over", "late", "now", "record", "session", "ticket", "values")

    def __init__(
        self,
        parts: Parts,
        now: Instant,
        *,
        ticket: Ticket | None = None,
        record: Record | None = None,
        values: Encoded | None = None,
        hand_over: Ticket | None = None,
        carried: bool = True,
        late: bool = False,
    ) -> None:
        self.now = now
        self.ticket = ticket
        self.record = record
        self.values: Encoded = {} if values is None else values
        self.hand_over = hand_over
        self.carried = carried
        self.late = late
        self.session = Session(record, self.values, codec=parts.codec, mint=parts.mint, now=now)
