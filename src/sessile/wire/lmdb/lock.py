"""Locks between processes that nobody waits for. For the other modules of ``wire.lmdb``.

LMDB's own lock has no time limit: who asks for it while its holder is stopped stands still as long.
So whoever writes holds one of these first, and then finds LMDB's free. The kernel lets go of it
when its holder dies.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from sessile.wire.embedded.calls import FileLocked


def lock_at_once(handle: int) -> None:
    """Lock a file, or a folder, that is open.

    Raises:
        FileLocked: another one, of this process or another, holds the lock.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FileLocked from error


def unlock(handle: int) -> None:
    """Let go of the lock of a file that stays open."""
    fcntl.flock(handle, fcntl.LOCK_UN)


@contextlib.contextmanager
def open_alone(path: str, flags: int = os.O_RDONLY, mode: int = 0o600) -> Iterator[int]:
    """Open a file, or a folder, that nobody else has locked, and lock it meanwhile.

    Raises:
        FileLocked: somebody has.
        OSError: it cannot be opened.
    """
    handle = os.open(path, flags | os.O_CLOEXEC, mode)
    try:
        lock_at_once(handle)
        try:
            yield handle
        finally:
            unlock(handle)  # a child that was forked meanwhile has the handle too, and keeps it
    finally:
        os.close(handle)
