"""What is done to sessions from outside their own requests: list them, end them, sweep them."""

import msgspec

from sessile.core.record import Record
from sessile.core.ticket import Key, is_key
from sessile.core.value import Instant
from sessile.service.events import End
from sessile.service.login import end_one
from sessile.service.parts import Parts


class SessionInfo(msgspec.Struct, frozen=True):
    """A session as its owner or an operator sees it; nothing in it opens anything.

    Times are seconds since 1970 in UTC.

    Attributes:
        id: the handle, as in ``sessions.end(id)``.
        user: who is logged in, or None.
        device: what the login called the client.
        created: when the session was made.
        last_seen: when it was last used, to a twentieth of the idle time.
        expires: when it ends if it is not used again.
        ends: when it ends whatever happens.
        assurance: the level of the login.
        remembered: whether the cookie outlives the browser.
        version: how often it was changed.
        current: whether it is the session named as ``current``.
    """

    id: Key
    user: str | None
    device: str
    created: Instant
    last_seen: Instant
    expires: Instant
    ends: Instant
    assurance: int
    remembered: bool
    version: int
    current: bool = False

    @classmethod
    def of(cls, record: Record, current: Key | None = None) -> "SessionInfo":
        """Return what may be shown of a record."""
        return cls(
            id=Key(record.key),
            user=record.owner,
            device=record.device,
            created=record.created,
            last_seen=record.seen,
            expires=record.expires,
            ends=record.until,
            assurance=record.assurance,
            remembered=record.persistent,
            version=record.version,
            current=record.key == current,
        )


async def sessions_of(parts: Parts, owner: str, current: Key | None) -> list[SessionInfo]:
    """Return the owner's live sessions, oldest login first."""
    records = await parts.store.owned_by(owner, parts.clock())
    return [SessionInfo.of(record, current) for record in records]


async def show(parts: Parts, session_id: str) -> SessionInfo | None:
    """Return one live session; None when there is none of that id."""
    if not is_key(session_id):
        return None
    record = await parts.store.read(Key(session_id), parts.clock())
    return None if record is None or record.over else SessionInfo.of(record)


async def end(parts: Parts, session_id: str) -> bool:
    """End one session. False when there was none of that id."""
    if not is_key(session_id):
        return False
    key, now = Key(session_id), parts.clock()
    record = await parts.store.read(key, now)
    if record is None or record.over:
        return False
    return await end_one(parts, key, record.owner, End.COMMAND, now) is not None


async def end_all(parts: Parts, owner: str, keep: Key | None) -> int:
    """End the owner's sessions but one; return how many ended."""
    now, ended = parts.clock(), 0
    for record in await parts.store.owned_by(owner, now):
        if record.key != keep:
            last = await end_one(parts, Key(record.key), owner, End.COMMAND, now)
            ended += last is not None
    return ended


async def sweep(parts: Parts, batch: int) -> int:
    """Remove up to ``batch`` expired records; return how many. 0 means none are left."""
    return await parts.store.sweep(parts.clock(), batch)
