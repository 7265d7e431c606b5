"""The environment of a path: opened when it is needed, one for a process. For ``wire.lmdb.file``.

Forks. A child inherits an open environment with its parent's transactions, which stand in memory
that all processes share. So none is open while a process forks; parent and child each open theirs.

Another file. Who deletes the file, or moves a backup to its path, takes nothing from those who have
it open. So the path is looked at now and then; an environment of a file that is not there any more
is given up. LMDB's locks, beside it under a name of their own, belong to one file alone: who opens
another one removes them first.

A folder's lock lets one process at a time look, restore and open.
"""

import atexit
import contextlib
import ctypes
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import lmdb

from sessile.wire.embedded.calls import FileLocked
from sessile.wire.embedded.identity import Identity, identify
from sessile.wire.lmdb.environment import (
    LOCK,
    SYNC_POINT,
    Environment,
    Transaction,
    identify_both,
)
from sessile.wire.lmdb.lock import open_alone
from sessile.wire.lmdb.syncer import IDLE, Syncer
from sessile.wire.lmdb.syncpoint import boot_id, lengthen, load_sync_point, restore
from sessile.wire.log import log_damage, log_new_file, log_restored_file, log_sync_failure

LOOK_INTERVAL: Final = 0.001
"""Seconds between two looks at the path, which cost two system calls."""

DAMAGED: Final = ".damaged"
"""How the name of a file ends that was put aside. One is kept, the newest."""

_ANOTHER: Final[Identity] = (-1, -1)

_DRAIN_TIMEOUT: Final = 5.0
"""Seconds that a fork waits for calls of other threads, and for a sync that is under way."""

_EXIT_PATIENCE: Final = 1.0
"""Seconds that the end of the interpreter waits for the last sync."""


class FileUser(Protocol):
    """A store's file, as the holder of its environment knows it."""

    def on_new_file(self) -> object:
        """Hear that another file stands at the path than before, and was opened."""
        ...


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file of ours looks.

    Attributes:
        file_format: its number.
        is_new: looks into a file, and tells whether there is nothing yet; a ``ConfigError`` says
            that it is none of ours.
        begin: writes what a new file begins with.
    """

    file_format: int
    is_new: Callable[[Transaction], bool]
    begin: Callable[[Transaction], object]


class EnvironmentHolder:
    """The environment of one path, for all stores of this process that are there.

    Args:
        path: where the file is; it is made with mode 0600 when there is none.
        name: what the log calls it.
        layout: how a file of ours is begun and known.
        clock: seconds that never run backwards.

    Attributes:
        size: bytes that the file may have at most.
        members: who uses it, each with what it is told by when there is a new file.
    """

    __slots__ = (
        "__weakref__", "_clock", "_environment", "_known", "_last", "_layout", "_name",
        "_next_look", "_path", "members", "size", "syncer",
    )  # fmt: skip

    def __init__(
        self,
        path: str,
        *,
        name: str,
        layout: Layout,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._name = name
        self._layout = layout
        self._clock = clock
        self._next_look = 0.0
        self._environment: Environment | None = None
        self._last: Environment | None = None  # the one that was opened last
        self._known: Identity | None = None  # the file that was opened last
        self.size = 0
        self.members: weakref.WeakSet[FileUser] = weakref.WeakSet()
        self.syncer = Syncer(self.sync_behind, partial(log_sync_failure, name))
        _holders.add(self)

    @property
    def is_open(self) -> bool:
        """Whether the next call needs not open the file."""
        return self._environment is not None

    def acquire(self) -> Environment:
        """Return the environment, whose ``leave`` has to be called.

        Raises:
            FileLocked: it cannot be opened at this moment.
            ConfigError: the file is none of ours.
            lmdb.Error, OSError: it cannot be opened.
        """
        if self._clock() >= self._next_look:
            self._look()
        while True:
            environment = self._environment or self._open()
            if environment.enter():
                return environment
            self.leave_file(environment)

    def leave_file(self, environment: Environment) -> None:
        """Give an environment up; the next call opens the file anew."""
        if self._environment is environment:
            self._environment = None
        environment.retire()

    def put_aside(self, environment: Environment | None) -> None:
        """Give a file that is damaged another name; the next call begins a new one.

        Args:
            environment: what showed it; None where it could not even be opened. Then it has to have
                been a file of ours: it has a sync point.

        Raises:
            FileLocked: another process opens it at this moment.
        """
        with _alone_in_process(), open_alone(self._folder):
            if environment is not None:
                self.leave_file(environment)
            there = environment.identity[0] if environment else self._identify_by_sync_point()
            if there is not None and identify(self._path) == there:
                os.replace(self._path, self._path + DAMAGED)  # noqa: PTH105
                _unlink_beside(self._path)
                self._known = None
                log_damage(self._name, self._path + DAMAGED)

    def _identify_by_sync_point(self) -> Identity | None:
        main = identify(self._path)
        point = load_sync_point(self._path + SYNC_POINT)
        return main if point is not None and main is not None and point.inode == main[1] else None

    def grow(self, environment: Environment) -> None:
        """Open a file anew that another process has made larger than may be seen from here."""
        with contextlib.suppress(OSError):
            self.size = max(self.size, 2 * os.stat(self._path).st_size)  # noqa: PTH116
        self.leave_file(environment)

    def close(self) -> None:
        """Close the file, and sync it before."""
        environment = self._environment
        if environment is not None:
            with contextlib.suppress(FileLocked, lmdb.Error, OSError):
                self._sync(environment)
            self.leave_file(environment)
        self.syncer.end()

    def sync_behind(self) -> bool:
        """Make a sync point if there is none of what was written; return whether to look again.

        Raises:
            FileLocked: somebody else does so, or writes.
            OSError: the disk failed.
        """
        environment = self._environment
        if environment is None or not environment.enter():
            return False
        try:
            self._sync(environment)
            environment.release_sync_point(IDLE)
            environment.forget_dead_readers()
        except lmdb.MapResizedError:
            self.grow(environment)
        except (lmdb.Error, FileNotFoundError):  # who calls next finds out, or begins sync points
            self.leave_file(environment)
        finally:
            environment.leave()
        return environment.holds_sync_point

    def _sync(self, environment: Environment) -> None:
        if environment.is_behind:
            environment.sync()

    def abandon(self) -> None:
        """Leave alone, in a forked child, what the parent opened. There is nothing, mostly."""
        last, self._last, self._environment = self._last, None, None
        self.syncer.reset()
        if last is not None and not last.is_closed:
            for one in last.abandon():
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(one))  # for ever

    def drain(self, deadline: float) -> None:
        """Close the file, and wait until then for calls that are under way."""
        environment = self._environment
        if environment is not None:
            self.leave_file(environment)
        last = self._last
        while last is not None and not last.is_closed and time.monotonic() < deadline:
            time.sleep(0.0005)

    @property
    def _folder(self) -> str:
        return os.path.dirname(self._path)  # noqa: PTH120

    def _look(self) -> None:
        """Give up the environment if its file, or its lock's, is not the one at the path."""
        self._next_look = self._clock() + LOOK_INTERVAL
        environment = self._environment
        if environment is None or identify_both(self._path) == environment.identity:
            return
        if identify(self._path) != environment.identity[0]:
            self._known = _ANOTHER  # its number is free, and the next file may have it
        self.leave_file(environment)

    def _open(self) -> Environment:
        with _alone_in_process():
            if self._environment is not None:
                return self._environment
            if self._last is not None and not self._last.is_closed:
                raise FileLocked  # a call is under way that has to end first
            is_empty = identify(self._path) is None
            with open_alone(self._folder) as folder:
                environment = self._open_file(folder)
            known, self._known = self._known, environment.identity[0]
            self._last = self._environment = environment
        if environment.is_behind:
            self.syncer.note()
        if known is not None and known != self._known:
            log_new_file(self._name, is_empty=is_empty)
            for member in self.members:
                member.on_new_file()
        return environment

    def _open_file(self, folder: int) -> Environment:
        """Open the file, while no other process does so."""
        _make_private(self._path)
        main = identify(self._path)
        point = load_sync_point(self._path + SYNC_POINT)
        if point is not None and (main is None or point.inode != main[1]):
            point = None
        if point is None:
            _unlink_beside(self._path)
        elif point.boot != boot_id() and restore(self._path, point):
            log_restored_file(self._name)
        if point is not None:
            lengthen(self._path, point.page_size)
        environment = Environment(self._path, size=self.size, file_format=self._layout.file_format)
        try:
            if point is None or point.boot != boot_id():
                environment.begin_sync_points()
                os.fsync(folder)
            if environment.read(self._layout.is_new):
                environment.write(self._layout.begin)
                environment.sync()
        except BaseException:
            environment.retire()
            raise
        return environment


