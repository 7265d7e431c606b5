"""An LMDB file in the memory of the host, which is lost with it: one process writes, all read.

It stands in a folder that is memory (``wire.runtime_folder``), so nothing waits for a disk, and
there are no sync points: ``wire.lmdb.holder`` is for files that are to last. Who writes also makes
the file, and deletes one that is damaged; ``stores.host_mirror`` sees to it that it is one process.

A thread of its own opens it, never a read: what cannot be opened costs readers nothing.
"""

import contextlib
import ctypes
import mmap
import os
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn, TypeVar

import lmdb

from sessile.errors import ConfigError, StoreUnavailable
from sessile.wire.embedded.calls import FileLocked
from sessile.wire.lmdb.environment import LOCK, Environment, Transaction, identify_both
from sessile.wire.lmdb.file import DAMAGE
from sessile.wire.lmdb.lock import open_alone
from sessile.wire.lmdb.syncpoint import lengthen
from sessile.wire.runtime_folder import runtime_folder

R = TypeVar("R")

_SIZE: Final = 1 << 35
"""Bytes of address space for it; it takes as much memory as is written."""

_LOCK_BYTES: Final = 33 * 4096
"""Of LMDB's locks, and 64 for each of the readers there may be."""

_OLD: Final = 3600.0
"""Seconds after which a file that nobody writes is deleted: else its memory would be gone."""

_OPENING: Final = "its mirror is being opened"
_NO_FORMAT: Final = 0  # there are no sync points
_DRAIN_TIMEOUT: Final = 5.0
_PAUSE: Final = 0.0005


class CacheFile:
    """One file of this user.

    Args:
        name: what the file is called: its kind, "-", and whose it is.
        owner: what errors call whose it is.

    Attributes:
        users: who reads and writes it here; without any it is not opened.
    """

    __slots__ = (
        "__weakref__", "_environment", "_last", "_name", "_opening", "_owner", "users",
    )  # fmt: skip

    def __init__(self, name: str, owner: str) -> None:
        self._name, self._owner = name, owner
        self._environment: Environment | None = None
        self._last: Environment | None = None  # the one that was opened last
        self._opening = threading.Lock()
        self.users: weakref.WeakSet[object] = weakref.WeakSet()
        _files.add(self)

    def read(self, act: Callable[[Transaction], R]) -> R | None:
        """Read, all at one instant; None where there is no file, or it cannot be read."""
        environment = self._environment
        if environment is None or not environment.enter():
            return None
        try:
            return environment.read(act)
        except lmdb.Error:
            self._leave(environment)
            return None
        finally:
            environment.leave()

    def write(self, act: Callable[[Transaction], R], *, clear: bool = False) -> R:
        """Change what is there, as one act, or write it anew. One process alone may write.

        Raises:
            StoreUnavailable: nothing was changed. Where the file is about to be opened, as after a
                fork, it has no cause.
        """
        environment = self._environment
        if environment is None or not environment.enter():
            raise StoreUnavailable(self._owner, _OPENING)
        try:
            return environment.write_alone(act, clear=clear)
        except (lmdb.Error, OSError) as error:
            self._fail(error, environment)
        finally:
            environment.leave()

    def look(self) -> None:
        """Open the file that is there now, if it is another one than before. For one's own thread.

        What cannot be opened is none.
        """
        environment = self._environment
        with contextlib.suppress(ConfigError, FileLocked, lmdb.Error, OSError):
            path = self._path()
            if environment is not None and not self._is_at(path, environment):
                self._leave(environment)
            if self._environment is None:
                self._open(path)

    def make(self) -> None:
        """Open the file to write it; one that is damaged is deleted. Whoever calls has made it.

        Raises:
            StoreUnavailable: it cannot be opened, or is not there any more.
        """
        try:
            path = self._path()
            if self._environment is not None and not self._is_at(path, self._environment):
                self._leave(self._environment)
            if self._environment is None:
                self._open(path)
                _delete_old(self.path)
        except ConfigError as error:
            raise StoreUnavailable(self._owner, str(error)) from error
        except FileLocked:
            raise StoreUnavailable(self._owner, _OPENING) from None
        except (lmdb.Error, OSError) as error:
            self._fail(error, None)

    def forget_dead_readers(self) -> None:
        """Free what processes held that were killed while they read."""
        environment = self._environment
        if environment is not None and environment.enter():
            with contextlib.suppress(lmdb.Error):
                environment.forget_dead_readers()
            environment.leave()

    def close(self, user: object) -> None:
        """Let go of it, if nobody else here uses it. Harmless when repeated."""
        self.users.discard(user)
        environment = self._environment
        if environment is not None and not self.users:
            self._leave(environment)

    def drain(self, deadline: float) -> None:
        """Close it before a fork, and wait until then for calls that are under way.

        A child would inherit the parent's transactions, which stand in memory that all share.
        """
        self._opening.acquire()
        if self._environment is not None:
            self._leave(self._environment)
        last = self._last
        while last is not None and not last.is_closed and time.monotonic() < deadline:
            time.sleep(_PAUSE)

    def go_on(self) -> None:
        """Let it be opened again, after a fork."""
        if self._opening.locked():  # not where C code forked, which asks nobody before
            self._opening.release()

    def abandon(self) -> None:
        """Leave alone, in a forked child, what the parent has open. There is nothing, mostly."""
        last, self._last, self._environment = self._last, None, None
        if last is not None and not last.is_closed:
            for one in last.abandon():
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(one))  # for ever

    @property
    def path(self) -> Path:
        """Where it is.

        Raises:
            ConfigError: there is no place for it.
        """
        return runtime_folder() / self._name

    def _path(self) -> str:
        return str(self.path)

    @staticmethod
    def _is_at(path: str, environment: Environment) -> bool:
        return identify_both(path) == environment.identity

    def _open(self, path: str) -> None:
        if not self._opening.acquire(blocking=False):
            raise FileLocked
        try:
            last = self._last
            if not self.users or (last is not None and not last.is_closed):
                raise FileLocked  # a call is under way that has to end first
            with open_alone(os.path.dirname(path)):  # noqa: PTH120
                lengthen(path, mmap.PAGESIZE)
                _reserve(path + LOCK)
                environment = Environment(path, size=_SIZE, file_format=_NO_FORMAT)
            self._last = self._environment = environment
        finally:
            self._opening.release()

    def _leave(self, environment: Environment) -> None:
        if self._environment is environment:
            self._environment = None
        environment.retire()

    def _fail(self, error: lmdb.Error | OSError, environment: Environment | None) -> NoReturn:
        """Translate an error, once. After it the file is opened anew; a damaged one is deleted."""
        if environment is not None:
            self._leave(environment)
        if isinstance(error, DAMAGE):
            with contextlib.suppress(ConfigError, FileLocked, OSError):
                _delete(self.path)
        raise StoreUnavailable(self._owner, f"its mirror {self._name}: {error}") from error


