"""``sqlite:///file``: one file, shared by all processes of a host. ``wire.sqlite.file`` reaches it.

The log is written ahead (WAL), so readers and a writer never wait for each other. With
``synchronous=NORMAL`` an answer outlives the process; only a power cut can undo the last ones. The
end of everybody outlives that too.

A row's ``due`` is a lower bound of when its record expires. A commit that moves a deadline later
leaves it alone, and so spares the index a write; the sweep looks at the record, and moves it.

Who ends everybody puts the table aside under another name, whatever its size, and begins a new one.
"""

import sqlite3
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from sqlite3 import Cursor
from typing import ClassVar, Final

from sessile.core.flow import Flow
from sessile.errors import ConfigError, KeyTaken
from sessile.stores import sqlite_acts
from sessile.stores.contract import (
    Capability,
    Change,
    CommitResult,
    Corrupt,
    Deleted,
    Extent,
    Instant,
    Key,
    Page,
    Record,
    Replacement,
    ReplaceResult,
    Seconds,
    StoreSize,
    unpack,
)
from sessile.stores.file_diagnosis import diagnose
from sessile.stores.finding import Finding
from sessile.stores.location import Location, seconds, yes
from sessile.stores.paging import cut
from sessile.stores.sqlite_acts import READ, fetch_all, fetch_page, load_row, transaction
from sessile.stores.sqlite_feed import SQLiteVersions
from sessile.wire.feed.connection import FeedConnection
from sessile.wire.feed.polling import PollingConnection
from sessile.wire.keyfile import KeyFile
from sessile.wire.permissions import place_of
from sessile.wire.sqlite.file import SQLiteFile

LIMIT: Final = 0.5
"""Seconds that a locked file is waited for unless the URL says otherwise."""

_PRAGMAS: Final = (
    "PRAGMA page_size = 2048",  # holds a session: the log takes whole pages with every commit
    "PRAGMA auto_vacuum = INCREMENTAL",  # of a new file: it can shrink again
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA wal_autocheckpoint = 8192",  # 16 MB: wire.sqlite.upkeep does it before
    "PRAGMA journal_size_limit = 16777216",  # what a long reader made of the log is cut to that
)
# The check keeps foreign text out of unpack.
_TABLE: Final = (
    """CREATE TABLE IF NOT EXISTS sessile_session (
        key TEXT PRIMARY KEY NOT NULL,
        version INTEGER NOT NULL,
        due REAL NOT NULL,
        owner TEXT,
        claim INTEGER,
        blob BLOB NOT NULL CHECK (typeof(blob) = 'blob')
    )""",
    "CREATE INDEX IF NOT EXISTS sessile_due ON sessile_session (due)",
    """CREATE INDEX IF NOT EXISTS sessile_owner ON sessile_session (owner, claim)
        WHERE owner IS NOT NULL""",
)
_PREPARE: Final = (*_PRAGMAS, *_TABLE)
_UNINDEX: Final = ("DROP INDEX IF EXISTS sessile_due", "DROP INDEX IF EXISTS sessile_owner")
_ENDED: Final = "SELECT name FROM sqlite_master WHERE name GLOB 'sessile_ended_[0-9]*'"
_NEXT: Final = """SELECT coalesce(max(CAST(substr(name, 15) AS INTEGER)), 0) + 1
    FROM sqlite_master WHERE name GLOB 'sessile_ended_[0-9]*'"""
_OWNED_PAGE: Final = """SELECT key, blob, version, owner, claim FROM sessile_session
    WHERE owner = ? AND claim > ? ORDER BY claim LIMIT ?"""
_COUNT: Final = "SELECT count(*) FROM sessile_session"
_PAGES: Final = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
_SCAN: Final = """SELECT key, blob, version, owner FROM sessile_session
    WHERE key > ? ORDER BY key LIMIT ?"""
_DUE: Final = """SELECT key, blob, version FROM sessile_session
    WHERE due <= ? ORDER BY due LIMIT ?"""
_BURY: Final = "DELETE FROM sessile_session WHERE key = ? AND version = ?"
_DEFER: Final = "UPDATE sessile_session SET due = ? WHERE key = ? AND version = ?"


