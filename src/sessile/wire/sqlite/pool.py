"""Connections to one SQLite file, each used by one call at a time. For ``wire.sqlite.file``.

Forks. SQLite counts the locks of a process in tables that a child inherits with open connections,
and the child then trusts in locks it does not hold: it is not enough that it leaves the inherited
connections alone. Whichever process closes first deletes the log under the other, and sessions are
lost. So no connection is open while a process forks; parent and child each open their own.
"""

import contextlib
import os
import sqlite3
import sys
import threading
import time
import weakref
from collections import deque
from typing import Final

from sessile.errors import StoreClosed

_DRAIN_TIMEOUT: Final = 1.0
"""Seconds that a fork waits for other threads to finish their statements."""


class SQLitePool:
    """Connections in autocommit mode that never wait for a lock, opened when none is idle.

    Args:
        path: where the file is; it is made with mode 0600 when there is none.
        prepare: statements that every new connection performs, harmless when repeated.
    """

    __slots__ = ("__weakref__", "_all", "_closed", "_draining", "_idle", "_path", "_prepare")

    def __init__(self, path: str, prepare: tuple[str, ...]) -> None:
        self._path = path
        self._prepare = prepare
        self._closed = False
        self._draining = False  # closed, or about to fork: what is released is closed
        self._idle: deque[sqlite3.Cursor] = deque()
        self._all: set[sqlite3.Cursor] = set()
        _pools.add(self)
        weakref.finalize(self, _close_idle, self._idle, self._all)  # for those who never close

    def acquire(self) -> sqlite3.Cursor:
        """Return a cursor of a connection that nobody else uses.

        Raises:
            StoreClosed: the pool was closed.
        """
        try:
            return self._idle.pop()  # atomic, as is append: a statement costs no lock
        except IndexError:
            return self._open()

    def release(self, cursor: sqlite3.Cursor) -> None:
        """Keep the connection for the next call."""
        self._idle.append(cursor)
        if self._draining:
            self.close_idle()

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
            _make_private(self._path)
            cursor = _connect(self._path, self._prepare)
            self._all.add(cursor)
            return cursor


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


def _close_idle(idle: deque[sqlite3.Cursor], opened: set[sqlite3.Cursor]) -> None:
    with contextlib.suppress(IndexError):  # the deque is empty: done
        while True:
            cursor = idle.pop()
            cursor.connection.close()
            opened.discard(cursor)  # not before: a fork must meet no thread inside SQLite


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
