"""A database that is open, and whether its log is still there. For ``wire.sqlite.pool``."""

import os
from dataclasses import dataclass
from typing import Final

from sessile.wire.embedded.identity import Identity, identify, lock_folder

_LOG: Final = ("-wal", "-shm")


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
        with lock_folder(os.path.dirname(path) or "."):  # noqa: PTH120  (as above: text, not a Path)
            for suffix, mine in zip(_LOG, self.log, strict=True):
                if mine is not None and identify(path + suffix) == mine:
                    os.unlink(path + suffix)  # noqa: PTH108


NO_FILE: Final = OpenFile(None, (None,) * len(_LOG))
