"""Which file stands at a path, and whether its log is still there. For ``wire.sqlite.pool``.

A file that is open keeps its number (device and inode) to itself, also after it was deleted or
another one was moved to its path. While a connection is open, another number means another file.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

Identity: TypeAlias = tuple[int, int]
"""Device and inode."""

_LOG: Final = ("-wal", "-shm")


def identify(path: str) -> Identity | None:
    """Return which file is at a path; None where there is none.

    Raises:
        OSError: nobody can tell.
    """
    try:
        found = os.stat(path)  # noqa: PTH116  (on the way of every call: a Path costs as much again)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A database that is open, and the files of its log, which SQLite finds by their names alone.

    Attributes:
        main: the database itself.
        log: its write-ahead log and the index of that, in the order of their suffixes.
    """

    main: Identity | None
    log: tuple[Identity | None, ...]

    @classmethod
    def at(cls, path: str, main: Identity | None) -> "OpenFile":
        """Look at the log that stands at a path, whose database is known already."""
        return cls(main, tuple(identify(path + suffix) for suffix in _LOG))

    def unlink_log(self, path: str) -> None:
        """Remove this file's log from the names that the next file's log will have.

        SQLite would take it for that of the file which is there now, and mix the two. Whatever
        another process has begun there since is left alone.

        Raises:
            OSError: it could not be removed.
        """
        with _lock_folder(os.path.dirname(path) or "."):  # noqa: PTH120  (as above: text, not a Path)
            for suffix, mine in zip(_LOG, self.log, strict=True):
                if mine is not None and identify(path + suffix) == mine:
                    os.unlink(path + suffix)  # noqa: PTH108


NO_FILE: Final = OpenFile(None, (None,) * len(_LOG))

if sys.platform == "win32":  # what is open is neither moved nor deleted there
    _lock_folder = contextlib.nullcontext
else:
    import fcntl

    @contextlib.contextmanager
    def _lock_folder(folder: str) -> Iterator[None]:
        """Let one process at a time look and remove. No file of SQLite's is locked for it."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
