"""``postgresql://``: sessions in the rows of one table of a Postgres server, 13 or newer.

``wire.postgres`` reaches it. Each act is one trip to the server: ``postgres_statements`` says
which, and ``postgres_table`` what a row is. The table is made by ``sessile init``, or with the
first act by a user who may.

Everybody is ended by a new *generation*, whatever the size of the table: one row is written. The
rows of older ones go when their own time is over.
"""

from collections.abc import Callable, Collection
from typing import ClassVar, Final

from sessile.core.flow import run
from sessile.core.value import Seconds
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
    Instant,
    Key,
    Page,
    Record,
    Replacement,
    ReplaceResult,
    StoreSize,
    unpack,
)
from sessile.stores.finding import Finding
from sessile.stores.postgres_diagnosis import check_layout, diagnose
from sessile.stores.postgres_feed import PostgresFeed, feed_definition
from sessile.stores.postgres_generation import SeenGenerations
from sessile.stores.postgres_rows import (
    ON_LIMIT,
    claim_deadline,
    head_of,
    load,
    lock_number,
    opaque_row,
    replace_result,
    text,
)
from sessile.stores.postgres_statements import (
    BEGIN,
    END,
    LOCK_OWNERS,
    TABLE_LOCK,
    TIME,
    Statements,
)
from sessile.stores.postgres_table import (
    definition,
    explain,
    explain_missing,
    is_missing,
    is_there,
)
from sessile.stores.postgres_url import PostgresPlace, place_of
from sessile.stores.row import owner_digest
from sessile.stores.server_clock import ServerClock
from sessile.wire import system
from sessile.wire.feed.connection import FeedConnection
from sessile.wire.postgres.client import PostgresClient
from sessile.wire.postgres.statement import Query, Row, Statement, integer, number

MOST_COMMITS: Final = 8
"""Times that a commit is tried whose row changes between its two statements."""

_COUNTED: Final = 100_000
_TRUE: Final = b"\x01"


