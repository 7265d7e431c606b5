"""An SQLite file that many processes, threads and loops use at once. ``stores.sqlite`` asks of it.

``wire.embedded.calls`` pauses where SQLite says that another process holds the lock, and goes to
another thread where the file system stalls.
"""

import sqlite3
import time
from collections.abc import Callable
from typing import Final, NoReturn, TypeVar

from sessile.errors import StoreUnavailable
from sessile.wire.embedded.calls import FileCalls, FileLocked
from sessile.wire.log import log_new_file
from sessile.wire.sqlite.pool import SQLitePool
from sessile.wire.sqlite.upkeep import Upkeep

R = TypeVar("R")

READS: Final = frozenset(
    ("sqlite read", "sqlite owned_by", "sqlite scan", "sqlite count", "sqlite ping", "sqlite feed")
)
"""Calls that write nothing."""


class SQLiteFile(FileCalls[sqlite3.Cursor]):
    """Calls on one file as flows.

    Args:
        path: where the file is; it is made with mode 0600 when there is none.
        name: what errors call it.
        limit: seconds after which a locked file is unavailable.
        prepare: statements that every new connection performs, harmless when repeated.
        on_new_file: called when another file stands at the path than before, and was opened.
        clock: seconds that never run backwards, by which a call takes long.
    """

    __slots__ = ("_pool", "upkeep")

    def __init__(
        self,
        path: str,
        *,
        name: str,
        limit: float,
        prepare: tuple[str, ...],
        on_new_file: Callable[[], object] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name=name, limit=limit, reads=READS, clock=clock)

        def tell(*, is_empty: bool) -> None:
            log_new_file(name, is_empty=is_empty)
            on_new_file()

        self._pool = SQLitePool(path, prepare, tell)
        self.upkeep = Upkeep(self._pool)

    def number_of(self, cursor: sqlite3.Cursor) -> int:
        """Return which file a call was given, of those that stood at the path, one by one."""
        return self._pool.number_of(cursor)

    def _note_write(self, number: int) -> None:
        self.upkeep.note_write(number)

    def _close_file(self) -> None:
        self._pool.close()
        self.upkeep.end()

    def _perform(self, call: Callable[[sqlite3.Cursor], R]) -> R:
        pool = self._pool
        try:
            cursor = pool.acquire()
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
        try:
            result = call(cursor)
        except sqlite3.Error as error:
            pool.release(cursor)
            self._fail(error)
        except BaseException:
            pool.release(cursor)
            raise
        pool.release(cursor)
        return result

    def _fail(self, error: sqlite3.Error | OSError) -> NoReturn:
        """Translate an error, once. After anything but a lock the connections may be broken."""
        # the low byte is the primary code: SQLITE_BUSY_SNAPSHOT and _RECOVERY are locks as well
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise FileLocked from error
        self._pool.close_idle()
        raise StoreUnavailable(self._name, str(error)) from error
