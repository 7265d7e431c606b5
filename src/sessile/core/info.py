"""What may be shown of a stored session, to its owner and to operators. Nothing in it opens it."""

import msgspec

from sessile.core.record import Record
from sessile.core.ticket import Key
from sessile.core.trail import Trail
from sessile.core.value import Instant


class SessionInfo(msgspec.Struct, frozen=True):
    """A session as its owner or an operator sees it; nothing in it opens anything.

    Times are seconds since 1970 in UTC.

    Attributes:
        id: the handle, as in ``sessions.end(id)``.
        user: who is logged in, or None.
        device: what the login called the client, or ``"Chrome on Android"`` by its User-Agent.
        address: the client's when it was last noted; empty when unknown.
        created: when the session was made: first seen.
        last_seen: when it was last used, to a twentieth of the idle time.
        expires: when it ends if it is not used again.
        ends: when it ends whatever happens.
        assurance: the level of the login.
        remembered: whether the cookie outlives the browser.
        version: how often it was changed.
        rotated: when its ticket was last replaced.
        grants: for each purpose that a step-up allowed, until when.
        trail: what was done with it, when and from where.
        locked: whether its owner has to give a factor before it goes on.
        current: whether it is the session named as ``current``.
        presented: whether its client has used it yet. A login whose answer was lost leaves a
            session that nobody holds: it never blocks its user, and ends with the idle time.
    """

    id: Key
    user: str | None
    device: str
    address: str
    created: Instant
    last_seen: Instant
    expires: Instant
    ends: Instant
    assurance: int
    remembered: bool
    version: int
    rotated: Instant
    grants: dict[str, Instant]
    trail: Trail = ()
    locked: bool = False
    current: bool = False
    presented: bool = True

    @classmethod
    def of(cls, record: Record, *, current: bool = False, locked: bool = False) -> "SessionInfo":
        """Return the part of a record that may be shown."""
        return cls(
            id=Key(record.key),
            user=record.owner,
            device=record.device_name,
            address=record.client.address,
            created=record.created,
            last_seen=record.seen,
            expires=record.expires,
            ends=record.until,
            assurance=record.assurance,
            remembered=record.persistent,
            version=record.version,
            rotated=record.rotated,
            grants=record.grants,
            trail=record.trail,
            locked=locked,
            current=current,
            presented=record.presented,
        )
