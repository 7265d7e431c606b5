"""Connections to one SQLite file, each used by one call at a time. For ``wire.sqlite.file``.

Forks. SQLite counts the locks of a process in tables that a child inherits with open connections,
and the child then trusts in locks it does not hold: it is not enough that it leaves the inherited
connections alone. Whichever process closes first deletes the log under the other, and sessions are
lost. So no connection is open while a process forks; parent and child each open their own.

Another file. Who deletes the file, or moves a backup to its path, takes nothing from those who have
it open: they would go on with it, for ever and alone, while new processes use the new one. So the
path is looked at now and then; connections to a file that is not there any more are given up.
"""

import contextlib
import os
import sqlite3
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Final

from sessile.errors import StoreClosed
from sessile.wire.embedded.identity import identify
from sessile.wire.sqlite.identity import NO_FILE, OpenFile

LOOK_INTERVAL: Final = 0.001
"""Seconds between two looks at the path. One costs 1.2 µs, a fifth of a read: a busy process spends
a thousandth of its time on them, and a quiet one looks before every call."""

_DRAIN_TIMEOUT: Final = 1.0
"""Seconds that a fork waits for other threads to finish their statements."""


class SQLitePool:
    """Connections in autocommit mode that never wait for a lock, opened when none is idle.

    Args:
        path: where the file is; it is made with mode 0600 when there is none.
        prepare: statements that every new connection performs, harmless when repeated.
        on_new_file: called after another file was opened than before; with ``is_empty``, whether
            there was none, so that a new one was made.
        clock: seconds that never run backwards.
    """

    __slots__ = (
        "__weakref__", "_all", "_clock", "_closed", "_draining", "_file", "_idle", "_left",
        "_next_look", "_number", "_on_new_file", "_path", "_prepare",
    )  # fmt: skip

    def __init__(
        self,
        path: str,
        prepare: tuple[str, ...],
        on_new_file: Callable[..., object] = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._prepare = prepare
        self._on_new_file = on_new_file
        self._clock = clock
        self._next_look = 0.0
        self._file: OpenFile | None = None  # the one that was opened last
        self._number = 0  # which one that is of those that stood at the path
        self._left: set[sqlite3.Cursor] = set()  # connections to one that is at the path no more
        self._closed = False
        self._draining = False  # closed, or about to fork: what is released is closed
        self._idle: deque[sqlite3.Cursor] = deque()
        self._all: dict[sqlite3.Cursor, int] = {}  # with the number of its file
        _pools.add(self)
        weakref.finalize(self, _close_idle, self._idle, self._all)  # for those who never close

    def acquire(self) -> sqlite3.Cursor:
        """Return a cursor of a connection that nobody else uses.

        Raises:
            StoreClosed: the pool was closed.
            sqlite3.Error, OSError: there is none, and none can be opened.
        """
        if self._clock() >= self._next_look:
            self._look()
        try:
            return self._idle.pop()  # atomic, as is append: a statement costs no lock
        except IndexError:
            return self._open()

    def release(self, cursor: sqlite3.Cursor) -> None:
        """Keep the connection for the next call."""
        self._idle.append(cursor)
        if self._draining or cursor in self._left:
            self.close_idle()

    def number_of(self, cursor: sqlite3.Cursor) -> int:
        """Return which file a connection is to, of those that stood at the path, one by one."""
        return self._all[cursor]

    def close_idle(self) -> None:
        """Close what is not in use; the next call opens a new connection."""
        _close_idle(self._idle, self._all)

    def close(self) -> None:
        """Close for good. What is in use is closed when it is released."""
        self._closed = self._draining = True
        self.close_idle()

    def drain(self, deadline: float) -> None:
        """Close everything, and wait until then for what is in use."""
        self._draining = True
        self.close_idle()
        while self._all and time.monotonic() < deadline:
            time.sleep(0.0005)

    def resume(self) -> None:
        """Keep connections again."""
        self._draining = self._closed

    def abandon(self) -> None:
        """Leave alone, in a forked child, what the parent opened: do not even close it.

        There is nothing, unless a thread was stuck in the parent or C code forked unannounced.
        """
        _inherited.extend(self._all)
        self._all.clear()
        self._idle.clear()

    def _open(self) -> sqlite3.Cursor:
        with _opening:
            if self._closed:
                raise StoreClosed("SQLite store")
            if self._all and self._is_another():
                self._leave()
            before, found = self._file, identify(self._path)
            _make_private(self._path)
            main = identify(self._path)
            cursor = _connect(self._path, self._prepare)
            is_another = before is not None and before.main != main
            self._number += is_another
            self._all[cursor] = self._number
            self._file = OpenFile.at(self._path, main)
        if is_another:
            self._on_new_file(is_empty=found is None)
        return cursor

    def _look(self) -> None:
        """Give up the connections if their file is not the one at the path."""
        self._next_look = self._clock() + LOOK_INTERVAL
        if self._is_another():
            with _opening:
                if self._all and self._is_another():  # a rival may have been faster
                    self._leave()

    def _is_another(self) -> bool:
        return self._file is not None and identify(self._path) != self._file.main

    def _leave(self) -> None:
        """Close what is idle, and what is in use when it is released."""
        assert self._file is not None
        with contextlib.suppress(IndexError):
            cursor = self._idle.pop()
            with contextlib.suppress(sqlite3.Error):
                cursor.execute("PRAGMA wal_checkpoint")  # whole without its log, wherever it is now
            self._idle.append(cursor)
        self._left = set(self._all)  # before the idle are closed: one may be released meanwhile
        self.close_idle()
        with contextlib.suppress(FileNotFoundError):  # the folder is gone: opening will tell
            self._file.unlink_log(self._path)
        self._file = NO_FILE  # its number is free, and the next file may have it


def _connect(path: str, prepare: tuple[str, ...]) -> sqlite3.Cursor:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        for statement in prepare:
            connection.execute(statement)
        return connection.cursor()
    except BaseException:
        connection.close()
        raise


def _make_private(path: str) -> None:
    """Make the file, for this user alone; SQLite gives -wal and -shm the same mode.

    An existing file is not opened: closing it would drop the locks of this process (POSIX).
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _close_idle(idle: deque[sqlite3.Cursor], opened: dict[sqlite3.Cursor, int]) -> None:
    with contextlib.suppress(IndexError):  # the deque is empty: done
        while True:
            cursor = idle.pop()
            cursor.connection.close()
            opened.pop(cursor, None)  # not before: a fork must meet no thread inside SQLite


_opening: Final = threading.Lock()
"""One connection is opened at a time in a process, and none while it forks."""

_pools: Final[weakref.WeakSet[SQLitePool]] = weakref.WeakSet()
_inherited: Final[list[sqlite3.Cursor]] = []
"""Referred to for ever: the garbage collector would close them."""


def _before_fork() -> None:
    _opening.acquire()
    deadline = time.monotonic() + _DRAIN_TIMEOUT
    for pool in list(_pools):
        pool.drain(deadline)


def _after_fork_in_parent() -> None:
    for pool in list(_pools):
        pool.resume()
    _opening.release()


def _after_fork_in_child() -> None:
    for pool in list(_pools):
        pool.abandon()
        pool.resume()
    if _opening.locked():  # not where C code forked, which asks nobody before
        _opening.release()


if sys.platform != "win32":
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
