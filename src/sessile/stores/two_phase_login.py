"""A login on a store that changes one row at a time. ``intents`` has the protocol."""

from contextlib import suppress
from typing import Final

from sessile.core.value import Seconds
from sessile.errors import KeyTaken, StoreUnavailable
from sessile.stores.contract import (
    GONE,
    Conflict,
    Corrupt,
    Full,
    Gone,
    Key,
    Record,
    Replaced,
    Replacement,
    ReplaceResult,
    pack,
    unpack,
)
from sessile.stores.intents import NONCE, DecidedLogin, LockedRow, PreparedLogin, intent_of
from sessile.stores.key_value import SETTLE, IndexEntry, OwnerIndex, RowServer, StoredRow, Token
from sessile.stores.owner_excess import Choice, choose_excess, drop_ghosts
from sessile.stores.row import milliseconds, row_lifetime, version_start
from sessile.stores.settling import end_locked, free
from sessile.wire import system

PREPARED_TTL: Final[Seconds] = 60.0
"""How long a login that was never decided is kept, where nobody settles it."""


class TwoPhaseLogin:
    """One attempt of a login. The index is changed before the rows, so that rivals come in turn.

    Args:
        rows: of the store.
        index: of its owners; None where it has none.
        replacement: what the login does.
        patience: how long other logins are waited for.
    """

    def __init__(
        self, rows: RowServer, index: OwnerIndex | None, replacement: Replacement, patience: Seconds
    ) -> None:
        self._rows, self._index = rows, index
        self._new, self._old = replacement.new, replacement.old
        self._replacement = replacement
        self._patience = patience
        self._nonce = system.entropy(NONCE)
        self._locked: list[tuple[Key, Token, LockedRow]] = []
        self._longest = row_lifetime(replacement.new)

    async def attempt(self) -> ReplaceResult | None:
        """Do it; return None where a rival was faster, or called it off: nothing was done.

        Raises:
            KeyTaken: there is a row of the new key.
        """
        key, blob = Key(self._new.key), pack(self._new)
        if self._old is None and (self._new.owner is None or self._index is None):
            await self._add(key, blob, self._longest, "replace")
            return Replaced()
        choice = await self._choose()
        if isinstance(choice.excess, Full):
            return choice.excess
        prepared = bytes(PreparedLogin(self._nonce, blob))
        token = await self._add(key, prepared, int(PREPARED_TTL * 1000), "prepare")
        size = await self._enter(choice)
        may_go_on = bool(size) and not await self.is_held_up()
        refusal = await self._lock_old() if may_go_on else None
        if may_go_on and refusal is None and await self._lock_excess(choice):
            stands = await self._decide(key, token, blob)
            if stands is not None:
                return await self._finish(key, stands, blob, choice, size)
        await self._call_off(key, token)
        return refusal

    async def is_held_up(self) -> bool:
        """Tell whether the old session ends with everybody while the new one is made.

        It is asked once the new row is there: an end that begins later ends that one too. And
        before the old one is locked: where an end that is over by now came, that one is gone.
        """
        old = self._old
        return old is not None and await self._rows.is_ending(Key(old.key), Key(self._new.key))

    async def _add(self, key: Key, value: bytes, lasts: int, what: str) -> Token:
        token = await self._rows.add(key, value, lasts, what=what)
        if token is None:
            raise KeyTaken(key)
        return token

    async def _choose(self) -> Choice:
        owner, limit = self._new.owner, self._replacement.limit
        if self._index is None or owner is None or limit is None:
            return Choice()
        return await choose_excess(
            self._rows, self._index, limit, self._replacement, self._patience
        )

    async def _enter(self, choice: Choice) -> int:
        """Enter the new session; return how many its owner has, 0 where a rival was faster."""
        if self._index is None or self._new.owner is None:
            return 1
        lifetime = milliseconds(self._new.until, self._new.seen)
        return await self._index.enter(self._new.owner, Key(self._new.key), lifetime, choice.newest)

    async def _lock_old(self) -> Conflict | Gone | Corrupt | None:
        """Lock the session whose place is taken; return why not, if it is another one by now."""
        old, grave = self._old, self._replacement.tombstone
        if old is None:
            return None
        key, blob = Key(old.key), pack(old)
        lock = LockedRow(
            self._nonce, blob, Key(self._new.key), b"" if grave is None else pack(grave)
        )
        start = version_start(blob, key, old.version)
        while True:
            token, found = await self._rows.advance(
                key, start, bytes(lock), row_lifetime(old), what="lock"
            )
            if token is not None:
                self._note(key, token, lock, old)
                return None
            if found is None:
                return GONE
            if intent_of(found) is None:
                current = unpack(found, key)
                return current if isinstance(current, Corrupt) else Conflict(current)
            await free(self._rows, key, self._patience)

    async def _lock_excess(self, choice: Choice) -> bool:
        """Lock what is over the limit; tell whether all of it is there still.

        What is gone may have been replaced, by a step-up, with what has to end in its place.
        """
        for key in choice.excess.ended if isinstance(choice.excess, Replaced) else ():
            if not await self._lock(key):
                return False
        return True

    async def _lock(self, key: Key) -> bool:
        while True:
            row = await free(self._rows, key, self._patience)
            record = None if row is None else unpack(row.value, key)
            if row is None or not isinstance(record, Record) or record.version < 1:
                return False
            lock = LockedRow(self._nonce, row.value, Key(self._new.key), b"")
            token = await self._rows.swap(
                key, row.token, bytes(lock), row_lifetime(record), what="lock"
            )
            if token is not None:
                self._note(key, token, lock, record)
                return True

    def _note(self, key: Key, token: Token, lock: LockedRow, record: Record) -> None:
        self._locked.append((key, token, lock))
        self._longest = max(self._longest, row_lifetime(record))

    async def _decide(self, key: Key, token: Token, blob: bytes) -> Token | None:
        """Let the login stand; None where somebody called it off. It outlasts its locks."""
        locked = tuple(key for key, _, _ in self._locked)
        value = bytes(DecidedLogin(self._nonce, blob, locked)) if locked else blob
        return await self._rows.swap(key, token, value, self._longest, what="replace")

    async def _finish(
        self, key: Key, token: Token, blob: bytes, choice: Choice, size: int
    ) -> Replaced:
        """Remove what has ended. The login stands, whoever does that in the end."""
        old = None if self._old is None else self._old.key
        over = tuple(each for each, _, _ in self._locked if each != old)
        with suppress(StoreUnavailable):
            for each, locked, lock in self._locked:
                await end_locked(self._rows, each, StoredRow(b"", locked), lock.after)
            if self._locked:
                lifetime = row_lifetime(self._new)
                await self._rows.swap(key, token, blob, lifetime, what=SETTLE)
            await self._tidy_index({*(IndexEntry(each, "") for each in over), *choice.ghosts}, size)
        return Replaced(over, choice.excess.rest if isinstance(choice.excess, Replaced) else None)

    async def _tidy_index(self, gone: set[IndexEntry], size: int) -> None:
        """Take out the entries of what is gone."""
        if self._index is None:
            return
        owner, old = self._new.owner, self._old
        if old is not None and old.owner is not None:
            if old.owner == owner:
                gone.add(IndexEntry(Key(old.key), ""))
            else:
                await self._index.drop(old.owner, (IndexEntry(Key(old.key), ""),))
        if owner is not None:
            if gone:
                await self._index.drop(owner, gone)
            await drop_ghosts(self._rows, self._index, owner, size)

    async def _call_off(self, key: Key, token: Token) -> None:
        """Leave everything as it was."""
        for each, locked, lock in self._locked:
            await end_locked(self._rows, each, StoredRow(b"", locked), lock.record)
        if self._index is not None and self._new.owner is not None:
            await self._index.drop(self._new.owner, (IndexEntry(key, ""),))
        await self._rows.remove(key, token, what=SETTLE)
