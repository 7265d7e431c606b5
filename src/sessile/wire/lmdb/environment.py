"""An LMDB environment: one file that this process has open. ``wire.lmdb.holder`` opens it.

Readers ask for no lock and make no system call. Who writes holds the file's lock first, and never
LMDB's alone (``wire.lmdb.lock``), and a read transaction of a sync point (``wire.lmdb.syncpoint``).
"""

import errno
import os
import threading
import time
from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

import lmdb

from sessile.wire.embedded.calls import FileLocked
from sessile.wire.embedded.identity import Identity, identify
from sessile.wire.lmdb.lock import lock_at_once, open_alone, unlock
from sessile.wire.lmdb.syncpoint import SyncPoint, boot_id, read_meta, store_sync_point

R = TypeVar("R")

Transaction: TypeAlias = "lmdb.Transaction[bytes]"

LOCK: Final = "-lock"
"""How the name of the file ends that LMDB keeps its locks and readers in."""

SYNC_POINT: Final = "-synced"
"""How that of the file ends which keeps the sync point."""

_MOST_READERS: Final = 2048
"""Transactions of all processes at once: of each a few for reading, and one of a sync point."""

_SPARE: Final = 4  # transactions that are kept for the next read


_unsynced: Final[set[Identity]] = set()
"""Files of which a page may be missing on the disk, and nobody will tell any more."""


