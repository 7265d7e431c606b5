"""``lmdb:///file``: one file, mapped by all processes of a host. ``wire.lmdb.file`` reaches it.

Readers wait for nobody and make no system call; one writer at a time changes what they will see
next, as one act. An answer outlives the process; a power cut can undo the last second or two
(``wire.lmdb.syncer``). The end of everybody outlives that too.

``lmdb_rows`` says how the file looks, ``lmdb_acts`` what is done to it.
"""

import sys
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from sessile.core.flow import Flow
from sessile.errors import ConfigError
from sessile.stores import lmdb_acts
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
)
from sessile.stores.file_diagnosis import diagnose
from sessile.stores.finding import Finding
from sessile.stores.lmdb_feed import LMDBVersions
from sessile.stores.lmdb_rows import FORMAT, begin, begin_generation, check_format, is_new
from sessile.stores.location import Location, count, seconds, yes
from sessile.wire.feed.connection import FeedConnection
from sessile.wire.feed.polling import PollingConnection
from sessile.wire.keyfile import KeyFile
from sessile.wire.lmdb import ONLY_LINUX
from sessile.wire.lmdb.environment import LOCK, SYNC_POINT, Environment
from sessile.wire.lmdb.file import LMDBFile
from sessile.wire.lmdb.holder import Layout
from sessile.wire.lmdb.syncpoint import boot_id, is_lmdb, load_sync_point
from sessile.wire.permissions import place_of, refuse_missing_rights

LIMIT: Final = 0.5
"""Seconds that a file which somebody else writes is waited for unless the URL says otherwise."""

SIZE: Final = 16_384
"""Megabytes that the file may have at most unless the URL says otherwise: of address space at once,
of disk as it grows."""

_MEGABYTE: Final = 1 << 20
_LAYOUT: Final = Layout(FORMAT, is_new, begin)


