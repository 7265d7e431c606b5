"""The rows on memcached servers, for ``key_value_store``: each begins with its generation.

All of it rests on ``cas``, by which a server stores an item if nobody has changed the one that was
read. It compares one item: the generation is none of what it compares. So an act reads it, in the
command that reads the row or beside the one that writes it; and what it writes has the generation
that was read. If everybody is ended meanwhile, it has written a row that does not count.

The protocol has no way to remove an item if it is still the one that was read. ``cas`` has: what it
stores may be over already.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from sessile.core.ticket import Key
from sessile.core.value import Seconds
from sessile.stores.intents import MARK, intent_of
from sessile.stores.key_value import Milliseconds, StoredRow, Token
from sessile.stores.large_keys import LargeKeys
from sessile.stores.memcached_generations import OVER, Generations
from sessile.stores.read_tokens import ReadTokens
from sessile.wire.memcached.client import MemcachedClient, Swap
from sessile.wire.memcached.reader import CacheItem

_SECOND: Final[Seconds] = 1.0  # 0 would be for ever


class ReadToken(msgspec.Struct, frozen=True):
    """Of a row that was read. That of one that was written is its bytes: memcached tells no other.

    Attributes:
        generation: before the row.
        unique: the server's.
    """

    generation: bytes
    unique: int


class MemcachedRows:
    """Rows that carry their generation before them.

    Args:
        client: of the servers.
        generations: theirs.
        prefix: of the rows' names.
    """

    def __init__(self, client: MemcachedClient, generations: Generations, prefix: str) -> None:
        self._client, self._generations, self._prefix = client, generations, prefix
        self._tokens, self._large = ReadTokens(), LargeKeys()

    async def read(self, key: Key) -> bytes | None:
        """Return a row's bytes, and remember its token for a change that follows."""
        row = await self.get(key)
        if row is None:
            return None
        self._large.note(key, row.value)
        if row.value[:1] != MARK:
            self._tokens.note(key, row.value, row.token)
        return row.value

    async def get(self, key: Key) -> StoredRow | None:
        """Return a row."""
        generation, item = await self._look(key, "get")
        return _row(generation, item)

    async def _look(self, key: Key, what: str) -> tuple[bytes | None, CacheItem | None]:
        """Return the generation of a row's server, and what stands under the row's name."""
        generation, item = await self._client.get(
            key, self._generations.name, self._prefix + key, is_large=key in self._large, what=what
        )
        return self._generations.judge(key, generation, has_row=item is not None), item

    async def values(self, keys: Sequence[Key]) -> list[bytes | None]:
        """Return the bytes of some rows; no index asks for them."""
        rows = [await self.get(key) for key in keys]
        return [None if row is None else row.value for row in rows]

    starts = values

    async def add(self, key: Key, value: bytes, lasts: Milliseconds, *, what: str) -> Token | None:
        """Make a row, where there is none or one that does not count."""
        name = self._prefix + key
        while True:
            generation, item = await self._look(key, what)
            if _row(generation, item) is not None:
                return None
            if generation is None:
                await self._generations.begin(key)
                continue
            data, seconds = generation + value, _seconds(lasts)
            if item is None:
                is_made = await self._client.add(key, name, data, seconds, what=what)
            else:
                swap = self._client.swap(key, name, data, item.unique, seconds, what=what)
                is_made = await swap is Swap.STORED
            if is_made:
                return data

    async def swap(
        self, key: Key, token: Token, value: bytes, lasts: Milliseconds, *, what: str
    ) -> Token | None:
        """Write a row that has that token."""
        found = await self._find(key, token, what)
        if found is None:
            return None
        data = found.generation + value
        is_done = await self._put(key, data, found.unique, _seconds(lasts), what)
        return data if is_done else None

    async def remove(self, key: Key, token: Token, *, what: str) -> bool:
        """Remove a row that has that token."""
        found = await self._find(key, token, what)
        return found is not None and await self._put(key, b"", found.unique, OVER, what)

    async def _find(self, key: Key, token: Token, what: str) -> ReadToken | None:
        """Return the token of a row that was read, or of one that is still as it was written."""
        if isinstance(token, ReadToken):
            return token
        generation, item = await self._look(key, what)
        row = _row(generation, item)
        return None if row is None or item is None or item.data != token else row.token

    async def _put(self, key: Key, data: bytes, unique: int, lasts: Seconds, what: str) -> bool:
        swap = self._client.swap(key, self._prefix + key, data, unique, lasts, what=what)
        return await swap is Swap.STORED

    async def advance(
        self, key: Key, head: bytes, value: bytes, lasts: Milliseconds, *, what: str
    ) -> tuple[Token | None, bytes | None]:
        """Write a row that begins so: in one trip, where it was just read."""
        known = self._tokens.take(key, head)
        if known is not None:
            data = known.generation + value
            done, generation = await self._client.swap_and_get(
                key, self._prefix + key, data, known.unique, _seconds(lasts),
                other=self._generations.name, what=what,
            )  # fmt: skip
            if done is Swap.STORED:
                counts = self._generations.judge(key, generation) == known.generation
                return (data if counts else None), None
        while True:
            row = _row(*await self._look(key, what))
            if row is None or not row.value.startswith(head):
                return None, None if row is None else row.value
            data = row.token.generation + value
            if await self._put(key, data, row.token.unique, _seconds(lasts), what):
                return data, None

    async def take(
        self, key: Key, leaving: bytes | None = None, lasts: Milliseconds = 0
    ) -> bytes | None:
        """Remove a row, or leave another in its place."""
        while True:
            row = _row(*await self._look(key, "delete"))
            if row is None or intent_of(row.value) is not None:
                return None if row is None else row.value
            data, seconds = b"", OVER
            if leaving is not None:
                data, seconds = row.token.generation + leaving, _seconds(lasts)
            if await self._put(key, data, row.token.unique, seconds, "delete"):
                return row.value

    async def is_ending(self, old: Key, new: Key) -> bool:
        """Tell whether everybody is being ended, server by server."""
        return await self._generations.is_ending(old, new)


def _row(generation: bytes | None, item: CacheItem | None) -> StoredRow | None:
    """Return a row that counts."""
    if generation is None or item is None or not item.data.startswith(generation):
        return None
    return StoredRow(item.data[len(generation) :], ReadToken(generation, item.unique))


def _seconds(lasts: Milliseconds) -> Seconds:
    return max(lasts / 1000, _SECOND)
