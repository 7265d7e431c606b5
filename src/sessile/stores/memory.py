"""``memory://``: the sessions of one process, bounded in number. For development and for tests.

Each act is one step of plain Python, so it is atomic. Records are frozen and packed, so that no
caller can change what is stored.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from functools import partial
from itertools import count as numbers
from itertools import islice
from typing import ClassVar, Final, TypeVar

from sessile.errors import ConfigError, KeyTaken, StoreClosed
from sessile.stores.contract import (
    COMMITTED,
    GONE,
    HEAD_BYTES,
    Ask,
    Capability,
    Change,
    CommitResult,
    Conflict,
    Corrupt,
    Deleted,
    Full,
    Gone,
    Instant,
    Key,
    Page,
    Record,
    Replaced,
    Replacement,
    ReplaceResult,
    Seconds,
    StoreSize,
    head_of,
    pack,
    unpack,
)
from sessile.stores.excess import Crowded, choose
from sessile.stores.location import Location, count, yes
from sessile.stores.paging import cut
from sessile.wire import workers
from sessile.wire.feed.connection import FeedConnection
from sessile.wire.feed.local import LocalFeed
from sessile.wire.locked import LockedCalls

R = TypeVar("R")

MOST: Final = 100_000
"""Sessions kept unless the URL says otherwise; a session of 1 KB takes about 1.5 KB."""

_ADVICE: Final = (
    "write sqlite:///sessile.db, which all processes of a host share, "
    "or memory://?per-process=yes if every client always comes to the same process"
)
_FORKED: Final = (
    "memory:// keeps sessions in one process, and this one was forked off after the store was made,"
    f" so it would not know the sessions of the others: {_ADVICE}"
)


class MemoryStore:
    """Records in a dict, in the order of their last use; beyond ``most`` the least used go.

    Those of nobody go first: a crawler that gets a session with every page logs nobody out.

    Args:
        most: how many sessions are kept.
        per_process: after a fork each process goes on with sessions of its own; without it, use
            in the forked process is a ``ConfigError``.
    """

    capabilities: ClassVar[Capability] = Capability.OWNERS | Capability.SCAN | Capability.FEED

    def __init__(self, most: int = MOST, *, per_process: bool = False) -> None:
        self.name = "memory://"
        self._most = most
        self._rows: OrderedDict[str, bytes] | None = OrderedDict()
        self._visitors: OrderedDict[str, None] = OrderedDict()  # the keys of nobody's, likewise
        self._owners: dict[str, dict[str, int]] = {}  # owner to keys, each with its login's number
        self._logins = numbers(1)
        self._secret: bytes | None = None
        self._feed = LocalFeed()
        self._calls = LockedCalls(None if per_process else _FORKED)

    @classmethod
    def from_url(cls, url: str) -> "MemoryStore":
        """Return the store of ``memory://``, ``?most=1000``, ``?per-process=yes``."""
        place = Location(url)
        most = place.option("most", count, MOST)
        per_process = place.option("per-process", yes, default=False)
        place.refuse_leftovers()
        if place.safe != "memory://":
            raise ConfigError(f"{place.safe} names a place, but memory has none: write memory://")
        number = workers.count()
        if number > 1 and not per_process:
            raise ConfigError(
                f"memory:// keeps sessions in one process, but {number} workers were asked for: "
                f"a client would be logged in on one of {number} requests; {_ADVICE}"
            )
        return cls(most, per_process=per_process)

    async def read(self, key: Key) -> Record | Corrupt | None:
        """Return the record of that key."""
        blob = await Ask("memory read", partial(self._calls.call, self._get, key))
        return None if blob is None else unpack(blob, key)

    async def create(self, record: Record) -> None:
        """Store a new record."""
        await self._ask("create", self._add, record)

    async def commit(self, change: Change) -> CommitResult:
        """Replace the record if its version is the expected one."""
        return await self._ask("commit", self._commit, change)

    async def replace(self, replacement: Replacement) -> ReplaceResult:
        """Store a new record in the place of an old one."""
        while (answer := await self._ask("replace", self._replace, replacement)) is None:
            pass  # some of the dead are out of the way
        return answer

    async def delete(
        self, key: Key, owner: str | None = None, *, leaving: Record | None = None
    ) -> Record | Corrupt | None:
        """Remove the record and its index entry."""
        return await self._ask("delete", self._delete, key, owner, leaving)

    async def end_everybody(self) -> None:
        """Forget every record and index."""
        await self._ask("end everybody", self._clear)

    async def owned_by(self, owner: str, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of the owner's records."""
        return await self._ask("owned_by", self._owned_by, owner, cursor, batch)

    async def delete_owned(
        self,
        owner: str,
        *,
        keep: Collection[str] = (),
        before: Key | None = None,
        batch: int = 250,
    ) -> Deleted:
        """Remove some of the owner's sessions."""
        return await self._ask("delete_owned", self._delete_owned, owner, keep, before, batch)

    async def scan(self, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of all records, in the order of their keys."""
        return await self._ask("scan", self._scan, cursor or "", batch)

    async def count(self) -> int:
        """Return how many records there are."""
        return len(await self._ask("count", self._open_rows))

    async def size(self) -> StoreSize:
        """Add up the bytes of every record."""
        return await self._ask("size", self._size)

    async def sweep(self, now: Instant, batch: int = 1000) -> int:
        """Remove expired records."""
        return await self._ask("sweep", self._sweep, now, batch)

    async def ping(self) -> None:
        """Return at once."""
        await self._ask("ping", self._open_rows)

    def open_feed(
        self,
        timer: Callable[[], Seconds],
        wanted: Callable[[], Collection[Key]],  # noqa: ARG002  (it is told of every one)
    ) -> FeedConnection:
        """Listen to what this process does."""
        return self._feed.open(timer)

    async def close(self) -> None:
        """Forget everything."""
        self._rows = None
        self._owners = {}
        self._visitors.clear()

    def keep_secret(self, fresh: bytes) -> bytes | None:
        """Keep the first one for the life of the store."""
        if self._secret is None:
            self._secret = fresh
        return self._secret

    def _ask(self, what: str, act: Callable[..., R], *args: object) -> Ask[R]:
        return Ask(f"memory {what}", partial(self._calls.call, act, *args))

    def _open_rows(self) -> OrderedDict[str, bytes]:
        if self._rows is None:
            raise StoreClosed("memory store")
        return self._rows

    def _get(self, key: str) -> bytes | None:
        rows = self._rows
        if rows is None:
            rows = self._open_rows()
        blob = rows.get(key)
        if blob is not None:
            rows.move_to_end(key)
            if key in self._visitors:
                self._visitors.move_to_end(key)
        return blob

    def _load(self, key: str) -> Record | Corrupt | None:
        blob = self._get(key)
        return None if blob is None else unpack(blob, Key(key))

    def _add(self, record: Record) -> None:
        rows = self._open_rows()
        if record.key in rows:
            raise KeyTaken(record.key)
        rows[record.key] = pack(record)
        self._feed.tell(record.key)
        if not record.bound:
            self._visitors[record.key] = None
        while len(rows) > self._most:
            self._remove(next(iter(self._visitors or rows)), None)

    def _commit(self, change: Change) -> CommitResult:
        changed = self._conflict(change.record.key, change.expected)
        if changed is None:
            self._open_rows()[change.record.key] = pack(change.record)
            self._feed.tell(change.record.key)
        return changed or COMMITTED

    def _conflict(self, key: str, expected: int) -> Conflict | Gone | Corrupt | None:
        """Return why a row is not the version that is expected; None where it is."""
        current = self._load(key)
        if not isinstance(current, Record):
            return current or GONE
        return None if current.version == expected else Conflict(current)

    def _replace(self, replacement: Replacement) -> ReplaceResult | None:
        new, old = replacement.new, replacement.old
        if old is not None and (changed := self._conflict(old.key, old.version)) is not None:
            return changed
        excess = self._excess(replacement)
        if isinstance(excess, Crowded):
            for key in excess.dead:
                self._remove(key, new.owner)
            return None
        if isinstance(excess, Full):
            return excess
        self._add(new)
        if old is not None:
            self._delete(Key(old.key), old.owner, replacement.tombstone)
        for key in excess.ended:
            self._remove(key, new.owner)
        if new.owner is not None:
            self._owners.setdefault(new.owner, {})[new.key] = next(self._logins)
        return excess

    def _excess(self, replacement: Replacement) -> Replaced | Full | Crowded:
        owner, limit, now = replacement.new.owner, replacement.limit, replacement.now
        index = self._owners.get(owner or "", {})
        if limit is None or len(index) < limit.number:
            return Replaced()
        rows = self._open_rows()
        entries = (
            (Key(key), head_of(rows.get(key, b"")[:HEAD_BYTES], key)) for key in reversed(index)
        )
        old = None if replacement.old is None else replacement.old.key
        return choose(limit, entries, len(index), now, new=replacement.new.key, old=old)

    def _delete(
        self, key: Key, owner: str | None, leaving: Record | None
    ) -> Record | Corrupt | None:
        last = self._remove(key, owner)
        if last is not None and leaving is not None:
            self._add(leaving)
        return last

    def _remove(self, key: str, owner: str | None) -> Record | Corrupt | None:
        last = self._load(key)
        self._open_rows().pop(key, None)
        self._feed.tell(key)
        self._visitors.pop(key, None)
        holder = last.owner if isinstance(last, Record) else owner
        entries = self._owners.get(holder or "", {})
        entries.pop(key, None)
        if not entries:
            self._owners.pop(holder or "", None)
        return last

    def _clear(self) -> None:
        self._open_rows().clear()
        self._visitors.clear()
        self._owners.clear()
        self._feed.tell_anything()

    def _delete_owned(
        self, owner: str, keep: Collection[str], before: Key | None, batch: int
    ) -> Deleted:
        index = self._owners.get(owner, {})
        end = math.inf if before is None else index.get(before, 0)
        others = (key for key, n in index.items() if n < end and key not in keep)
        keys, more = self._page(others, batch)
        for key in keys:
            self._remove(key, owner)
        return Deleted(tuple(keys), more)

    def _owned_by(self, owner: str, cursor: str | None, batch: int) -> Page:
        after = int(cursor or 0)
        index = self._owners.get(owner, {})
        keys, more = self._page((key for key, n in index.items() if n > after), batch)
        return Page(self._load_all(keys), str(index[keys[-1]]) if more else None)

    def _scan(self, cursor: str, batch: int) -> Page:
        keys, more = self._page(sorted(key for key in self._open_rows() if key > cursor), batch)
        return Page(self._load_all(keys), keys[-1] if more else None)

    def _page(self, keys: Iterable[str], batch: int) -> tuple[list[Key], bool]:
        rows = self._open_rows()
        return cut(map(Key, keys), lambda key: len(rows.get(key, b"")), batch)

    def _load_all(self, keys: list[Key]) -> list[Record | Corrupt]:
        return [record for record in map(self._load, keys) if record is not None]

    def _size(self) -> StoreSize:
        rows = self._open_rows()
        return StoreSize(len(rows), sum(map(len, rows.values())))

    def _sweep(self, now: Instant, batch: int) -> int:
        expired = (
            key
            for key, blob in self._open_rows().items()
            if isinstance(record := unpack(blob, Key(key)), Corrupt) or not record.live_at(now)
        )
        some = list(islice(expired, batch))
        for key in some:
            self._remove(key, None)
        return len(some)
