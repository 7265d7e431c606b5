"""``redis://``: sessions in a Redis or Valkey server, 6.2 or newer. ``wire.redis`` reaches it.

A session is one string, ``<prefix><key>``. A user is a sorted set, ``<prefix>@<digest>``, that
holds the keys of their sessions in the order of their claims. Each act is one command or script.

A row begins with the generation it was made in; the current one stands in ``<prefix>@generation``,
and every act looks there too. A new generation ends everybody at once, and the rows of the old one
go when their own time is over. It is drawn, not dated: no clock has a say in what it ends. Where it
is missing nobody is logged in.

Redis removes a row some time after its deadline. That time runs from the record's own ``seen``,
and so a server whose clock is wrong removes nothing early. Give the server the policy
``noeviction``: one that evicts may lose a user's index before the sessions in it.
"""

import base64
import hashlib
import re
from collections.abc import Collection
from typing import Any, ClassVar, Final

import msgspec

from sessile.errors import KeyTaken, StoreUnavailable
from sessile.stores.contract import (
    COMMITTED,
    GONE,
    PAGE_BYTES,
    Capability,
    Change,
    CommitResult,
    Conflict,
    Corrupt,
    Deleted,
    Full,
    Instant,
    Key,
    OnLimit,
    Page,
    Record,
    Replaced,
    Replacement,
    ReplaceResult,
    Seconds,
    is_key,
    pack,
    unpack,
)
from sessile.stores.location import Location
from sessile.stores.redis_scripts import (
    COMMIT,
    CREATE,
    DELETE,
    DELETE_OWNED,
    OWNED,
    REPLACE,
    Script,
)
from sessile.stores.redis_url import endpoint_of
from sessile.wire import system
from sessile.wire.redis.client import RedisClient
from sessile.wire.redis.endpoint import Endpoint, ErrorReply

PREFIX: Final = "sessile:"
_MARGIN: Final[Seconds] = 60.0
"""How long a row outlives its deadline, for application servers whose clocks differ."""

_ON_LIMIT: Final = {OnLimit.END_OLDEST: 0, OnLimit.END_OTHERS: 1, OnLimit.REFUSE: 2}
_PAGE: Final = 1000  # keys that one step of a count looks at

_GENERATION: Final = 5
"""Bytes of a generation's name. Of the few whose rows are still there no two will be alike."""