def hold_environment(path: str, *, name: str, size: int, layout: Layout) -> EnvironmentHolder:
    """Return the holder of a path's environment: LMDB lets a process open a file once."""
    real = os.path.realpath(path)
    with _opening:
        holder = _by_path.get(real)
        if holder is None:
            holder = _by_path[real] = EnvironmentHolder(real, name=name, layout=layout)
        holder.size = max(holder.size, size)
    return holder


def _make_private(path: str) -> None:
    """Make the file, for this user alone; what stands beside it gets the same mode."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _unlink_beside(path: str) -> None:
    """Remove the locks and the sync point of a file that is not there any more."""
    for end in (LOCK, SYNC_POINT):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + end)  # noqa: PTH108


_opening: Final = threading.Lock()
"""One file is opened at a time in a process, and none while it forks."""

_holders: Final[weakref.WeakSet[EnvironmentHolder]] = weakref.WeakSet()
_by_path: Final[weakref.WeakValueDictionary[str, EnvironmentHolder]] = weakref.WeakValueDictionary()


@contextlib.contextmanager
def _alone_in_process() -> Iterator[None]:
    if not _opening.acquire(blocking=False):
        raise FileLocked
    try:
        yield
    finally:
        _opening.release()


def _before_fork() -> None:
    _opening.acquire()
    deadline = time.monotonic() + _DRAIN_TIMEOUT
    for holder in list(_holders):
        holder.drain(deadline)


def _after_fork_in_child() -> None:
    for holder in list(_holders):
        holder.abandon()
    if _opening.locked():  # not where C code forked, which asks nobody before
        _opening.release()


def _at_exit() -> None:
    """Sync what was written last, but keep nobody waiting for a disk that does not answer."""
    for holder in list(_holders):
        holder.syncer.end(_EXIT_PATIENCE)


os.register_at_fork(
    before=_before_fork, after_in_parent=_opening.release, after_in_child=_after_fork_in_child
)
atexit.register(_at_exit)