def _reserve(path: str) -> None:
    """Have the memory be there for LMDB's locks and readers, of a file that is not open here.

    Where there is none left this fails; the kernel would end whoever wrote there later (SIGBUS).
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(handle, 0, _LOCK_BYTES)
    finally:
        os.close(handle)


def _delete_old(path: Path) -> None:
    """Delete the files of the same kind beside one that nobody has written for long."""
    kind, _, _ = path.name.partition("-")
    for each in path.parent.glob(f"{kind}-*{path.suffix}"):
        with contextlib.suppress(FileLocked, OSError):
            if each != path and time.time() - each.stat().st_mtime > _OLD:
                _delete(each)


def _delete(path: Path) -> None:
    """Delete a file and its locks, while nobody opens it: locks are of one file alone."""
    with open_alone(str(path.parent)):
        for end in (LOCK, ""):
            Path(f"{path}{end}").unlink(missing_ok=True)


def share_cache_file(name: str, owner: str, user: object) -> CacheFile:
    """Return the file of a name, for one more user: LMDB lets a process open it once."""
    with _guard:
        file = _by_name.get(name)
        if file is None:
            file = _by_name[name] = CacheFile(name, owner)
        file.users.add(user)
    return file


_guard: Final = threading.Lock()
_by_name: Final[weakref.WeakValueDictionary[str, CacheFile]] = weakref.WeakValueDictionary()
_files: Final[weakref.WeakSet[CacheFile]] = weakref.WeakSet()


def _before_fork() -> None:
    _guard.acquire()
    deadline = time.monotonic() + _DRAIN_TIMEOUT
    for file in list(_files):
        file.drain(deadline)


def _after_fork_in_parent() -> None:
    for file in list(_files):
        file.go_on()
    if _guard.locked():
        _guard.release()


def _after_fork_in_child() -> None:
    for file in list(_files):
        file.abandon()
    _after_fork_in_parent()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
