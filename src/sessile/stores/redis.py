"""``redis://``: sessions in a Redis or Valkey server, 6.2 or newer. ``wire.redis`` reaches it.

A session is one string, ``<prefix><key>``. A user is a sorted set, ``<prefix>@<digest>``, that
holds the keys of their sessions in the order of their claims. Each act is one command or script.

A row begins with the generation it was made in; the current one stands in ``<prefix>@generation``,
and every act looks there too. A new generation ends everybody at once, and the rows of the old one
go when their own time is over. It is counted and drawn, not dated: no clock has a say in what it
ends. Where it is missing nobody is logged in; nor is where it went back (``redis_generation``).

Redis removes a row some time after its deadline. That time runs from the record's own ``seen``,
and so a server whose clock is wrong removes nothing early. Give the server the policy
``noeviction``: one that evicts may lose a user's index before the sessions in it.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, ClassVar, Final

from sessile.core.value import Seconds
from sessile.errors import KeyTaken, StoreUnavailable
from sessile.stores.contract import (
    COMMITTED,
    PAGE_BYTES,
    Capability,
    Change,
    CommitResult,
    Conflict,
    Corrupt,
    Deleted,
    Instant,
    Key,
    OnLimit,
    Page,
    Record,
    Replacement,
    ReplaceResult,
    StoreSize,
    is_key,
    pack,
)
from sessile.stores.finding import Finding
from sessile.stores.large_keys import LargeKeys
from sessile.stores.location import Location
from sessile.stores.redis_diagnosis import diagnose, judge_generation
from sessile.stores.redis_durability import write_to_disk
from sessile.stores.redis_feed import RedisFeed
from sessile.stores.redis_generation import SeenGeneration, fresh, strip
from sessile.stores.redis_page_scripts import DELETE_OWNED, OWNED, ROWS
from sessile.stores.redis_rows import (
    commit_result,
    cursor_after,
    index_name,
    key_pattern,
    keys_among,
    load,
    replace_result,
    row_of,
)
from sessile.stores.redis_scripts import COMMIT, CREATE, DELETE, REPLACE, Script, run_script
from sessile.stores.redis_server import refuse_cluster
from sessile.stores.redis_size import PAGE, START, count_keys, measure_server
from sessile.stores.redis_url import endpoint_of
from sessile.stores.row import milliseconds, version_start
from sessile.stores.server_clock import ServerClock
from sessile.wire import system
from sessile.wire.commands.repeat import Repeat, Repeated
from sessile.wire.redis.client import RedisClient
from sessile.wire.redis.endpoint import Endpoint, ErrorReply, Words

PREFIX: Final = "sessile:"
_ON_LIMIT: Final = {OnLimit.END_OLDEST: 0, OnLimit.END_OTHERS: 1, OnLimit.REFUSE: 2}


class RedisStore:
    """Records in the strings of one Redis database.

    Whether sessions survive a restart of the server is the server's own setting, so this store
    does not claim it.

    Args:
        endpoint: the server and the database.
        prefix: stands before every key; two applications on one database need two.
        timer: seconds by a clock that never runs backwards.
    """

    capabilities: ClassVar[Capability] = (
        Capability.OWNERS
        | Capability.SCAN
        | Capability.NATIVE_EXPIRY
        | Capability.SHARED
        | Capability.NETWORK
        | Capability.FEED
    )

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        prefix: str = PREFIX,
        timer: Callable[[], Seconds] = system.timer,
    ) -> None:
        self.name = endpoint.name
        self._prefix = prefix
        self._generation = f"{prefix}@generation"
        self._endpoint = endpoint
        self._client = RedisClient(endpoint)
        self._seen = SeenGeneration(endpoint.name, self._generation, self._run)
        self._clock = ServerClock(self.server_time, timer)
        self._large = LargeKeys()

    @classmethod
    def from_url(cls, url: str) -> "RedisStore":
        """Return the store of ``redis://host:6379/0``, ``rediss://`` or ``unix:///path.sock``.

        ``valkey://`` and ``valkeys://`` are the same; ``redis+sentinel://one:26379,two/NAME/0``
        asks Sentinels for the primary, ``rediss+sentinel://`` with TLS to all of them.

        Options: ``prefix``, ``timeout``, ``connect_timeout``, ``acks``; ``db`` with ``unix``;
        ``ca``, ``cert`` and ``key`` with TLS; ``sentinel_username`` and
        ``sentinel_password`` with Sentinels.
        """
        place = Location(url)
        prefix = place.option("prefix", str, PREFIX)
        endpoint = endpoint_of(place)
        place.refuse_leftovers()
        return cls(endpoint, prefix=prefix)

    async def read(self, key: Key) -> Record | Corrupt | None:
        """Return the record of that key."""
        words, is_large = ("MGET", self._generation, self._prefix + key), key in self._large
        generation, row = await self._client.ask(
            "redis MGET", *words, repeat=Repeat.HARMLESS, is_large=is_large
        )
        if generation != self._seen.newest:
            generation = await self._seen.follow(generation)
        if row is not None:
            self._large.note(key, row)
        return load(key, strip(row, generation))

    async def create(self, record: Record) -> None:
        """Store a new record."""
        answer = await self._run(
            CREATE,
            (self._prefix + record.key, self._generation),
            (row_of(record), milliseconds(record.expires, record.seen), fresh()),
        )
        if answer is None:
            raise KeyTaken(record.key)
        self._check_generation(answer)

    async def commit(self, change: Change) -> CommitResult:
        """Replace the record if its version is the expected one."""
        record = change.record
        row, owner = row_of(record), record.index_owner
        index = () if owner is None else (self._index(owner),)
        names = (self._prefix + record.key, self._generation, *index)
        lefts = (milliseconds(end, record.seen) for end in (record.expires, record.until))
        head = version_start(row, record.key, change.expected)
        answer = await self._run(COMMIT, names, (head, row, record.key, *lefts))
        if isinstance(answer, Repeated):
            return self._result_of_repeat(change, row, answer.reply)
        return COMMITTED if answer == 1 else commit_result(change, answer)

    def _result_of_repeat(self, change: Change, row: bytes, answer: Any) -> CommitResult:
        """Return the result of a commit that was sent twice, whichever of the two was performed.

        The stamp tells its own row from a rival's. A rival's row of the version that this one
        would have made proves that neither was, and neither will be. Anything else proves nothing:
        a rival may have built upon what the first one wrote.
        """
        if answer in (1, row):
            return COMMITTED
        result = commit_result(change, answer)
        if isinstance(result, Conflict) and result.current.version == change.record.version:
            return result
        raise StoreUnavailable(
            self.name, "the connection broke, and nobody can tell whether the change was stored"
        )

    async def replace(self, replacement: Replacement) -> ReplaceResult:
        """Store a new record in the place of an old one, as one script."""
        new, limit = replacement.new, replacement.limit
        names = [self._prefix + new.key, self._generation]
        index = "" if new.owner is None else self._index(new.owner)
        names += [index] if index else []
        words: list[str | bytes | float] = [
            row_of(new),
            milliseconds(new.expires, new.seen),
            milliseconds(new.until, new.seen),
            new.key,
            self._prefix,
            repr(replacement.now),
            -1 if limit is None else limit.number,
            0 if limit is None else _ON_LIMIT[limit.on_limit],
            fresh(),
            int(bool(index)),
        ]
        if replacement.old is not None:
            self._add_old(names, words, replacement.old, replacement.tombstone)
        while True:
            answer = await self._run_in_time(REPLACE, tuple(names), tuple(words))
            if answer is None:
                raise KeyTaken(new.key)
            if index:
                self._check_index(answer, index)
            self._check_generation(answer)
            if answer != [b"crowded"]:  # else some of the dead are out of the way
                return replace_result(answer, replacement.old)

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
        left = 0 if tombstone is None else milliseconds(tombstone.expires, tombstone.seen)
        words += [
            old.key,
            version_start(pack(old), old.key, old.version),
            b"" if tombstone is None else row_of(tombstone),
            left,
        ]

    async def delete(
        self, key: Key, owner: str | None = None, *, leaving: Record | None = None
    ) -> Record | Corrupt | None:
        """Remove the record and its index entry."""
        index = () if owner is None else (self._index(owner),)
        left = (
            ()
            if leaving is None
            else (row_of(leaving), milliseconds(leaving.expires, leaving.seen))
        )
        names = (self._prefix + key, self._generation, *index)
        return load(key, await self._run(DELETE, names, (key, *left)))

    async def end_everybody(self) -> str | None:
        """Begin a new generation, and have the server write it to disk if it can."""
        self._client.check_open()
        # a connection of its own: the server answers for what came over this one, and may wait
        client = RedisClient(self._endpoint)
        try:
            await refuse_cluster(client, self._generation)  # it would end nobody
            await self._seen.end(client.ask)
            if self._endpoint.acks:
                await client.check_replicas()
            risk = await write_to_disk(client)
            await self._seen.check(client.ask)
        finally:
            await client.close()
        return risk

    async def owned_by(self, owner: str, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of the owner's records."""
        index = self._index(owner)
        words = (self._prefix, cursor or "-inf", batch, PAGE_BYTES)
        answer = await self._run(OWNED, (index, self._generation), words)
        last, *found = self._check_index(answer, index)
        keys = [Key(name.decode()) for name in found[::2]]
        records = [load(key, row) for key, row in zip(keys, found[1::2], strict=True)]
        return Page([r for r in records if r is not None], cursor_after(last))

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
        answer = await self._run_in_time(DELETE_OWNED, (index, self._generation), words)
        more, *names = self._check_index(answer, index)
        return Deleted(tuple(Key(name.decode()) for name in names), more=bool(more))

    async def scan(self, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of all records, in an order of the server's own.

        The server cannot go on within what it listed at once: a cursor has the keys that are left
        of it, where their rows were too many bytes for one page.
        """
        following, *left = (cursor or START).split(",")
        keys = [Key(key) for key in left if is_key(key)]
        if not keys:
            following, keys = await self._keys(following, batch)
        rows = await self._rows(keys) if keys else []
        records = [load(key, row) for key, row in zip(keys, rows, strict=False)]
        words = [following, *keys[len(rows) :]]
        more = None if words == [START] else ",".join(words)
        return Page([record for record in records if record is not None], more)

    async def _rows(self, keys: list[Key]) -> list[bytes | None]:
        """Return the rows of some keys; of the last ones none, if the others are a page."""
        names = [self._generation, self._generation, *(self._prefix + key for key in keys)]
        answer = await self._run(ROWS, tuple(names), (PAGE_BYTES,))
        self._check_generation(answer)
        await self._seen.follow(answer[0] or None)
        rows: list[bytes | None] = answer[1:]
        return rows

    async def count(self) -> int:
        """Return how many rows there are; those are counted too that ended with everybody."""
        return await count_keys(self._keys)

    async def size(self) -> StoreSize:
        """Ask the server; of more keys than a sample the number is an estimate."""
        return await measure_server(self._client, partial(keys_among, prefix=self._prefix))

    async def _keys(self, cursor: str, batch: int) -> tuple[str, list[Key]]:
        """Return where to go on, and some keys of sessions."""
        words = ("SCAN", cursor, "MATCH", key_pattern(self._prefix), "COUNT", batch)
        following, names = await self._client.ask("redis SCAN", *words, repeat=Repeat.HARMLESS)
        keys = keys_among(names, self._prefix)
        if not keys and cursor == START:
            await refuse_cluster(self._client, self._generation)
        return following.decode(), keys

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
        await self._client.ask("redis PING", "PING", repeat=Repeat.HARMLESS)

    def open_feed(
        self,
        timer: Callable[[], Seconds],
        wanted: Callable[[], Collection[Key]],  # noqa: ARG002  (it is told of every one)
    ) -> RedisFeed:
        """Have the server tell of every key that is changed; no writer does anything for it."""
        connection = self._client.track(self._prefix, timer)
        return RedisFeed(connection, timer, self._prefix, self._generation)

    async def server_time(self) -> Instant:
        """Return the server's time."""
        whole, micros = await self._client.ask("redis TIME", "TIME", repeat=Repeat.HARMLESS)
        return int(whole) + int(micros) / 1_000_000

    async def diagnose(self) -> list[Finding]:
        """Look at the server, and at the generation."""
        found = await self._client.ask("redis GET", "GET", self._generation, repeat=Repeat.HARMLESS)
        _, keys = await self._keys(START, PAGE)
        generation = judge_generation(found, self._generation, any_row=bool(keys))
        return [*await diagnose(self._client, self._endpoint), generation]

    async def close(self) -> None:
        """Close every connection of this process."""
        await self._client.close()

    def keep_secret(self, fresh: bytes) -> bytes | None:  # noqa: ARG002
        """Refuse: the servers that share this store would each draw their own."""
        return None

    async def _run(self, script: Script, keys: tuple[str, ...], words: Words) -> Any:
        """Run a script, which is told the newest generation that was seen."""
        words = (*words, self._seen.newest)
        return await run_script(self._client.ask, script, keys, words, acks=self._endpoint.acks)

    async def _run_in_time(self, script: Script, keys: tuple[str, ...], words: Words) -> Any:
        """Run a script that the server is not to perform once its time limit is over."""
        for _ in range(2):
            deadline = await self._clock.time_after(self._endpoint.timeout)
            reply = await self._run(script, keys, (*words, deadline))
            if reply != [b"late"]:
                return reply
            self._clock.forget()  # it was not late by our timer, or nobody would hear of it
        raise StoreUnavailable(self.name, "its clock leaps, so nothing was done; ask again")

    def _index(self, owner: str) -> str:
        """Return the key of a user's index."""
        return f"{self._prefix}@{index_name(owner)}"

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
