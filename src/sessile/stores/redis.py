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
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final

import msgspec

from sessile.core.change import (
    COMMITTED,
    GONE,
    Answer,
    Capability,
    Change,
    Claimed,
    Conflict,
    Excess,
    Full,
    Page,
)
from sessile.core.record import Record, pack, unpack
from sessile.core.ticket import Key, is_key
from sessile.core.value import Instant, Seconds
from sessile.errors import ConfigError, KeyTaken, StoreUnavailable
from sessile.stores.contract import unheeded
from sessile.stores.location import Location, seconds
from sessile.stores.redis_scripts import CLAIM, COMMIT, CREATE, DELETE, OWNED, Script
from sessile.wire import system
from sessile.wire.redis.client import RedisClient
from sessile.wire.redis.endpoint import Endpoint, ErrorReply, Tls

PREFIX: Final = "sessile:"
LIMIT: Final = 0.5
"""Seconds for one command unless the URL says otherwise."""

_MARGIN: Final[Seconds] = 60.0
"""How long a row outlives its deadline, for application servers whose clocks differ."""


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
        self.malformed: Callable[[Key], None] = unheeded
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
        endpoint = _endpoint(place)
        place.refuse_leftovers()
        return cls(endpoint, prefix=prefix)

    async def read(self, key: Key, now: Instant) -> Record | None:
        """Return the live record."""
        generation, row = await self._client.ask(
            "redis MGET", "MGET", self._generation, self._prefix + key, idempotent=True
        )
        record = self._unpack(key, _current(row, generation))
        return record if record is not None and record.live_at(now) else None

    async def create(self, record: Record) -> None:
        """Store a new record."""
        answer = await self._run(
            CREATE,
            (self._prefix + record.key, self._generation),
            (pack(record), _milliseconds(record.expires, record.seen), _drawn()),
        )
        if answer is None:
            raise KeyTaken(record.key)
        if isinstance(answer, ErrorReply):
            raise StoreUnavailable(
                self.name, f"the key {self._generation} holds no generation; delete it"
            )

    async def claim(
        self,
        record: Record,
        now: Instant,
        *,
        limit: int | None = None,
        excess: Excess = Excess.END_OLDEST,
        replacing: Key | None = None,
    ) -> Claimed | Full:
        """Store a new record under its owner, within the limit."""
        index = self._index(record.owner or "")
        over = await self._run(
            CLAIM,
            (self._prefix + record.key, self._generation, index),
            (
                pack(record),
                _milliseconds(record.expires, record.seen),
                _milliseconds(record.until, record.seen),
                record.key,
                self._prefix,
                repr(now),
                -1 if limit is None else limit,
                int(excess is Excess.REFUSE),
                replacing or "",
                _drawn(),
            ),
        )
        if over is None:
            raise KeyTaken(record.key)
        if over == 0:
            return Full()
        return Claimed(tuple(Key(name.decode()) for name in self._list(over, index)))

    async def commit(self, change: Change) -> Answer:
        """Replace the record if its version is the expected one."""
        record = change.record
        row = pack(record)
        head = row[: row.index(record.key.encode()) + len(record.key)]
        expected = head + msgspec.msgpack.encode(change.expected)
        left = _milliseconds(record.expires, record.seen)
        names = (self._prefix + record.key, self._generation)
        answer = await self._run(COMMIT, names, (expected, row, left))
        if answer == 1:
            return COMMITTED
        current = self._unpack(Key(record.key), answer)
        return GONE if current is None else Conflict(current)

    async def delete(
        self, key: Key, owner: str | None = None, *, leaving: Record | None = None
    ) -> Record | None:
        """Remove the record and its index entry."""
        index = () if owner is None else (self._index(owner),)
        left = (
            () if leaving is None else (pack(leaving), _milliseconds(leaving.expires, leaving.seen))
        )
        names = (self._prefix + key, self._generation, *index)
        row = await self._run(DELETE, names, (key, *left))
        return self._unpack(key, row)

    async def end_everybody(self, now: Instant) -> None:  # noqa: ARG002
        """Begin a new generation."""
        await self._client.ask("redis SET", "SET", self._generation, _drawn())

    async def owned_by(self, owner: str, now: Instant) -> list[Record]:
        """Return the owner's live records."""
        index = self._index(owner)
        names = (index, self._generation)
        found = self._list(await self._run(OWNED, names, (self._prefix,)), index)
        keys = [name.decode() for name in found[::2]]
        return self._live(zip(keys, found[1::2], strict=True), now)

    async def scan(self, now: Instant, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of live records, in an order of the server's own."""
        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", self._prefix) + "[^@]*"
        following, names = await self._client.ask(
            "redis SCAN", "SCAN", cursor or "0", "MATCH", pattern, "COUNT", batch, idempotent=True
        )
        start = len(self._prefix.encode())
        keys = [key for name in names if is_key(key := name[start:].decode("ascii", "replace"))]
        rows = []
        if keys:
            wanted = [self._generation, *(self._prefix + key for key in keys)]
            found = await self._client.ask("redis MGET", "MGET", *wanted, idempotent=True)
            rows = [_current(row, found[0]) for row in found[1:]]
        live = self._live(zip(keys, rows, strict=True), now)
        return Page(live, None if following == b"0" else following.decode())

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
        """Return what the server's clock shows."""
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

    def _list(self, reply: Any, index: str) -> list[bytes]:
        if isinstance(reply, ErrorReply):
            raise StoreUnavailable(
                self.name,
                f"the key {index} holds no index, or {self._generation} no generation; delete it",
            )
        found: list[bytes] = reply
        return found

    def _live(self, rows: Iterable[tuple[str, bytes | None]], now: Instant) -> list[Record]:
        found = (self._unpack(Key(key), row) for key, row in rows)
        return [record for record in found if record is not None and record.live_at(now)]

    def _unpack(self, key: Key, row: bytes | ErrorReply | None) -> Record | None:
        """Return the record of a row; one that is none is reported."""
        if row is None:
            return None
        record = unpack(row, key) if isinstance(row, bytes) else None
        if record is None:
            self.malformed(key)
        return record


def _drawn() -> bytes:
    """Return a generation that never was."""
    return system.entropy(_GENERATION)


def _current(row: bytes | None, generation: bytes | None) -> bytes | None:
    """Return what a row holds; None where it is none of this generation."""
    if row is None or generation is None or not row.startswith(generation):
        return None
    return row[len(generation) :]


def _milliseconds(until: Instant, seen: Instant) -> int:
    """Return how long Redis keeps what is over at an instant, counted from when it was seen."""
    return int((max(until - seen, 0.0) + _MARGIN) * 1000)


def _endpoint(place: Location) -> Endpoint:
    unix = place.scheme == "unix"
    limit = place.option("timeout", seconds, LIMIT)
    return Endpoint(
        place.safe,
        host=place.host or "localhost",
        port=place.port or 6379,
        path=_socket(place) if unix else None,
        db=place.option("db", _database, 0) if unix else _path_database(place),
        username=place.username or None,
        password=place.password or None,
        tls=_tls(place) if place.scheme == "rediss" else None,
        timeout=limit,
        connect_timeout=place.option("connect_timeout", seconds, limit),
    )


def _tls(place: Location) -> Tls:
    files = (place.option(name, str, "") or None for name in ("ca", "cert", "key"))
    return Tls(*files)


def _socket(place: Location) -> str:
    if place.host or len(place.path) < 2:
        raise ConfigError(f"{place.safe} names no socket: write unix:///run/redis.sock?db=0")
    return place.path


def _path_database(place: Location) -> int:
    try:
        return _database(place.path[1:] or "0")
    except ValueError as error:
        raise ConfigError(
            f"the path of {place.safe} is no database: {error}, and redis://host:6379/0"
        ) from None


def _database(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("write a whole number from 0")
    return int(text)