class Environment:
    """One open file.

    Args:
        path: where it stands.
        size: bytes of address space, and the most that the file can grow to.
        file_format: the number of our layout, for its sync points.

    Attributes:
        identity: which file it is, and which stands beside it for LMDB's locks.
        users: one None for each call that is under way; appending is atomic, and costs no lock.
        size: bytes that the file can have, as far as this process sees.
        is_left: given up; it is closed when the last call under way is done.

    Raises:
        lmdb.Error, OSError: it cannot be opened.
    """

    __slots__ = (
        "_closing", "_env", "_file_format", "_gate", "_handle", "_mode", "_page_size", "_path",
        "_pin", "_written", "identity", "is_left", "size", "users",
    )  # fmt: skip

    def __init__(self, path: str, *, size: int, file_format: int) -> None:
        self._path = path
        self._file_format = file_format
        self._gate = threading.Lock()  # of the threads of this process; flock() is for others
        self._closing = threading.Lock()
        self._pin: Transaction | None = None
        self._written = 0.0
        self.size = size
        self.users: list[None] = []
        self.is_left = False
        self._handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._mode = os.fstat(self._handle).st_mode & 0o666
            self._env = lmdb.open(
                path, map_size=size, subdir=False, mode=self._mode, sync=False, metasync=False,
                readahead=False, max_readers=_MOST_READERS, max_spare_txns=_SPARE, lib_version=0,
            )  # fmt: skip
            self._env.reader_check()  # else those that are killed would fill the table in the end
            self._page_size: int = self._env.stat()["psize"]
            self.identity = self._identify()
        except BaseException:
            os.close(self._handle)
            raise

    def enter(self) -> bool:
        """Count a call as under way; False where the file was given up meanwhile."""
        self.users.append(None)
        if self.is_left:
            self.leave()
            return False
        return True

    def leave(self) -> None:
        """Count it as done."""
        self.users.pop()
        if self.is_left:
            self.retire()

    def retire(self) -> None:
        """Give it up: it is closed now, or with the last call that is under way."""
        self.is_left = True
        with self._closing:
            if not self.users and self._handle >= 0:
                self._pin = None
                self._env.close()
                os.close(self._handle)
                self._handle = -1

    @property
    def is_closed(self) -> bool:
        """Whether nothing of it is open any more."""
        return self._handle < 0

    def read(self, act: Callable[[Transaction], R]) -> R:
        """Read, all at one instant."""
        with self._env.begin() as transaction:
            return act(transaction)

    def write(self, act: Callable[[Transaction], R]) -> R:
        """Change what is there, as one act: whole, or where it fails not at all.

        Raises:
            FileLocked: somebody else writes; nothing was changed.
        """
        while True:
            self._lock()
            try:
                if self._pin is not None:
                    self._written = time.monotonic()
                    with self._env.begin(write=True) as transaction:
                        return act(transaction)
            finally:
                self._unlock()
            self.sync()

    def write_alone(self, act: Callable[[Transaction], R], *, clear: bool) -> R:
        """Change what is there, as one act, in a file that one process writes and no disk keeps.

        Args:
            act: changes it.
            clear: whether it finds the file empty.
        """
        with self._env.begin(write=True) as transaction:
            if clear:
                transaction.drop(self._env.open_db(), delete=False)
            return act(transaction)

    def begin_sync_points(self) -> None:
        """Make the file of the sync points, and the first of this file, or since the machine began.

        Nobody else has the file open, or opens it.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        os.close(os.open(self._path + SYNC_POINT, flags, self._mode))
        self.sync()

    def sync(self) -> None:
        """Wait until what is written is on the disk, and make that the sync point.

        Raises:
            FileLocked: somebody else does so, or writes.
            OSError: the disk failed.
        """
        with open_alone(f"{self._path}{SYNC_POINT}", os.O_RDWR) as beside:
            self._lock()
            try:
                pin = self._env.begin()
                meta = read_meta(self._handle, self._page_size, pin.id())
            finally:
                self._unlock()
            try:
                self._wait_for_disk()
                inode = self.identity[0][1]
                point = SyncPoint(self._file_format, boot_id(), inode, self._page_size, meta)
                store_sync_point(beside, point)
            except BaseException:
                pin.abort()
                raise
            last, self._pin = self._pin, pin
            if last is not None:
                last.abort()

    def _wait_for_disk(self) -> None:
        """Wait until every page is on the disk. After a failure the kernel says so once at most."""
        file = self.identity[0]
        if file in _unsynced:
            raise OSError(errno.EIO, "the disk did not take what was written before")
        try:
            os.fdatasync(self._handle)
        except OSError:
            _unsynced.add(file)
            raise

    @property
    def is_behind(self) -> bool:
        """Whether something was written since the sync point that it holds."""
        return self._pin is None or self._env.info()["last_txnid"] != self._pin.id()

    @property
    def holds_sync_point(self) -> bool:
        """Whether it may write at once; meanwhile no page of before is used again."""
        return self._pin is not None

    def release_sync_point(self, idle: float) -> None:
        """Let others use pages again, if nothing was written here for so many seconds."""
        self._lock()
        try:
            if self._pin is not None and time.monotonic() - self._written >= idle:
                self._pin.abort()
                self._pin = None
        finally:
            self._unlock()

    @property
    def used_bytes(self) -> int:
        """The bytes of the file up to its last page, pages that are free again included."""
        return int(self._env.info()["last_pgno"] + 1) * self._page_size

    def forget_dead_readers(self) -> None:
        """Free what processes held that were killed: their slots, and pages that they kept."""
        self._env.reader_check()

    def abandon(self) -> tuple[object, ...]:
        """Leave it alone, in a forked child that inherited it; return what must never be freed.

        To close it would free the parent's transactions, which stand in shared memory.
        """
        self.is_left = True
        os.close(self._handle)  # else the child would keep the parent's lock
        self._handle = -1
        return self._env, self._pin

    def _lock(self) -> None:
        """Keep every other writer out; no context manager, which would cost as much as the lock."""
        if not self._gate.acquire(blocking=False):
            raise FileLocked
        try:
            lock_at_once(self._handle)
        except BaseException:
            self._gate.release()
            raise

    def _unlock(self) -> None:
        try:
            unlock(self._handle)
        finally:
            self._gate.release()

    def _identify(self) -> tuple[Identity, Identity | None]:
        found = os.fstat(self._handle)
        return (found.st_dev, found.st_ino), identify(f"{self._path}{LOCK}")


def identify_both(path: str) -> tuple[Identity | None, Identity | None]:
    """Return which file stands at a path, and which beside it for LMDB's locks."""
    return identify(path), identify(path + LOCK)
