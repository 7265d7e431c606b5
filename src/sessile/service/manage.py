"""What is done to sessions from outside their own requests: list them, end them, sweep them."""

from collections.abc import Collection
from enum import Enum
from typing import Final

from sessile.core.credentials import check_user
from sessile.core.info import SessionInfo
from sessile.core.record import Record, RecordKind
from sessile.core.session import Session, state_of
from sessile.core.ticket import Key, is_key
from sessile.core.value import Instant
from sessile.errors import ConfigError
from sessile.service.context import Context
from sessile.service.end import end_one, end_owned
from sessile.service.events import End, EndedAll
from sessile.service.options import check_owners
from sessile.service.owned import gather_owned
from sessile.service.tombstones import follow_tombstones
from sessile.stores.contract import Capability, Corrupt
from sessile.wire.log import log_undurable_end

_ONE_BY_ONE: Final = "end one of them by its id, all with end_everybody()"


class AnyOwner(Enum):
    """Stands for every owner. None is a visitor who is not logged in, and owns no session."""

    ANY = "any owner"  # for operators; the request of a user names that user


async def sessions_of(
    context: Context, owner: str, current: Key | Session | None
) -> list[SessionInfo]:
    """Return the owner's live sessions, oldest login first.

    Raises:
        NoUser: that is no user.
        ConfigError: the store cannot tell which they are.
    """
    check_user(owner, "of({})")
    check_owners(context.store, _ONE_BY_ONE)
    now, here = context.clock(), _ids(current)

    def info_of(found: Record | Corrupt) -> SessionInfo | None:
        info = _live(context, found, now, here)
        return info if info is not None and info.user == owner else None  # it may be planted

    return await gather_owned(context, owner, info_of)


async def scan(context: Context, cursor: str | None = None) -> tuple[list[SessionInfo], str | None]:
    """Return some of all live sessions, and where to go on; None at the end.

    Raises:
        ConfigError: the store cannot list what it holds.
    """
    if Capability.SCAN not in context.store.capabilities:
        owned = Capability.OWNERS in context.store.capabilities
        advice = "name a user with --owner" if owned else "show one by its id"
        raise ConfigError(f"{context.store.name} cannot list all sessions; {advice}")
    page = await context.store.scan(cursor)
    infos = (_live(context, found, context.clock()) for found in page.records)
    return [info for info in infos if info is not None], page.cursor


async def show(context: Context, session_id: str) -> SessionInfo | None:
    """Return one live session; None when there is none of that id."""
    record = await _read(context, session_id)
    return None if record is None else _live(context, record, context.clock())


async def evidence(context: Context, session_id: str) -> SessionInfo | None:
    """Return the evidence of a session that was ended for theft; None when there is none."""
    record = await _read(context, session_id)
    if record is None or record.kind is not RecordKind.EVIDENCE:
        return None
    return SessionInfo.of(record)


async def end(
    context: Context, session_id: str, owner: str | AnyOwner | None = AnyOwner.ANY
) -> bool:
    """End one session, or the one that it goes on in.

    False when there was none of that id, or not one of that owner. None owns nothing.

    Raises:
        NoUser: that is no owner.
    """
    if owner is not None and not isinstance(owner, AnyOwner):
        check_user(owner, "end(..., owner={})")
    record = await follow_tombstones(context, await _read(context, session_id))
    if record is None or record.kind is not RecordKind.SESSION or not _is_owned(record, owner):
        return False
    key, now = Key(record.key), context.clock()
    if not record.live_at(now):
        return False
    return await end_one(context, key, record.owner, End.COMMAND, now) is not None


async def end_all(context: Context, owner: str, keep: Key | Session | None) -> int:
    """End the owner's sessions but one; return how many ended.

    Raises:
        NoUser: that is no user.
        ConfigError: the store cannot tell which they are.
    """
    check_user(owner, "end_all({})")
    check_owners(context.store, _ONE_BY_ONE)
    return await end_owned(context, owner, End.COMMAND, context.clock(), keep=_ids(keep))


async def end_everybody(context: Context) -> str | None:
    """End every session of everybody; return, and log, why a crash may bring them back, if so."""
    now = context.clock()
    risk = await context.store.end_everybody()
    context.sealer.forget(None)
    if risk is not None:
        log_undurable_end(context.store.name, risk)
    context.emit(EndedAll(now, None))
    return risk


async def sweep(context: Context, batch: int) -> int:
    """Remove up to ``batch`` expired records; return how many. 0 means none are left."""
    return await context.store.sweep(context.clock(), batch)


async def _read(context: Context, session_id: str) -> Record | None:
    """Return the record of an id whose time is not over; None where there is none."""
    if not is_key(session_id):
        return None
    record = context.intact(await context.store.read(Key(session_id)))
    return record if record is not None and record.live_at(context.clock()) else None


def _live(
    context: Context, found: Record | Corrupt, now: Instant, current: Collection[str] = ()
) -> SessionInfo | None:
    """Return the session that was found; None where it is none, or lives no more."""
    record = context.intact(found)
    if record is None or record.kind is not RecordKind.SESSION:
        return None
    return _info(context, record, now, current) if context.policy.lives(record, now) else None


def _info(
    context: Context, record: Record, now: Instant, current: Collection[str] = ()
) -> SessionInfo:
    locked = context.policy.is_locked(record, now)
    return SessionInfo.of(record, current=record.key in current, locked=locked)


def _is_owned(record: Record, owner: str | AnyOwner | None) -> bool:
    """Tell whether a session may be ended for the sake of that owner. Nobody has none."""
    return owner is AnyOwner.ANY or (owner is not None and owner == record.owner)


def _ids(given: Key | Session | None) -> set[str]:
    """Return the ids of a session: two, between a step-up and the end of its request."""
    if not isinstance(given, Session):
        return set() if given is None else {given}
    state = state_of(given)
    return {state.key} if state.record is None else {state.key, state.record.key}
