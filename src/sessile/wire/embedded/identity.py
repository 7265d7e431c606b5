"""Which file stands at a path. For the files of ``wire.sqlite`` and ``wire.lmdb``.

A file that is open keeps its number (device and inode) to itself, also after it was deleted or
another one was moved to its path. While it is open, another number means another file.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TypeAlias

Identity: TypeAlias = tuple[int, int]
"""Device and inode."""


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


if sys.platform == "win32":  # what is open is neither moved nor deleted there
    lock_folder = contextlib.nullcontext
else:
    import fcntl

    @contextlib.contextmanager
    def lock_folder(folder: str) -> Iterator[None]:
        """Let one process at a time look and remove. No file of a database's is locked for it."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
