"""The acts of a store on a server that changes one row at a time; ``key_value`` says what it does.

A login alone takes more than one row as one act: ``two_phase_login``.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, cast

from sessile.core.flow import Flow
from sessile.core.value import Seconds
from sessile.errors import KeyTaken, LostRace, StoreUnavailable
from sessile.stores.contract import (
    COMMITTED,
    GONE,
    PAGE_BYTES,
    Change,
    CommitResult,
    Conflict,
    Corrupt,
    Deleted,
    Key,
    Page,
    Record,
    Replacement,
    ReplaceResult,
    pack,
    unpack,
)
from sessile.stores.intents import PreparedLogin, intent_of
from sessile.stores.key_value import IndexEntry, OwnerIndex, RowServer, Token
from sessile.stores.row import is_session, milliseconds, row_lifetime, version_start
from sessile.stores.settling import PATIENCE, Patience, free, remove_if, see_through
from sessile.stores.two_phase_login import TwoPhaseLogin
from sessile.wire.together import together

ATTEMPTS: Final = 100
"""Of a login: each one that fails is a rival's that stands, or was called off."""

_LOOKS: Final = 4
"""At a page of an index, until nothing on it is gone."""

_TOGETHER: Final = 8
"""Rows that are asked for in one trip, where their bytes are counted."""