class LMDBStore:
    """Records in one LMDB file.

    Args:
        path: the file, made when there is none; a relative one stands for where it is now.
        limit: seconds that a file which somebody else writes is waited for.
        size: megabytes that it may have at most.
        world_writable: take a file, or a folder, that every user of this host can write: there is
            nobody else.

    Raises:
        ConfigError: the file can never be opened.
    """

    capabilities: ClassVar[Capability] = (
        Capability.OWNERS
        | Capability.SCAN
        | Capability.SHARED
        | Capability.DURABLE
        | Capability.FEED
    )

    def __init__(
        self,
        path: str | Path,
        *,
        limit: Seconds = LIMIT,
        size: int = SIZE,
        world_writable: bool = False,
    ) -> None:
        self.path = _check_path(Path(path), world_writable=world_writable)
        self.name = f"lmdb:///{path}"
        self.key_path = self.path.with_name(f"{self.path.name}.key")
        self._key_file = KeyFile(self.key_path, any_mode=world_writable)
        self._file = LMDBFile(
            str(self.path), name=self.name, limit=limit, size=size * _MEGABYTE, layout=_LAYOUT,
            on_new_file=self._key_file.restore,
        )  # fmt: skip

    @classmethod
    def from_url(cls, url: str) -> "LMDBStore":
        """Return the store of ``lmdb:///relative.lmdb`` or ``lmdb:////absolute/path.lmdb``."""
        place = Location(url)
        limit = place.option("timeout", seconds, LIMIT)
        size = place.option("size", count, SIZE)
        world_writable = place.option("world-writable", yes, default=False)
        place.refuse_leftovers()
        path = place.path[1:]
        if any((place.host, place.username, place.password)) or not path:
            raise ConfigError(
                f"{place.safe} names no file: write lmdb:///sessile.lmdb for a file where the "
                "application starts, or lmdb:////var/lib/app/sessile.lmdb for one anywhere"
            )
        return cls(path, limit=limit, size=size, world_writable=world_writable)

    def read(self, key: Key) -> Flow[Record | Corrupt | None]:
        """Return the record of that key."""
        return self._file.read("lmdb read", partial(lmdb_acts.read, key=key))

    async def create(self, record: Record) -> None:
        """Store a new record."""
        await self._file.write("lmdb create", partial(lmdb_acts.create, record=record))

    def commit(self, change: Change) -> Flow[CommitResult]:
        """Replace the record if its version is the expected one."""
        return self._file.write("lmdb commit", partial(lmdb_acts.commit, change=change))

    async def replace(self, replacement: Replacement) -> ReplaceResult:
        """Store a new record in the place of an old one, in one transaction."""
        act = partial(lmdb_acts.replace, replacement=replacement)
        while (answer := await self._file.write("lmdb replace", act)) is None:
            pass  # some of the dead are out of the way
        return answer

    async def delete(
        self,
        key: Key,
        owner: str | None = None,  # noqa: ARG002  (the row itself knows it)
        *,
        leaving: Record | None = None,
    ) -> Record | Corrupt | None:
        """Remove the record and its entries."""
        act = partial(lmdb_acts.delete, key=key, leaving=leaving)
        return await self._file.write("lmdb delete", act)

    async def end_everybody(self) -> None:
        """Begin a new generation, on the disk itself; sweeps remove the rows of the old one."""
        await self._file.write_in_thread("lmdb end everybody", begin_generation)
        await self._file.sync("lmdb sync")

    async def owned_by(self, owner: str, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of the owner's records."""
        act = partial(lmdb_acts.owned_by, owner=owner, after=int(cursor or 0), batch=batch)
        return await self._file.read("lmdb owned_by", act)

    async def delete_owned(
        self,
        owner: str,
        *,
        keep: Collection[str] = (),
        before: Key | None = None,
        batch: int = 250,
    ) -> Deleted:
        """Remove some of the owner's sessions; the lock is held for no more than those."""
        act = partial(lmdb_acts.delete_owned, owner=owner, keep=keep, before=before, batch=batch)
        return await self._file.write_in_thread("lmdb delete_owned", act)

    async def scan(self, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of all records, in the order of their keys."""
        act = partial(lmdb_acts.scan, after=cursor or "", batch=batch)
        return await self._file.read("lmdb scan", act)

    async def count(self) -> int:
        """Return how many rows there are."""
        return await self._file.read_in_thread("lmdb count", lmdb_acts.count)

    async def size(self) -> StoreSize:
        """Count the rows; the bytes are those of the file, pages that are free again included."""
        return await self._file.ask_in_thread("lmdb size", _measure)

    async def sweep(self, now: Instant, batch: int = 1000) -> int:
        """Remove the expired, as far as the index says, and then what was ended with everybody."""
        act = partial(lmdb_acts.sweep, now=now, batch=batch)
        more = True
        while more:
            removed, more = await self._file.write_in_thread("lmdb sweep", act)
            if removed:
                return removed
        bury = partial(lmdb_acts.bury, batch=batch)
        return await self._file.write_in_thread("lmdb bury", bury)

    async def ping(self) -> None:
        """Read from the file."""
        await self._file.read("lmdb ping", partial(lmdb_acts.read, key=Key("")))

    async def diagnose(self) -> list[Finding]:
        """Look at who else can read or change the file."""
        return diagnose(self.path, self.key_path, beside=(LOCK, SYNC_POINT))

    def open_feed(
        self, timer: Callable[[], Seconds], wanted: Callable[[], Collection[Key]]
    ) -> FeedConnection:
        """Look at the file, some twenty times a second: whoever writes pays nothing for it."""
        return PollingConnection(LMDBVersions(self._file, self.name), timer, wanted)

    async def close(self) -> None:
        """Close the file, in this process."""
        await self._file.close()

    def keep_secret(self, fresh: bytes) -> bytes | None:
        """Keep it in a file beside the other that this user alone can read."""
        return self._key_file.keep(fresh)


def _measure(environment: Environment) -> StoreSize:
    number = environment.read(lmdb_acts.count)
    return StoreSize(number, environment.used_bytes, bytes_of=Extent.FILE)


def _check_path(path: Path, *, world_writable: bool) -> Path:
    if not sys.platform.startswith("linux"):
        raise ConfigError(ONLY_LINUX)
    if not boot_id():
        raise ConfigError(
            "lmdb:// has to know whether the machine was started anew, and cannot read "
            "/proc/sys/kernel/random/boot_id: mount /proc, or write sqlite:///sessile.db"
        )
    place = place_of(path, "sessile.lmdb", world_writable=world_writable)
    refuse_missing_rights(place, [Path(f"{place}{end}") for end in (LOCK, SYNC_POINT)])
    if place.exists() and place.stat().st_size and not is_lmdb(place):
        raise ConfigError(
            f"{place} is no LMDB file, or one of another version of LMDB: write another path, as "
            f"in {place.with_name('sessile.lmdb')}"
        )
    point = load_sync_point(f"{place}{SYNC_POINT}")
    if point is not None and place.exists() and point.inode == place.stat().st_ino:
        check_format(point.file_format)
    return place