class RedisStore:
    """Records in the strings of one Redis database.

    Whether sessions survive a restart of the server is the server's own setting, so this store
    does not claim it.

    Args:
        endpoint: the server and the database.
        prefix: stands before every key; two applications on one database need two.
    """

    capabilities: ClassVar[Capability] = (
        Capability.OWNERS
        | Capability.SCAN
        | Capability.NATIVE_EXPIRY
        | Capability.SHARED
        | Capability.NETWORK
    )

    def __init__(self, endpoint: Endpoint, *, prefix: str = PREFIX) -> None:
        self.name = endpoint.name
        self._prefix = prefix
        self._generation = f"{prefix}@generation"
        self._client = RedisClient(endpoint)

    @classmethod
    def from_url(cls, url: str) -> "RedisStore":
        """Return the store of ``redis://host:6379/0``, ``rediss://`` or ``unix:///path.sock``.

        Options: ``prefix``, ``timeout``, ``connect_timeout``; ``db`` with ``unix``; ``ca``,
        ``cert`` and ``key`` with ``rediss``.
        """
        place = Location(url)
        prefix = place.option("prefix", str, PREFIX)
        endpoint = endpoint_of(place)
        place.refuse_leftovers()
        return cls(endpoint, prefix=prefix)

    async def read(self, key: Key) -> Record | Corrupt | None:
        """Return the record of that key."""
        generation, row = await self._client.ask(
            "redis MGET", "MGET", self._generation, self._prefix + key, idempotent=True
        )
        return _load(key, _strip(row, generation))

    async def create(self, record: Record) -> None:
        """Store a new record."""
        answer = await self._run(
            CREATE,
            (self._prefix + record.key, self._generation),
            (pack(record), _milliseconds(record.expires, record.seen), _new_generation()),
        )
        if answer is None:
            raise KeyTaken(record.key)
        self._check_generation(answer)

    async def commit(self, change: Change) -> CommitResult:
        """Replace the record if its version is the expected one."""
        record = change.record
        row = pack(record)
        left = _milliseconds(record.expires, record.seen)
        names = (self._prefix + record.key, self._generation)
        answer = await self._run(
            COMMIT, names, (_head(record.key, row, change.expected), row, left)
        )
        if answer == 1:
            return COMMITTED
        current = _load(Key(record.key), answer)
        if isinstance(current, Record):
            return Conflict(current)
        return GONE if current is None else current

    async def replace(self, replacement: Replacement) -> ReplaceResult:
        """Store a new record in the place of an old one, as one script."""
        new, limit = replacement.new, replacement.limit
        names = [self._prefix + new.key, self._generation]
        index = "" if new.owner is None else self._index(new.owner)
        names += [index] if index else []
        words: list[str | bytes | float] = [
            pack(new),
            _milliseconds(new.expires, new.seen),
            _milliseconds(new.until, new.seen),
            new.key,
            self._prefix,
            repr(replacement.now),
            -1 if limit is None else limit.number,
            0 if limit is None else _ON_LIMIT[limit.on_limit],
            _new_generation(),
            int(bool(index)),
        ]
        if replacement.old is not None:
            self._add_old(names, words, replacement.old, replacement.tombstone)
        while True:
            answer = await self._run(REPLACE, tuple(names), tuple(words))
            if answer is None:
                raise KeyTaken(new.key)
            if index:
                self._check_index(answer, index)
            self._check_generation(answer)
            if answer != [b"crowded"]:  # else some of the dead are out of the way
                return _replace_result(answer, replacement.old)

    def _add_old(
        self,
        names: list[str],
        words: list[str | bytes | float],
        old: Record,
        tombstone: Record | None,
    ) -> None:
        """Add the keys and arguments that speak of the old record."""
        names.append(self._prefix + old.key)
        names += [] if old.owner is None else [self._index(old.owner)]
        left = 0 if tombstone is None else _milliseconds(tombstone.expires, tombstone.seen)
        words += [
            old.key,
            _head(old.key, pack(old), old.version),
            b"" if tombstone is None else pack(tombstone),
            left,
        ]

    async def delete(
        self, key: Key, owner: str | None = None, *, leaving: Record | None = None
    ) -> Record | Corrupt | None:
        """Remove the record and its index entry."""
        index = () if owner is None else (self._index(owner),)
        left = (
            () if leaving is None else (pack(leaving), _milliseconds(leaving.expires, leaving.seen))
        )
        names = (self._prefix + key, self._generation, *index)
        return _load(key, await self._run(DELETE, names, (key, *left)))

    async def end_everybody(self) -> None:
        """Begin a new generation."""
        await self._client.ask("redis SET", "SET", self._generation, _new_generation())

    async def owned_by(self, owner: str, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of the owner's records."""
        index = self._index(owner)
        words = (self._prefix, cursor or "-inf", batch, PAGE_BYTES)
        answer = await self._run(OWNED, (index, self._generation), words)
        last, *found = self._check_index(answer, index)
        keys = [Key(name.decode()) for name in found[::2]]
        records = [_load(key, row) for key, row in zip(keys, found[1::2], strict=True)]
        return Page([r for r in records if r is not None], _after(last))

    async def delete_owned(
        self,
        owner: str,
        *,
        keep: Collection[str] = (),
        before: Key | None = None,
        batch: int = 250,
    ) -> Deleted:
        """Remove some of the owner's sessions, as one script."""
        index = self._index(owner)
        words = (self._prefix, batch, PAGE_BYTES, before or "", *keep)
        answer = await self._run(DELETE_OWNED, (index, self._generation), words)
        more, *names = self._check_index(answer, index)
        return Deleted(tuple(Key(name.decode()) for name in names), more=bool(more))

    async def scan(self, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of all records, in an order of the server's own."""
        following, keys = await self._keys(cursor, batch)
        rows = []
        if keys:
            wanted = [self._generation, *(self._prefix + key for key in keys)]
            found = await self._client.ask("redis MGET", "MGET", *wanted, idempotent=True)
            rows = [_strip(row, found[0]) for row in found[1:]]
        records = [_load(key, row) for key, row in zip(keys, rows, strict=True)]
        return Page([record for record in records if record is not None], following)

    async def count(self) -> int:
        """Return how many rows there are; those are counted too that ended with everybody."""
        number, cursor = 0, None
        while True:
            cursor, keys = await self._keys(cursor, _PAGE)
            number += len(keys)
            if cursor is None:
                return number

    async def _keys(self, cursor: str | None, batch: int) -> tuple[str | None, list[Key]]:
        """Return where to go on, and some keys of sessions."""
        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", self._prefix) + "[^@]*"
        following, names = await self._client.ask(
            "redis SCAN", "SCAN", cursor or "0", "MATCH", pattern, "COUNT", batch, idempotent=True
        )
        start = len(self._prefix.encode())
        keys = (Key(name[start:].decode("ascii", "replace")) for name in names)
        return None if following == b"0" else following.decode(), [k for k in keys if is_key(k)]

    async def sweep(
        self,
        now: Instant,  # noqa: ARG002  (the server removes what is past its deadline)
        batch: int = 1000,  # noqa: ARG002
    ) -> int:
        """Leave it to the server."""
        self._client.check_open()
        return 0

    async def ping(self) -> None:
        """Ask the server."""
        await self._client.ask("redis PING", "PING", idempotent=True)

    async def server_time(self) -> Instant:
        """Return the server's time."""
        whole, micros = await self._client.ask("redis TIME", "TIME", idempotent=True)
        return int(whole) + int(micros) / 1_000_000

    async def close(self) -> None:
        """Close every connection of this process."""
        await self._client.close()

    def keep_secret(self, fresh: bytes) -> bytes | None:  # noqa: ARG002
        """Refuse: the servers that share this store would each draw their own."""
        return None

    async def _run(
        self, script: Script, keys: tuple[str, ...], words: tuple[str | bytes | float, ...]
    ) -> Any:
        """Run a script by its digest; a server that forgot it is handed the text, once."""
        ask, rest = self._client.ask, (len(keys), *keys, *words)
        reply = await ask(script.what, "EVALSHA", script.sha, *rest, idempotent=script.idempotent)
        if reply is ErrorReply.NO_SCRIPT:
            reply = await ask(script.what, "EVAL", script.text, *rest, idempotent=script.idempotent)
        return reply

    def _index(self, owner: str) -> str:
        """Return the key of a user's index. A digest: no name of a user can forge another's."""
        digest = hashlib.sha256(owner.encode("utf-8", "surrogatepass")).digest()[:24]
        return f"{self._prefix}@{base64.urlsafe_b64encode(digest).decode()}"

    def _check_generation(self, reply: Any) -> None:
        if isinstance(reply, ErrorReply):
            raise StoreUnavailable(
                self.name, f"the key {self._generation} holds no generation; delete it"
            )

    def _check_index(self, reply: Any, index: str) -> list[Any]:
        if isinstance(reply, ErrorReply):
            raise StoreUnavailable(
                self.name,
                f"the key {index} holds no index, or {self._generation} no generation; delete it",
            )
        found: list[Any] = reply
        return found


def _new_generation() -> bytes:
    """Return a generation that never was."""
    return system.entropy(_GENERATION)


def _strip(row: bytes | None, generation: bytes | None) -> bytes | None:
    """Return a row without its generation; None where it is none of this generation."""
    if row is None or generation is None or not row.startswith(generation):
        return None
    return row[len(generation) :]


def _load(key: Key, row: bytes | ErrorReply | None) -> Record | Corrupt | None:
    """Return the record of a row; an error in its place is a key of another type."""
    if row is None:
        return None
    return unpack(row, key) if isinstance(row, bytes) else Corrupt(key)


def _head(key: str, row: bytes, version: int) -> bytes:
    """Return how the row of a version begins: format, key and version."""
    return row[: row.index(key.encode()) + len(key)] + msgspec.msgpack.encode(version)


def _replace_result(answer: list[Any], old: Record | None) -> ReplaceResult:
    kind, *more = answer
    if kind == b"full":
        return Full()
    if kind == b"replaced":
        rest, *ended = (Key(name.decode()) for name in more)
        return Replaced(tuple(ended), rest or None)
    current = _load(Key("" if old is None else old.key), more[0] if more else None)
    if isinstance(current, Record):
        return Conflict(current)
    return GONE if current is None else current


def _after(score: bytes) -> str | None:
    """Return the cursor behind an entry of an index; None for none."""
    return f"({score.decode()}" if score else None


def _milliseconds(until: Instant, seen: Instant) -> int:
    """Return how long Redis keeps what is over at an instant, counted from when it was seen."""
    return int((max(until - seen, 0.0) + _MARGIN) * 1000)