class KeyValueStore:
    """Records in the rows of a server, and its owners' index, if it can keep one.

    Attributes:
        name: of the store.

    Args:
        rows: the server's.
        index: None where owners cannot be kept.
        patience: how long a login that is under way is waited for, before it is called off.
    """

    name: str

    def __init__(
        self, rows: RowServer, index: OwnerIndex | None = None, patience: Seconds = PATIENCE
    ) -> None:
        self._rows, self._index, self._patience = rows, index, patience

    async def read(self, key: Key) -> Record | Corrupt | None:
        """Return the record of that key."""
        row = await self._rows.get(key)
        return None if row is None else await self._load(key, row.value)

    async def create(self, record: Record) -> None:
        """Store a new record."""
        key = Key(record.key)
        if await self._rows.add(key, pack(record), row_lifetime(record), what="create") is None:
            raise KeyTaken(key)

    async def commit(self, change: Change) -> CommitResult:
        """Replace the record if its version is the expected one."""
        record, key = change.record, Key(change.record.key)
        blob = pack(record)
        start = version_start(blob, key, change.expected)
        while True:
            token, found = await self._advance(change, start, blob)
            if token is not None:
                return COMMITTED
            intent = None if found is None else intent_of(found)
            if found is None or isinstance(intent, PreparedLogin):
                return GONE
            if intent is None:
                current = unpack(found, key)
                return current if isinstance(current, Corrupt) else Conflict(current)
            await free(self._rows, key, self._patience)

    async def _advance(
        self, change: Change, start: bytes, blob: bytes
    ) -> tuple[Token | None, bytes | None]:
        """Write a new version; now and then see besides that its owner's index has it.

        A fail-over can lose the entry and not the row, and the session would be hidden from its
        owner. Each one is touched now and then, or has its ticket rotated, and that is when.
        """
        record, key = change.record, Key(change.record.key)
        lasts, owner = row_lifetime(record), record.index_owner
        advance = partial(self._rows.advance, key, start, blob, lasts, what="commit")
        if self._index is None or owner is None or change.set or change.removed:
            return await advance()
        flows: list[Callable[[], Flow[Any]]] = [advance, partial(self._keep, owner, record)]
        answer, _ = await together("commit", flows)
        return cast("tuple[Token | None, bytes | None]", answer)

    async def _keep(self, owner: str, record: Record) -> None:
        """Enter a session into its owner's index, if it is missing; the next touch may do it."""
        index, lasts = cast("OwnerIndex", self._index), milliseconds(record.until, record.seen)
        with suppress(StoreUnavailable):
            await index.keep(owner, Key(record.key), lasts)

    async def replace(self, replacement: Replacement) -> ReplaceResult:
        """Store a new record in the place of an old one."""
        left = Patience(self._patience)
        for _ in range(ATTEMPTS):
            login = TwoPhaseLogin(self._rows, self._index, replacement, self._patience)
            answer = await login.attempt()
            if answer is not None:
                return answer
            if await login.is_held_up() and not await left.wait():
                raise StoreUnavailable(self.name, "everybody is being ended just now; ask again")
        raise LostRace(replacement.new.key, attempts=ATTEMPTS)

    async def delete(
        self, key: Key, owner: str | None = None, *, leaving: Record | None = None
    ) -> Record | Corrupt | None:
        """Remove the record, then its index entry."""
        left = (None, 0) if leaving is None else (pack(leaving), row_lifetime(leaving))
        found = await self._take(key, *left)
        if self._index is not None and owner is not None:
            with suppress(StoreUnavailable):  # a ghost harms nobody
                await self._index.drop(owner, (IndexEntry(key, ""),))
        return None if found is None else unpack(found, key)

    async def owned_by(self, owner: str, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of the owner's records.

        Where one of them has gone since its entry was read, it may go on under another key: so the
        page is read again, without what is gone.
        """
        page = Page([], None)
        for _ in range(_LOOKS if self._index is not None else 0):
            page, is_steady = await self._page(owner, cursor, batch)
            if is_steady:
                break
        return page

    async def _page(self, owner: str, cursor: str | None, batch: int) -> tuple[Page, bool]:
        """Return a page, and whether every entry on it had its session. Drop those of none."""
        index = cast("OwnerIndex", self._index)
        entries = await index.oldest(owner, cursor, None, batch)
        records: list[Record | Corrupt] = []
        gone: list[IndexEntry] = []
        is_steady, mark = True, None
        values = await self._values([entry.key for entry in entries])
        for entry, value in zip(entries, values, strict=False):
            record = None if value is None else await self._load(entry.key, value)
            if record is not None and is_session(record):
                records.append(record)
            elif value is None or intent_of(value) is None:
                gone.append(entry)
            else:
                is_steady &= isinstance(intent_of(value), PreparedLogin)
            mark = entry.mark
        if gone:
            await index.drop(owner, gone)
        is_full = len(values) == batch or len(values) < len(entries)
        return Page(records, mark if is_full else None), is_steady and not gone

    async def _values(self, keys: Sequence[Key]) -> list[bytes | None]:
        """Return some rows, up to the one that makes a page of them."""
        found: list[bytes | None] = []
        size = 0
        for at in range(0, len(keys), _TOGETHER):
            for value in await self._rows.values(keys[at : at + _TOGETHER]):
                found.append(value)
                size += len(value or b"")
                if size >= PAGE_BYTES:
                    return found
        return found

    async def delete_owned(
        self,
        owner: str,
        *,
        keep: Collection[str] = (),
        before: Key | None = None,
        batch: int = 250,
    ) -> Deleted:
        """Remove some of the owner's sessions, one by one, until a look finds none."""
        ended: list[Key] = []
        size = seen = 0
        while self._index is not None:
            entries = await self._index.oldest(owner, None, before, batch + len(keep))
            some = [entry for entry in entries if entry.key not in keep][: batch - seen]
            if not some:
                break
            gone: list[IndexEntry] = []
            for entry in some:
                removed = await remove_if(self._rows, entry.key, self._patience, is_session)
                gone.append(entry)
                if not removed.stays:
                    size += removed.size
                    ended += [entry.key] if isinstance(removed.found, Record) else []
                if size >= PAGE_BYTES:
                    break
            await self._index.drop(owner, gone)
            seen += len(gone)
            if seen == batch or size >= PAGE_BYTES:
                return Deleted(tuple(ended), more=True)
        return Deleted(tuple(ended))

    def keep_secret(self, fresh: bytes) -> bytes | None:  # noqa: ARG002
        """Refuse: the servers that share this store would each draw their own."""
        return None

    async def _take(self, key: Key, leaving: bytes | None = None, lasts: int = 0) -> bytes | None:
        """Remove a row, once no login is under way on it; return it."""
        while True:
            found = await self._rows.take(key, leaving, lasts)
            if found is None or intent_of(found) is None:
                return found
            await free(self._rows, key, self._patience)

    async def _load(self, key: Key, value: bytes) -> Record | Corrupt | None:
        blob = await see_through(self._rows, key, value)
        return None if blob is None else unpack(blob, key)
