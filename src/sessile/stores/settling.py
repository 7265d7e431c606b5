"""What to do about a row with an intent: read through it, wait, and settle it. See ``intents``.

A reader never waits and never writes. A writer waits for a login that is not decided, and then
calls it off: its server may have crashed.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from sessile.core.value import Seconds
from sessile.stores.contract import Corrupt, Key, Record, unpack
from sessile.stores.intents import DecidedLogin, Intent, LockedRow, PreparedLogin, intent_of
from sessile.stores.key_value import SETTLE, RowServer, StoredRow
from sessile.stores.row import blob_lifetime
from sessile.wire.pause import pause

PATIENCE: Final[Seconds] = 0.2
"""How long a login that is not decided is waited for: it takes a few trips to the server."""

_FIRST_PAUSE: Final[Seconds] = 0.001
_LONGEST_PAUSE: Final[Seconds] = 0.016


class Patience:
    """Pauses, each longer than the one before, until it has waited long enough.

    Args:
        seconds: in all.
    """

    __slots__ = ("_left", "_next")

    def __init__(self, seconds: Seconds) -> None:
        self._left, self._next = seconds, _FIRST_PAUSE

    async def wait(self) -> bool:
        """Pause; tell whether it did, for there was patience left."""
        if self._left <= 0.0:
            return False
        await pause(self._next)
        self._left -= self._next
        self._next = min(2 * self._next, _LONGEST_PAUSE)
        return True


async def see_through(
    rows: RowServer,
    key: Key,
    row: bytes | None,
    tell: Callable[[Key], object] | None = None,
) -> bytes | None:
    """Return the record's bytes that count now, where a row may have an intent.

    Args:
        rows: of the store.
        key: of the row.
        row: its bytes; None for none.
        tell: called with the key where the record counts until a login is decided, which changes
            another row. It is told first, and looked at then: so nothing is decided in between.
    """
    while row is not None:
        intent = intent_of(row)
        if intent is None:
            return row
        if not isinstance(intent, LockedRow):
            return intent.record if isinstance(intent, DecidedLogin) else None
        login = await _login_of(rows, intent)
        if tell is not None and login is not None and isinstance(login[1], PreparedLogin):
            tell(key)
            login = await _login_of(rows, intent)
        if login is not None:
            return intent.record if isinstance(login[1], PreparedLogin) else intent.after or None
        found = await rows.get(key)  # it was settled between the two looks, or the lock is void
        if found is not None and found.value == row:
            return intent.record
        row = None if found is None else found.value
    return None


async def free(rows: RowServer, key: Key, patience: Seconds) -> StoredRow | None:
    """Return a row when no login is under way on it; settle what stands there."""
    left = Patience(patience)
    while True:
        row = await rows.get(key)
        intent = None if row is None else intent_of(row.value)
        if row is None or intent is None:
            return row
        if isinstance(intent, DecidedLogin):
            await finish(rows, key, row, intent)
        elif isinstance(intent, LockedRow):
            await _settle_lock(rows, key, row, intent, left)
        elif not await left.wait():
            await rows.remove(key, row.token, what=SETTLE)


class Removal(msgspec.Struct, frozen=True):
    """What became of a row that was to be removed.

    Attributes:
        found: what was in it; None where there was none.
        size: its bytes.
        stays: whether it is still there.
    """

    found: Record | Corrupt | None = None
    size: int = 0
    stays: bool = False


async def remove_if(
    rows: RowServer, key: Key, patience: Seconds, may_go: Callable[[Record | Corrupt], bool]
) -> Removal:
    """Remove a row if it may go, by what is in it then."""
    while True:
        row = await free(rows, key, patience)
        if row is None:
            return Removal()
        record = unpack(row.value, key)
        if not may_go(record):
            return Removal(record, len(row.value), stays=True)
        if await rows.remove(key, row.token, what="delete"):
            return Removal(record, len(row.value))


async def finish(rows: RowServer, key: Key, row: StoredRow, login: DecidedLogin) -> None:
    """Remove what a decided login ends; then it is a plain row."""
    for each in login.locked:
        found = await rows.get(each)
        lock = None if found is None else intent_of(found.value)
        if found is not None and isinstance(lock, LockedRow) and lock.nonce == login.nonce:
            await end_locked(rows, each, found, lock.after)
    await rows.swap(key, row.token, login.record, blob_lifetime(login.record, key), what=SETTLE)


async def end_locked(rows: RowServer, key: Key, row: StoredRow, after: bytes) -> None:
    """Put what remains of a session in its place."""
    if after:
        await rows.swap(key, row.token, after, blob_lifetime(after, key), what=SETTLE)
    else:
        await rows.remove(key, row.token, what=SETTLE)


async def _settle_lock(
    rows: RowServer, key: Key, row: StoredRow, lock: LockedRow, left: Patience
) -> None:
    """Finish the login that a lock names, or wait for it, or call it off; or take the lock away."""
    login = await _login_of(rows, lock)
    if login is not None:
        found, intent = login
        if isinstance(intent, DecidedLogin):
            await finish(rows, lock.by, found, intent)
            return
        if await left.wait() or not await rows.remove(lock.by, found.token, what=SETTLE):
            return
    await rows.swap(key, row.token, lock.record, blob_lifetime(lock.record, key), what=SETTLE)


async def _login_of(
    rows: RowServer, lock: LockedRow
) -> tuple[StoredRow, PreparedLogin | DecidedLogin] | None:
    """Return the login that a lock is of; None where it was settled, or called off."""
    row = await rows.get(lock.by)
    intent: Intent | None = None if row is None else intent_of(row.value)
    if row is None or intent is None or isinstance(intent, LockedRow) or intent.nonce != lock.nonce:
        return None
    return row, intent
