"""What is done to sessions from outside their own requests: list them, end them, sweep them."""

from collections.abc import Collection
from enum import Enum

import msgspec

from sessile.core.record import Over, Record, heir_of
from sessile.core.session import Session
from sessile.core.ticket import Key, is_key
from sessile.core.trail import Trail
from sessile.core.value import Instant
from sessile.service.ending import end_one, end_owned
from sessile.service.events import End, EndedAll
from sessile.service.parts import Parts
from sessile.service.unseal import opened


class Whose(Enum):
    """Whose session may be ended. None is a visitor who is not logged in, and has none to end."""

    ANYBODYS = "anybody's"  # for operators; the request of a user names that user


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
        trail: what was done with it, when and from where.
        locked: whether its owner has to give a factor before it goes on.
        current: whether it is the session named as ``current``.
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
    trail: Trail = ()
    locked: bool = False
    current: bool = False

    @classmethod
    def of(cls, record: Record, *, current: bool = False, locked: bool = False) -> "SessionInfo":
        """Return what may be shown of a record."""
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
            trail=record.trail,
            locked=locked,
            current=current,
        )


async def sessions_of(parts: Parts, owner: str, current: Key | Session | None) -> list[SessionInfo]:
    """Return the owner's live sessions, oldest login first."""
    now = parts.clock()
    records = await parts.store.owned_by(owner, now)
    here = _ids(current)
    return [_info(parts, record, now, here) for record in records]


def _info(parts: Parts, record: Record, now: Instant, here: Collection[str] = ()) -> SessionInfo:
    current = record.key in here
    return SessionInfo.of(record, current=current, locked=parts.policy.locked(record, now))


async def show(parts: Parts, session_id: str) -> SessionInfo | None:
    """Return one live session; None when there is none of that id."""
    if not is_key(session_id):
        return None
    now = parts.clock()
    record = await parts.store.read(Key(session_id), now)
    return None if record is None or record.over else _info(parts, record, now)


async def evidence(parts: Parts, session_id: str) -> SessionInfo | None:
    """Return what is kept of a session that was ended for theft; None when there is nothing."""
    if not is_key(session_id):
        return None
    now = parts.clock()
    record = await parts.store.read(Key(session_id), now)
    if record is None or record.over is not Over.STOLEN or opened(parts, record, now) is None:
        return None
    return SessionInfo.of(record)


async def end(parts: Parts, session_id: str, owner: str | Whose | None = Whose.ANYBODYS) -> bool:
    """End one session, or the one that it goes on in.

    False when there was none of that id, or not one of that owner. None owns nothing.
    """
    if not is_key(session_id):
        return False
    key, now = Key(session_id), parts.clock()
    record = await parts.store.read(key, now)
    while record is not None and record.over:
        heir = heir_of(record)
        record = None if heir is None else await parts.store.read(heir, now)
    if record is None or not _theirs(record, owner):
        return False
    return await end_one(parts, Key(record.key), record.owner, End.COMMAND, now) is not None


def _theirs(record: Record, owner: str | Whose | None) -> bool:
    """Tell whether a session may be ended for the sake of that owner. Nobody has none."""
    return owner is Whose.ANYBODYS or (owner is not None and owner == record.owner)


async def end_all(parts: Parts, owner: str, keep: Key | Session | None) -> int:
    """End the owner's sessions but one; return how many ended."""
    return await end_owned(parts, owner, End.COMMAND, parts.clock(), keep=_ids(keep))


def _ids(given: Key | Session | None) -> set[str]:
    """Return the ids of a session: two, between a step-up and the end of its request."""
    if not isinstance(given, Session):
        return set() if given is None else {given}
    return {given.id} if given.record is None else {given.id, given.record.key}


async def end_everybody(parts: Parts) -> None:
    """End every session of everybody."""
    now = parts.clock()
    await parts.store.end_everybody(now)
    parts.tell(EndedAll(now, None))


async def sweep(parts: Parts, batch: int) -> int:
    """Remove up to ``batch`` expired records; return how many. 0 means none are left."""
    return await parts.store.sweep(parts.clock(), batch)
