"""``memory://``: the sessions of one process, bounded in number. For development and for tests.

Every act is one step of plain Python, so it is atomic. Records are frozen and packed, so that no
caller can change what is stored.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import ClassVar, Final

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
from sessile.core.ticket import Key
from sessile.core.value import Instant
from sessile.errors import ConfigError, KeyTaken, StoreClosed
from sessile.stores.contract import unheeded
from sessile.stores.location import Location, count, yes
from sessile.wire import workers
from sessile.wire.locked import LockedCalls

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

    Args:
        most: how many sessions are kept.
        per_process: after a fork each process goes on with sessions of its own; without it, use
            in the forked process is a ``ConfigError``.
    """

    capabilities: ClassVar[Capability] = Capability.OWNERS | Capability.SCAN

    def __init__(self, most: int = MOST, *, per_process: bool = False) -> None:
        self.name = "memory://"
        self.malformed: Callable[[Key], None] = unheeded
        self._most = most
        self._rows: OrderedDict[str, bytes] | None = OrderedDict()
        self._owners: dict[str, dict[str, None]] = {}
        self._secret: bytes | None = None
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

    async def read(self, key: Key, now: Instant) -> Record | None:
        """Return the live record."""
        record = await self._calls.ask("memory read", lambda: self._get(key))
        return record if record is not None and record.live_at(now) else None

    async def create(self, record: Record) -> None:
        """Store a new record."""
        await self._calls.ask("memory create", lambda: self._add(record))

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
        return await self._calls.ask(
            "memory claim", lambda: self._claim(record, now, limit, excess, replacing)
        )

    async def commit(self, change: Change) -> Answer:
        """Replace the record if its version is the expected one."""
        return await self._calls.ask("memory commit", lambda: self._commit(change))

    async def delete(
        self, key: Key, owner: str | None = None, *, leaving: Record | None = None
    ) -> Record | None:
        """Remove the record and its index entry."""
        return await self._calls.ask("memory delete", lambda: self._replace(key, owner, leaving))

    async def end_everybody(self, now: Instant) -> None:  # noqa: ARG002
        """Forget every record and index."""
        await self._calls.ask("memory end everybody", self._clear)

    async def owned_by(self, owner: str, now: Instant) -> list[Record]:
        """Return the owner's live records."""
        return await self._calls.ask("memory owned_by", lambda: self._owned_by(owner, now))

    async def scan(self, now: Instant, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of live records, in the order of their keys."""
        return await self._calls.ask("memory scan", lambda: self._scan(now, cursor or "", batch))

    async def sweep(self, now: Instant, batch: int = 1000) -> int:
        """Remove expired records."""
        return await self._calls.ask("memory sweep", lambda: self._sweep(now, batch))

    async def ping(self) -> None:
        """Return at once."""
        await self._calls.ask("memory ping", self._open_rows)

    async def close(self) -> None:
        """Forget everything."""
        self._rows = None
        self._owners = {}

    def keep_secret(self, fresh: bytes) -> bytes | None:
        """Keep the first one for the life of the store."""
        if self._secret is None:
            self._secret = fresh
        return self._secret

    def _open_rows(self) -> OrderedDict[str, bytes]:
        if self._rows is None:
            raise StoreClosed("memory store")
        return self._rows

    def _get(self, key: str) -> Record | None:
        rows = self._open_rows()
        blob = rows.get(key)
        if blob is None:
            return None
        rows.move_to_end(key)
        record = unpack(blob, Key(key))
        if record is None:
            self.malformed(Key(key))
        return record

    def _add(self, record: Record) -> None:
        rows = self._open_rows()
        if record.key in rows:
            raise KeyTaken(record.key)
        rows[record.key] = pack(record)
        while len(rows) > self._most:
            self._delete(Key(next(iter(rows))), None)

    def _claim(
        self,
        record: Record,
        now: Instant,
        limit: int | None,
        excess: Excess,
        replacing: Key | None,
    ) -> Claimed | Full:
        owner = record.owner or ""
        rivals = self._owned_by(owner, now)
        others = [Key(rival.key) for rival in rivals if rival.key != replacing]
        over = [] if limit is None else others[: max(len(others) - limit + 1, 0)]
        if over and excess is Excess.REFUSE:
            return Full()
        self._add(record)
        self._owners.setdefault(owner, {})[record.key] = None
        return Claimed(tuple(over))

    def _commit(self, change: Change) -> Answer:
        current = self._get(change.record.key)
        if current is None:
            return GONE
        if current.version != change.expected:
            return Conflict(current)
        self._open_rows()[current.key] = pack(change.record)
        return COMMITTED

    def _replace(self, key: Key, owner: str | None, leaving: Record | None) -> Record | None:
        last = self._delete(key, owner)
        if last is not None and leaving is not None:
            self._add(leaving)
        return last

    def _delete(self, key: Key, owner: str | None) -> Record | None:
        record = self._get(key)
        self._open_rows().pop(key, None)
        holder = owner if record is None else record.owner
        entries = self._owners.get(holder or "", {})
        entries.pop(key, None)
        if not entries:
            self._owners.pop(holder or "", None)
        return record

    def _clear(self) -> None:
        self._open_rows().clear()
        self._owners.clear()

    def _owned_by(self, owner: str, now: Instant) -> list[Record]:
        self._open_rows()
        found = map(self._get, list(self._owners.get(owner, ())))
        return [record for record in found if record is not None and record.live_at(now)]

    def _scan(self, now: Instant, cursor: str, batch: int) -> Page:
        keys = sorted(key for key in self._open_rows() if key > cursor)[:batch]
        found = [record for record in map(self._get, keys) if record and record.live_at(now)]
        return Page(found, keys[-1] if len(keys) == batch else None)

    def _sweep(self, now: Instant, batch: int) -> int:
        expired = [
            Key(key)
            for key, blob in self._open_rows().items()
            if (record := unpack(blob, Key(key))) is None or not record.live_at(now)
        ][:batch]
        for key in expired:
            self._delete(key, None)
        return len(expired)