class SQLiteStore:
    """Records in the rows of one SQLite file.

    Args:
        path: the file, made when there is none; a relative one stands for where it is now.
        limit: seconds that a locked file is waited for.
        world_writable: take a file, or a folder, that every user of this host can write: there is
            nobody else.

    Raises:
        ConfigError: the file can never be opened, or SQLite is too old.
    """

    capabilities: ClassVar[Capability] = (
        Capability.OWNERS
        | Capability.SCAN
        | Capability.SHARED
        | Capability.DURABLE
        | Capability.FEED
    )

    def __init__(
        self, path: str | Path, *, limit: Seconds = LIMIT, world_writable: bool = False
    ) -> None:
        self.path = _check_path(Path(path), world_writable=world_writable)
        self.name = f"sqlite:///{path}"
        self.key_path = self.path.with_name(f"{self.path.name}.key")
        self._key_file = KeyFile(self.key_path, any_mode=world_writable)
        self._file = SQLiteFile(
            str(self.path), name=self.name, limit=limit, prepare=_PREPARE,
            on_new_file=self._key_file.restore,
        )  # fmt: skip

    @classmethod
    def from_url(cls, url: str) -> "SQLiteStore":
        """Return the store of ``sqlite:///relative.db`` or ``sqlite:////absolute/path.db``."""
        place = Location(url)
        limit = place.option("timeout", seconds, LIMIT)
        world_writable = place.option("world-writable", yes, default=False)
        place.refuse_leftovers()
        path = place.path[1:]
        if any((place.host, place.username, place.password)) or not path or path == ":memory:":
            raise ConfigError(
                f"{place.safe} names no file: write sqlite:///sessile.db for a file where the "
                "application starts, sqlite:////var/lib/app/sessile.db for one anywhere, "
                "or memory:// for none"
            )
        return cls(path, limit=limit, world_writable=world_writable)

    def read(self, key: Key) -> Flow[Record | Corrupt | None]:
        """Return the record of that key."""
        return self._file.ask("sqlite read", lambda db: sqlite_acts.read(db, key))

    async def create(self, record: Record) -> None:
        """Store a new record."""
        if not await self._file.ask("sqlite create", lambda db: sqlite_acts.create(db, record)):
            raise KeyTaken(record.key)

    def commit(self, change: Change) -> Flow[CommitResult]:
        """Replace the record if its version is the expected one."""
        return self._file.ask("sqlite commit", lambda db: sqlite_acts.commit(db, change))

    async def replace(self, replacement: Replacement) -> ReplaceResult:
        """Store a new record in the place of an old one, in one transaction."""
        call = partial(sqlite_acts.replace, replacement=replacement)
        while (answer := await self._file.ask("sqlite replace", call)) is None:
            pass  # some of the dead are out of the way
        return answer

    async def delete(
        self,
        key: Key,
        owner: str | None = None,  # noqa: ARG002  (the row itself knows it)
        *,
        leaving: Record | None = None,
    ) -> Record | Corrupt | None:
        """Remove the record; its index entry is the same row."""
        rows = await self._file.ask(
            "sqlite delete", lambda db: sqlite_acts.delete(db, key, leaving)
        )
        return next((unpack(blob, key) for (blob,) in rows), None)

    async def end_everybody(self) -> None:
        """Put the table aside, on the disk itself; sweeps remove its rows."""
        await self._file.ask_in_thread("sqlite end everybody", _end_everybody)

    async def owned_by(self, owner: str, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of the owner's records."""
        after = int(cursor or 0)
        rows, more = await self._file.ask(
            "sqlite owned_by", lambda db: fetch_page(db, _OWNED_PAGE, owner, after, batch)
        )
        records = [load_row(*row[:-1]) for row in rows]
        return Page(records, str(rows[-1][-1]) if more else None)

    async def delete_owned(
        self,
        owner: str,
        *,
        keep: Collection[str] = (),
        before: Key | None = None,
        batch: int = 250,
    ) -> Deleted:
        """Remove some of the owner's sessions; the write lock is held for no more than those."""
        call = partial(sqlite_acts.delete_owned, owner=owner, keep=keep, before=before, batch=batch)
        return await self._file.ask_in_thread("sqlite delete_owned", call)

    async def scan(self, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of all records, in the order of their keys."""
        rows, more = await self._file.ask(
            "sqlite scan", lambda db: fetch_page(db, _SCAN, cursor or "", batch)
        )
        records = [load_row(*row) for row in rows]
        return Page(records, rows[-1][0] if more else None)

    async def count(self) -> int:
        """Return how many rows there are."""
        ((number,),) = await self._file.ask("sqlite count", lambda db: fetch_all(db, _COUNT))
        return int(number)

    async def size(self) -> StoreSize:
        """Count the rows; the bytes are those of the file, pages that are free again included."""
        return await self._file.ask_in_thread("sqlite size", _measure)

    async def sweep(self, now: Instant, batch: int = 1000) -> int:
        """Remove the expired, as far as the index says, and then what was ended with everybody."""
        while True:
            rows, _ = await self._file.ask_in_thread(
                "sqlite due", lambda db: fetch_page(db, _DUE, now, batch)
            )
            if not rows:
                break
            removed = await self._file.ask_in_thread(
                "sqlite sweep", partial(_sweep, rows=rows, now=now)
            )
            if removed:
                return removed
        return await self._file.ask_in_thread("sqlite bury", partial(_bury_ended, batch=batch))

    async def ping(self) -> None:
        """Read from the file."""
        await self._file.ask("sqlite ping", lambda db: fetch_all(db, READ, ""))

    async def diagnose(self) -> list[Finding]:
        """Look at who else can read or change the file."""
        return diagnose(self.path, self.key_path, beside=("-wal", "-shm"))

    def open_feed(
        self, timer: Callable[[], Seconds], wanted: Callable[[], Collection[Key]]
    ) -> FeedConnection:
        """Look at the file, some twenty times a second: whoever writes pays nothing for it."""
        return PollingConnection(SQLiteVersions(self._file), timer, wanted)

    async def close(self) -> None:
        """Close every connection of this process."""
        await self._file.close()

    def keep_secret(self, fresh: bytes) -> bytes | None:
        """Keep it in a file beside the database that this user alone can read."""
        return self._key_file.keep(fresh)


def _check_path(path: Path, *, world_writable: bool) -> Path:
    if sqlite3.sqlite_version_info < (3, 35):
        raise ConfigError(
            f"this Python brings SQLite {sqlite3.sqlite_version}; sessile needs 3.35 or newer: "
            "use a newer Python build, or redis://"
        )
    return place_of(path, "sessile.db", world_writable=world_writable)


def _measure(db: Cursor) -> StoreSize:
    ((number,),), ((taken,),) = fetch_all(db, _COUNT), fetch_all(db, _PAGES)
    return StoreSize(number, taken, bytes_of=Extent.FILE)


def _end_everybody(db: Cursor) -> None:
    """Put the table aside and begin a new one. To delete the rows would lock out every writer."""
    db.execute("PRAGMA legacy_alter_table = ON")  # views of the application's stay as they are
    db.execute("PRAGMA synchronous = FULL")  # a power cut must not bring everybody back
    try:
        with transaction(db):
            (number,) = db.execute(_NEXT).fetchone()
            db.execute(f"ALTER TABLE sessile_session RENAME TO sessile_ended_{number}")
            for statement in (*_UNINDEX, *_TABLE):
                db.execute(statement)
    finally:
        db.execute("PRAGMA synchronous = NORMAL")


def _bury_ended(db: Cursor, batch: int) -> int:
    """Delete rows of the tables that were put aside, and each table that is empty."""
    removed = 0
    if not fetch_all(db, _ENDED):
        return removed
    with transaction(db):
        for (name,) in fetch_all(db, _ENDED):
            rows = fetch_all(db, f"SELECT rowid, length(blob) FROM {name} LIMIT ?", batch - removed)  # noqa: S608  (named by us)
            page, more = cut(rows, lambda row: int(row[1]), batch - removed)
            db.executemany(f"DELETE FROM {name} WHERE rowid = ?", [(row,) for row, _ in page])  # noqa: S608
            removed += len(page)
            if more:
                break
            db.execute(f"DROP TABLE {name}")
    return removed


def _sweep(db: Cursor, rows: list[tuple[str, bytes, int]], now: Instant) -> int:
    """Delete the dead and defer the living, unless somebody changed them meanwhile."""
    found = [(key, version, unpack(blob, Key(key))) for key, blob, version in rows]
    live = [
        (record.expires, key, version)
        for key, version, record in found
        if isinstance(record, Record) and record.live_at(now)
    ]
    kept = {key for _, key, _ in live}
    dead = [(key, version) for key, version, _ in found if key not in kept]
    with transaction(db):
        db.executemany(_DEFER, live)
        return db.executemany(_BURY, dead).rowcount
