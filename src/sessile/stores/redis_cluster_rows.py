"""The rows and the indexes of a Redis Cluster, for ``key_value_store``."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from sessile.errors import StoreUnavailable
from sessile.stores.contract import Key, unpack
from sessile.stores.intents import MARK, START_BYTES
from sessile.stores.key_value import IndexEntry, Milliseconds, Newest, StoredRow, Token
from sessile.stores.redis_cluster_scripts import (
    DROP,
    ENTER,
    KEEP,
    NEWEST,
    OLDEST,
    REMOVE,
    START,
    SWAP,
    TAKE,
)
from sessile.stores.redis_generation import fresh, strip
from sessile.stores.redis_partitions import Partition, Partitions, run_in_slot
from sessile.stores.redis_rows import STAMP
from sessile.stores.redis_scripts import COMMIT, CREATE, Script
from sessile.wire import system
from sessile.wire.commands.repeat import Repeat, Repeated
from sessile.wire.opaque import Opaque
from sessile.wire.redis.cluster import ClusterClient
from sessile.wire.redis.endpoint import ErrorReply, Words
from sessile.wire.together import for_each

R = TypeVar("R")

_ANY: Final = "*"


class ClusterRows:
    """Rows that carry their generation before them, and the stamp of their write behind.

    Args:
        client: of the cluster.
        partitions: of the store.
        name: of the store.
    """

    def __init__(self, client: ClusterClient, partitions: Partitions, name: str) -> None:
        self._client, self._partitions, self._name = client, partitions, name

    async def get(self, key: Key) -> StoredRow | None:
        """Return a row."""
        stamped = await self.row_with_stamp(key)
        return None if stamped is None else StoredRow(stamped[:-STAMP], stamped[-STAMP:])

    async def row_with_stamp(self, key: Key, *, is_large: bool = False) -> bytes | None:
        """Return a row with its stamp."""
        place = self._partitions.by_start[key[:2]]
        reply = await self._client.ask(
            place.slot, "redis MGET", "MGET", place.generation, place.prefix + key,
            repeat=Repeat.HARMLESS, is_large=is_large, tells_split=True,
        )  # fmt: skip
        if reply is ErrorReply.SPLIT:
            reply = await self._one_by_one(place, key)
        generation, row = reply
        if generation != place.seen.newest:
            generation = await place.seen.follow(generation)
        return strip(row, generation)

    async def _one_by_one(self, place: Partition, key: Key) -> tuple[bytes | None, bytes | None]:
        """Read what is at two nodes while its slot migrates.

        The row first: one that was read and then ended with everybody is of no generation.
        """
        ask = partial(self._client.ask, place.slot, "redis GET", "GET", repeat=Repeat.HARMLESS)
        row, generation = await ask(place.prefix + key), await ask(place.generation)
        return _text(generation), _text(row)

    async def values(self, keys: Sequence[Key]) -> list[bytes | None]:
        """Return the bytes of some rows."""
        found = await for_each("redis MGET", keys, self.row_with_stamp)
        return [None if row is None else row[:-STAMP] for row in found]

    async def starts(self, keys: Sequence[Key]) -> list[bytes | None]:
        """Return how some rows begin."""
        return await for_each("redis start", keys, self._start)

    async def _start(self, key: Key) -> bytes | None:
        found: bytes | None = await self._run(START, key, (START_BYTES,))
        return found

    async def add(self, key: Key, value: bytes, lasts: Milliseconds, *, what: str) -> Token | None:
        """Make a row."""
        stamp = _stamp()
        reply = await self._run(CREATE, key, (Opaque(value + stamp), lasts, fresh()), what)
        if isinstance(reply, ErrorReply):
            place = self._partitions.by_start[key[:2]]
            raise StoreUnavailable(
                self._name, f"the key {place.generation} holds no generation; delete it"
            )
        return None if reply is None else stamp

    async def swap(
        self, key: Key, token: Token, value: bytes, lasts: Milliseconds, *, what: str
    ) -> Token | None:
        """Write a row that has that stamp."""
        stamp = _stamp()
        done = await self._run(SWAP, key, (token, Opaque(value + stamp), lasts), what)
        return stamp if done == 1 else None

    async def advance(
        self, key: Key, head: bytes, value: bytes, lasts: Milliseconds, *, what: str
    ) -> tuple[Token | None, bytes | None]:
        """Write a row that begins so; an answer that was lost is found out about by its stamp."""
        stamp = _stamp()
        row = value + stamp
        reply = await self._run(COMMIT, key, (head, Opaque(row), key, lasts, 0), what)
        found = reply.reply if isinstance(reply, Repeated) else reply
        if found == 1 or (isinstance(reply, Repeated) and found == row):
            return stamp, None
        if isinstance(reply, Repeated):
            self._check_repeat(key, value, found)
        return None, _text(found, b"")[:-STAMP] if found is not None else None

    def _check_repeat(self, key: Key, value: bytes, found: Any) -> None:
        """Do nothing if neither of two commits was performed: see ``stores.redis``."""
        current = unpack(_text(found, b"")[:-STAMP], key)
        mine = unpack(value, key)
        if getattr(current, "version", None) != getattr(mine, "version", 0):
            raise StoreUnavailable(
                self._name,
                "the connection broke, and nobody can tell whether the change was stored",
            )

    async def remove(self, key: Key, token: Token, *, what: str) -> bool:
        """Remove a row that has that stamp."""
        return bool(await self._run(REMOVE, key, (token,), what) == 1)

    async def take(
        self, key: Key, leaving: bytes | None = None, lasts: Milliseconds = 0
    ) -> bytes | None:
        """Remove a row, or leave another in its place."""
        left = () if leaving is None else (Opaque(leaving + _stamp()), lasts)
        row = await self._run(TAKE, key, (MARK, *left))
        return None if row is None else row[:-STAMP]

    async def is_ending(self, old: Key, new: Key) -> bool:  # noqa: ARG002  (one key for all)
        """Tell whether everybody is being ended, partition by partition."""
        slot, name = self._partitions.all[0].slot, self._partitions.ending
        words = ("EXISTS", name)
        found = await self._client.ask(slot, "redis EXISTS", *words, repeat=Repeat.HARMLESS)
        return bool(found)

    async def _run(self, script: Script, key: Key, words: Words, what: str | None = None) -> Any:
        """Run a script about a row."""
        place = self._partitions.by_start[key[:2]]
        name = None if what is None else f"redis {what}"
        return await place.run(script, (place.prefix + key, place.generation), words, name)


class ClusterIndex:
    """An index is a sorted set, and a mark its score: see ``redis_cluster_scripts``.

    Args:
        client: of the cluster.
        partitions: of the store.
        name: of the store.
    """

    def __init__(self, client: ClusterClient, partitions: Partitions, name: str) -> None:
        self._client, self._partitions, self._name = client, partitions, name

    async def newest(self, owner: str, number: int) -> Newest:
        """Return the sessions that logged in last."""
        size, *found = await self._run(NEWEST, owner, (number,))
        return Newest(_entries(found), size)

    async def oldest(
        self, owner: str, after: str | None, before: Key | None, number: int
    ) -> list[IndexEntry]:
        """Return a page of the sessions, oldest first."""
        begin = "-inf" if after is None else f"({after}"
        return _entries(await self._run(OLDEST, owner, (begin, number, before or "")))

    async def enter(self, owner: str, key: Key, lasts: Milliseconds, newest: str | None) -> int:
        """Enter a session as the newest."""
        words = (key, lasts, _ANY if newest is None else newest)
        size: int = await self._run(ENTER, owner, words)
        return size

    async def keep(self, owner: str, key: Key, lasts: Milliseconds) -> None:
        """Enter a session that is missing."""
        slot, index = self._partitions.index(owner)
        await run_in_slot(self._client, slot, KEEP, (index,), (key, lasts))

    async def drop(self, owner: str, entries: Collection[IndexEntry]) -> None:
        """Take out entries."""
        slot, index = self._partitions.index(owner)
        words = [word for entry in entries for word in entry]
        await run_in_slot(self._client, slot, DROP, (index,), tuple(words))

    async def sample(self, owner: str, number: int) -> list[IndexEntry]:
        """Return some entries at random."""
        slot, index = self._partitions.index(owner)
        words = ("ZRANDMEMBER", index, number, "WITHSCORES")
        found = await self._client.ask(slot, "redis settle", *words, repeat=Repeat.HARMLESS)
        return [] if isinstance(found, ErrorReply) else _entries(found)

    async def _run(self, script: Script, owner: str, words: Words) -> Any:
        slot, index = self._partitions.index(owner)
        reply = await run_in_slot(self._client, slot, script, (index,), words)
        if isinstance(reply, ErrorReply):
            raise StoreUnavailable(self._name, f"the key {index} holds no index; delete it")
        return reply


def _stamp() -> bytes:
    return system.entropy(STAMP)


def _entries(found: list[bytes]) -> list[IndexEntry]:
    """Return the entries of key, score, key, score, ..."""
    pairs = zip(found[::2], found[1::2], strict=True)
    return [
        IndexEntry(Key(name.decode("ascii", "replace")), score.decode()) for name, score in pairs
    ]


def _text(reply: Any, other: bytes | None = None) -> Any:
    """Return a reply that is bytes; another where it is an error, of a key of another type."""
    return other if isinstance(reply, ErrorReply) else reply
