"""The rows and the indexes in several streams of NATS, for ``key_value_store``.

A message is stored on the condition that the one before it has a certain sequence, which none other
of its stream ever has: that is the token of a row.
"""

import math
from collections.abc import Callable, Collection, Sequence

from sessile.core.ticket import Key
from sessile.stores.intents import MARK, intent_of
from sessile.stores.key_value import SETTLE, IndexEntry, Milliseconds, Newest, StoredRow, Token
from sessile.stores.nats_rows import StreamIndex, StreamIndexEntry, in_seconds
from sessile.stores.nats_shards import Shards
from sessile.stores.read_tokens import ReadTokens
from sessile.wire import system
from sessile.wire.nats.messages import StreamMessage
from sessile.wire.together import for_each


class ShardRows:
    """Rows by their keys.

    Args:
        shards: that have them.
    """

    def __init__(self, shards: Shards) -> None:
        self._shards, self._tokens = shards, ReadTokens()

    async def read(self, key: Key) -> bytes | None:
        """Return a row's bytes, and remember its token for a change that follows."""
        row = await self.get(key)
        if row is None:
            return None
        self._note(key, row.value, row.token)
        return row.value

    def _note(self, key: Key, value: bytes, token: Token) -> None:
        if value[:1] != MARK:
            self._tokens.note(key, value, token)

    async def get(self, key: Key) -> StoredRow | None:
        """Return a row."""
        row = await self._shards.of_key(key).rows.get(key)
        return None if row.value is None else StoredRow(row.value, row.seq)

    async def values(self, keys: Sequence[Key]) -> list[bytes | None]:
        """Return the bytes of some rows, many of which are asked for at once."""
        rows = await for_each("nats get", keys, self.get)
        return [None if row is None else row.value for row in rows]

    starts = values

    async def add(self, key: Key, value: bytes, lasts: Milliseconds, *, what: str) -> Token | None:
        """Make a row."""
        expected: Token = 0
        while True:
            token = await self.swap(key, expected, value, lasts, what=what)
            if token is not None:
                return token
            row = await self._shards.of_key(key).rows.get(key)
            if row.value is not None:
                return None
            expected = row.seq  # what was there has ended

    async def swap(
        self, key: Key, token: Token, value: bytes, lasts: Milliseconds, *, what: str
    ) -> Token | None:
        """Write a row that has that token."""
        shard = self._shards.of_key(key)
        return await shard.stream.store(what, shard.rows.row(key, token, value, lasts))

    async def advance(
        self, key: Key, head: bytes, value: bytes, lasts: Milliseconds, *, what: str
    ) -> tuple[Token | None, bytes | None]:
        """Write a row that begins so: in one trip, where it was just read."""
        token = self._tokens.take(key, head)
        while True:
            if token is not None:
                stored = await self.swap(key, token, value, lasts, what=what)
                if stored is not None:
                    self._note(key, value, stored)
                    return stored, None
            row = await self.get(key)
            if row is None or not row.value.startswith(head):
                return None, None if row is None else row.value
            token = row.token

    async def remove(self, key: Key, token: Token, *, what: str) -> bool:
        """Remove a row that has that token."""
        shard = self._shards.of_key(key)
        return await shard.stream.store(what, shard.rows.row(key, token)) is not None

    async def take(
        self, key: Key, leaving: bytes | None = None, lasts: Milliseconds = 0
    ) -> bytes | None:
        """Remove a row, or leave another in its place."""
        shard = self._shards.of_key(key)
        while True:
            row = await self.get(key)
            if row is None or intent_of(row.value) is not None:
                return None if row is None else row.value
            message = shard.rows.row(key, row.token, leaving, lasts)
            if await shard.stream.store("delete", message) is not None:
                return row.value

    async def is_ending(self, old: Key, new: Key) -> bool:
        """Tell whether everybody is being ended, shard by shard.

        One shard ends as one act: nothing is carried over within it from before to after.
        """
        if self._shards.of_key(old) is self._shards.of_key(new):
            return False
        return await self._shards.all[0].rows.has_ending()


class ShardIndex:
    """An owner's index is a message, and a mark the number of a login: see ``nats_rows``.

    Args:
        shards: that have them.
    """

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def newest(self, owner: str, number: int) -> Newest:
        """Return the sessions that logged in last."""
        entries = (await self._look(owner)).entries
        return Newest([_entry(entry) for entry in reversed(entries[-number:])], len(entries))

    async def oldest(
        self, owner: str, after: str | None, before: Key | None, number: int
    ) -> list[IndexEntry]:
        """Return a page of the sessions, oldest first."""
        entries = (await self._look(owner)).entries
        if before is not None:
            keys = [entry.key for entry in entries]
            entries = entries[: keys.index(before)] if before in keys else ()
        least = 0 if after is None else int(after)
        return [_entry(entry) for entry in entries if entry.number > least][:number]

    async def enter(self, owner: str, key: Key, lasts: Milliseconds, newest: str | None) -> int:
        """Enter a session as the newest."""

        def change(index: StreamIndex) -> StreamIndex | None:
            last = str(index.entries[-1].number) if index.entries else ""
            if newest is not None and newest != last:
                return None
            return _with(index.without({key}), key, lasts)

        return len((await self._change(owner, change, "enter")).entries)

    async def keep(self, owner: str, key: Key, lasts: Milliseconds) -> None:
        """Enter a session that is missing."""

        def change(index: StreamIndex) -> StreamIndex | None:
            is_there = any(entry.key == key for entry in index.entries)
            return None if is_there else _with(index, key, lasts)

        await self._change(owner, change, SETTLE)

    async def drop(self, owner: str, entries: Collection[IndexEntry]) -> None:
        """Take out entries."""
        marks = {entry.key: entry.mark for entry in entries}

        def change(index: StreamIndex) -> StreamIndex | None:
            gone = {
                entry.key
                for entry in index.entries
                if marks.get(entry.key) in ("", str(entry.number))
            }
            return index.without(gone) if gone else None

        await self._change(owner, change, SETTLE)

    async def sample(self, owner: str, number: int) -> list[IndexEntry]:
        """Return some entries, those behind one that is chosen at random."""
        entries = (await self._look(owner, SETTLE)).entries
        if not entries:
            return []
        start = int.from_bytes(system.entropy(4)) % len(entries)
        return [_entry(entry) for entry in (*entries, *entries)[start : start + number]]

    async def _look(self, owner: str, what: str = "get") -> StreamIndex:
        index, _ = await self._shards.of_owner(owner).rows.get_index(owner, what)
        return index

    async def _change(
        self, owner: str, change: Callable[[StreamIndex], StreamIndex | None], what: str
    ) -> StreamIndex:
        """Change an index as it is; return it, or an empty one where nothing is to be changed."""
        shard = self._shards.of_owner(owner)
        while True:
            index, seq = await shard.rows.get_index(owner, what)
            changed = change(index)
            if changed is None:
                return StreamIndex()
            message: StreamMessage = shard.rows.index(owner, seq, changed)
            if await shard.stream.store(what, message) is not None:
                return changed


def _with(index: StreamIndex, key: Key, lasts: Milliseconds) -> StreamIndex:
    entry = StreamIndexEntry(index.last + 1, key, math.inf, in_seconds(lasts))
    return index.with_entry(entry)


def _entry(entry: StreamIndexEntry) -> IndexEntry:
    return IndexEntry(entry.key, str(entry.number))