class PostgresStore:
    """Records in the rows of one table.

    Args:
        place: the database and the table.
        timer: seconds by a clock that never runs backwards.
    """

    capabilities: ClassVar[Capability] = (
        Capability.OWNERS
        | Capability.SCAN
        | Capability.SHARED
        | Capability.NETWORK
        | Capability.DURABLE
    )

    def __init__(
        self, place: PostgresPlace, *, timer: Callable[[], Seconds] = system.timer
    ) -> None:
        self.name = place.endpoint.name
        self.table = place.table
        self._place = place
        self._client = PostgresClient(place.endpoint)
        self._clock = ServerClock(self.server_time, timer)
        self._statements = Statements(place.table)
        self._seen = SeenGenerations(self.name, self._statements.begin_behind, self._ask)

    @classmethod
    def from_url(cls, url: str) -> "PostgresStore":
        """Return the store of ``postgresql://user:password@host:5432/database``.

        Several hosts may stand there, with commas between them. Options: ``table``, ``logged``,
        ``feed``, ``timeout``, ``connect_timeout``, ``connections``, ``prepare``, and those of libpq
        that ``postgres_url.LIBPQ`` has.
        """
        place = place_of(url)
        return (PostgresFeedStore if place.feed else cls)(place)

    async def read(self, key: Key) -> Record | Corrupt | None:
        """Return the record of that key."""
        query = self._statements.read.bind(key)
        for _ in range(2):
            (row,) = await self._ask("read", query, is_harmless=True)
            if await self._seen.follow(integer(row[-1])):
                return None if row[0] is None else load(key, row)
        return None  # of a generation that has ended meanwhile

    async def create(self, record: Record) -> None:
        """Store a new record."""
        query = self._statements.create.bind(
            record.key, record.version, record.expires, claim_deadline(record), opaque_row(record)
        )
        if not await self._ask("create", query):
            raise KeyTaken(record.key)

    async def commit(self, change: Change) -> CommitResult:
        """Replace the record if its version is the expected one."""
        record = change.record
        query = self._statements.commit.bind(
            record.key, change.expected, record.version, record.expires, claim_deadline(record),
            opaque_row(record), head_of(record),
        )  # fmt: skip
        current: Record | Corrupt | None = None
        for _ in range(MOST_COMMITS):
            if await self._ask("commit", query):
                return COMMITTED
            current = await self.read(Key(record.key))
            if not isinstance(current, Record):
                return GONE if current is None else current
            if current.version != change.expected:
                break
        assert isinstance(current, Record)
        return Conflict(current)

    async def replace(self, replacement: Replacement) -> ReplaceResult:
        """Store a new record in the place of an old one, in one transaction."""
        old, new = replacement.old, replacement.new
        owners = {one.owner for one in (old, new) if one is not None and one.owner is not None}
        while True:
            rows = await self._ask_in_time(
                "replace", sorted(owners), lambda end: self._login(replacement, end),
                is_late=lambda rows: rows[0][0] == b"late",
            )  # fmt: skip
            if rows[0][0] != b"crowded":  # else some of the dead are out of the way
                return replace_result(rows, replacement)

    def _login(self, replacement: Replacement, deadline: Instant) -> Query:
        new, old, grave = replacement.new, replacement.old, replacement.tombstone
        limit, owner = replacement.limit, new.owner
        last = (None, None, None) if old is None else (old.key, old.version, head_of(old))
        left = (None, None, None) if grave is None else _row(grave)
        values = (
            new.key, new.version, new.expires, claim_deadline(new),
            None if owner is None else owner_digest(owner), opaque_row(new), deadline,
            *last, *left,
        )  # fmt: skip
        if limit is None or owner is None:
            return self._statements.replace.bind(*values)
        return self._statements.replace_limited.bind(
            *values, replacement.now, limit.number, ON_LIMIT[limit.on_limit]
        )

    async def delete(
        self,
        key: Key,
        owner: str | None = None,  # noqa: ARG002  (the row itself knows it)
        *,
        leaving: Record | None = None,
    ) -> Record | Corrupt | None:
        """Remove the record; its index entry is the same row."""
        if leaving is None:
            query = self._statements.delete.bind(key)
        else:
            query = self._statements.leave.bind(key, *_row(leaving))
        rows = await self._ask("delete", query)
        return next((unpack(blob, key) for blob, lived in rows if lived == _TRUE), None)

    async def end_everybody(self) -> None:
        """Begin a new generation. Its commit waits for the disk."""
        query = self._statements.end_everybody.bind(self._seen.newest)
        ((generation,),) = await self._ask("end everybody", query)
        self._seen.newest = max(self._seen.newest, integer(generation))

    async def owned_by(self, owner: str, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of the owner's records."""
        query = self._statements.owned.bind(owner_digest(owner), int(cursor or 0), batch)
        rows = await self._ask("owned_by", query, is_harmless=True)
        records = [load(text(row[0]), row[1:4]) for row in rows]
        more = _is_full([len(row[1]) for row in rows], batch)
        return Page(records, str(integer(rows[-1][4])) if more else None)

    async def delete_owned(
        self,
        owner: str,
        *,
        keep: Collection[str] = (),
        before: Key | None = None,
        batch: int = 250,
    ) -> Deleted:
        """Remove some of the owner's sessions, in one transaction."""
        rows = await self._ask_in_time(
            "delete_owned", [owner],
            lambda end: self._statements.delete_owned.bind(
                owner_digest(owner), list(keep), before, batch, end
            ),
            is_late=lambda rows: rows[0][0] != _TRUE,
        )  # fmt: skip
        page = [row for row in rows if row[1] is not None]
        keys = tuple(Key(text(key)) for _, key, _, was_there in page if was_there == _TRUE)
        return Deleted(keys, _is_full([integer(size) for _, _, size, _ in page], batch))

    async def scan(self, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of all records, in the order of their keys."""
        query = self._statements.scan.bind(cursor or "", batch)
        rows = await self._ask("scan", query, is_harmless=True)
        records = [load(text(row[0]), row[1:4]) for row in rows]
        more = _is_full([len(row[1]) for row in rows], batch)
        return Page(records, text(rows[-1][0]) if more else None)

    async def count(self) -> int:
        """Return how many rows there are; of very many it is the server's estimate."""
        query = self._statements.count.bind(_COUNTED)
        ((counted,),) = await self._ask("count", query, is_harmless=True)
        return integer(counted)

    async def size(self) -> StoreSize:
        """Count as ``count`` does; the bytes are those of the table and its indexes."""
        query = self._statements.size.bind(_COUNTED)
        ((counted, taken),) = await self._ask("size", query, is_harmless=True)
        records = integer(counted)
        return StoreSize(records, integer(taken), is_estimate=records >= _COUNTED)

    async def sweep(self, now: Instant, batch: int = 1000) -> int:
        """Remove the expired, and what ended with everybody when its own time is over."""
        while True:
            ((removed, deferred),) = await self._ask(
                "sweep", self._statements.sweep.bind(now, batch)
            )
            if integer(removed) or not integer(deferred):
                return integer(removed)

    async def ping(self) -> None:
        """Read from the table."""
        await self._ask("ping", self._statements.read.bind(""), is_harmless=True)

    async def server_time(self) -> Instant:
        """Return the server's time."""
        (((seconds,),),) = await self._client.ask("postgres time", TIME.bind(), is_harmless=True)
        return number(seconds)

    async def diagnose(self) -> list[Finding]:
        """Look at the server, and at the table."""
        return await diagnose(self._client, self._place)

    def table_statements(self) -> tuple[str, ...]:
        """Return the statements that make the table."""
        return definition(self.table, logged=self._place.logged)

    async def make_table(self) -> str | None:
        """Make the table; return its name, None where it was there, and is of this version.

        Raises:
            StoreUnavailable: it cannot be made, or is another one; says what to write.
        """
        statements = [Statement(one.encode()).bind() for one in self.table_statements()]
        try:
            await self._client.ask("postgres init", TABLE_LOCK, *statements)
        except StoreUnavailable as error:
            if not is_there(error):
                raise explain_missing(error, self.table) from error.__cause__
            await check_layout(self._client, self.table)
            return None
        return self.table

    async def close(self) -> None:
        """Close every connection of this process."""
        await self._client.close()

    def keep_secret(self, fresh: bytes) -> bytes | None:  # noqa: ARG002
        """Refuse: the servers that share this store would each draw their own."""
        return None

    async def _ask(
        self, what: str, *queries: Query, at: int = -1, is_harmless: bool = False
    ) -> list[Row]:
        """Return the rows of one of an act's queries; make the table where there is none."""
        what = f"postgres {what}"
        try:
            return (await self._client.ask(what, *queries, is_harmless=is_harmless))[at]
        except StoreUnavailable as error:
            if not is_missing(error):
                raise explain(error, self.table) from error.__cause__
        await self.make_table()
        return (await self._client.ask(what, *queries))[at]

    async def _ask_in_time(
        self,
        what: str,
        owners: list[str],
        query: Callable[[Instant], Query],
        *,
        is_late: Callable[[list[Row]], bool],
    ) -> list[Row]:
        """Ask under the locks of some users, and not once the time limit is over."""
        locks = self._locks(owners)
        for _ in range(2):
            deadline = await self._clock.time_after(self._place.endpoint.timeout)
            acts = (*locks, query(deadline / 1_000_000))
            rows = await (
                self._ask(what, *acts, END.bind(), at=-2) if locks else self._ask(what, *acts)
            )
            if not is_late(rows):
                return rows
            self._clock.forget()  # it was not late by our timer, or nobody would hear of it
        raise StoreUnavailable(self.name, "its clock leaps, so nothing was done; ask again")

    def _locks(self, owners: list[str]) -> tuple[Query, ...]:
        """Return the queries for users' locks, in an order in which nobody waits in a circle."""
        numbers = sorted(lock_number(self.table, owner) for owner in owners)
        if not numbers:
            return ()
        return BEGIN.bind(), LOCK_OWNERS.bind(numbers[0], numbers[-1])


class PostgresFeedStore(PostgresStore):
    """The same with a feed, ``?feed=yes``: its table tells of every change."""

    capabilities: ClassVar[Capability] = PostgresStore.capabilities | Capability.FEED

    def __init__(self, place: PostgresPlace) -> None:
        super().__init__(place)
        self._feed = PostgresFeed(self._client, self.table)

    def open_feed(
        self,
        timer: Callable[[], Seconds],
        wanted: Callable[[], Collection[Key]],  # noqa: ARG002  (it is told of every one)
    ) -> FeedConnection:
        """Listen to what the table tells; make it where there is none."""
        return self._feed.open(timer, lambda: run(self.make_table()))

    def table_statements(self) -> tuple[str, ...]:
        """Return the statements that make the table, and its triggers."""
        return (*super().table_statements(), *feed_definition(self.table))

    async def make_table(self) -> str | None:
        """Make the table and its triggers; return in words what was made, None for nothing."""
        made = await super().make_table()
        if made is not None or await self._feed.is_told():
            return made
        statements = [Statement(one.encode()).bind() for one in feed_definition(self.table)]
        await self._client.ask("postgres init", TABLE_LOCK, *statements)
        return f"the triggers of {self.table}"

    async def diagnose(self) -> list[Finding]:
        """Look at the server, at the table, and whether it tells."""
        return [*await super().diagnose(), await self._feed.diagnose()]


def _row(leaving: Record) -> tuple[int, Instant, bytes]:
    return leaving.version, leaving.expires, opaque_row(leaving)


def _is_full(sizes: list[int], batch: int) -> bool:
    """Tell whether there may be more behind a page."""
    return len(sizes) >= batch or sum(sizes) >= PAGE_BYTES
