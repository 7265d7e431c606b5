"""Upkeep of an SQLite file beside the requests. For ``wire.sqlite.file``.

What is written goes to the log, and has to be copied into the file some time: a checkpoint, which
waits for the disk. SQLite makes one within whichever commit finds the log long; on an event loop
everybody would wait with it. So a thread of its own makes it, as often as it is due. It also gives
back to the file system what a mass deletion left free.
"""

import sqlite3
from contextlib import suppress
from typing import Final

from sessile.errors import StoreClosed
from sessile.wire.embedded.helper import Helper, Occupied
from sessile.wire.sqlite.pool import SQLitePool

EVERY: Final = 500
"""Writes of a process between two checkpoints: 4 to 8 MB of log."""

_MOST_FREE: Final = 1_024  # pages, 2 MB, and a quarter of the file: what new sessions will need
_AT_ONCE: Final = 128  # pages that are given back while the lock is held: some milliseconds
_ROUNDS: Final = 64
_CHECKPOINTS: Final = 3


class Upkeep:
    """Counts writes, and does what is due.

    Args:
        pool: where connections come from.
        every: writes between two rounds.
    """

    __slots__ = ("_every", "_helper", "_left", "_pool")

    def __init__(self, pool: SQLitePool, every: int = EVERY) -> None:
        self._pool = pool
        self._every = self._left = every
        self._helper = Helper()

    def note_write(self, number: int = 1) -> None:
        """Count writes, and begin a round when it is due and none is under way."""
        self._left -= number
        if self._left <= 0:
            self._left = self._every
            with suppress(Occupied):
                self._helper.start(self.work)

    def work(self) -> None:
        """Copy the log back, and give back what is free.

        Whatever goes wrong can wait: a later round does it, and at 16 MB of log SQLite itself.
        """
        with suppress(sqlite3.Error, OSError, StoreClosed):
            cursor = self._pool.acquire()
            try:
                _shrink(cursor)
                _copy_back(cursor)
            finally:
                self._pool.release(cursor)

    def end(self) -> None:
        """End the thread when it has done what it does."""
        self._helper.end()


def _shrink(cursor: sqlite3.Cursor) -> None:
    """Cut the file where much of it is free, if it was made for that (``auto_vacuum``)."""
    for _ in range(_ROUNDS):
        ((free,),) = cursor.execute("PRAGMA freelist_count").fetchall()
        ((pages,),) = cursor.execute("PRAGMA page_count").fetchall()
        if free <= max(_MOST_FREE, pages // 4):
            return
        # as a script, which is stepped to its end: one step frees one page
        cursor.executescript(f"PRAGMA incremental_vacuum({_AT_ONCE})")


def _copy_back(cursor: sqlite3.Cursor) -> None:
    """Make a checkpoint, which keeps nobody out; once more for what was written meanwhile.

    When all is copied, the next writer begins the log anew.
    """
    for _ in range(_CHECKPOINTS):
        ((_, logged, copied),) = cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        if logged == copied:
            return
