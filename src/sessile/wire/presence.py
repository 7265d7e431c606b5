"""Processes of one host that use something together, known by locks that end with them.

Whoever is there holds a shared lock. One process serves them all: it holds another lock, which it
inherits from whoever started it, and ends when nobody is there any more. So none of it outlives a
``kill -9``, and nobody counts. ``cluster.local_node`` has a node of NATS served so. Where one of
them serves the others by the way it has a duty, as in ``stores.host_mirror``.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sessile.core.value import Seconds
from sessile.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PAUSE: Final[Seconds] = 0.25
_AGAIN: Final[Seconds] = 2.0
"""How long after one that ended by itself another one is started."""


class Attendance:
    """A lock that all who are there share.

    Args:
        path: its file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def enter(self) -> None:
        """Be there until this process ends, and those that it forks. Harmless when repeated."""
        with _guard:
            if self._path not in _entered:
                handle = _open(self._path)
                fcntl.flock(handle, fcntl.LOCK_SH)  # one that is about to end is waited for
                _entered[self._path] = handle

    def call_after(self, patience: Seconds, act: Callable[[], object]) -> None:
        """Call an act once nobody has been there for so long; whoever comes then waits for our end.

        It is called on a thread of its own.
        """
        threading.Thread(target=self._wait, args=(patience, act), daemon=True).start()

    def _wait(self, patience: Seconds, act: Callable[[], object]) -> None:
        handle = _open(self._path)
        left = patience
        while left > 0:
            time.sleep(_PAUSE)
            left = left - _PAUSE if _try_lock(handle) else patience
            fcntl.flock(handle, fcntl.LOCK_UN)
        if _try_lock(handle):
            act()
        else:  # somebody came just then
            os.close(handle)
            self._wait(patience, act)


class HostServer:
    """A process that serves all who are there. Each of them waits to start it.

    Args:
        path: the file of the lock that it holds.
        start: starts it; it gets the open file with the lock, which the process has to inherit.

    Attributes:
        failures: how many that this process started have ended by themselves with an error.
    """

    def __init__(self, path: Path, start: Callable[[int], "subprocess.Popen[bytes]"]) -> None:
        self._path = path
        self._start = start
        self.failures = 0

    @property
    def is_there(self) -> bool:
        """Whether somebody serves, or is about to."""
        handle = _open(self._path)
        try:
            return not _try_lock(handle)
        finally:
            os.close(handle)

    def keep(self) -> None:
        """Have it be there for as long as this process is."""
        threading.Thread(target=self._keep, name="sessile-node", daemon=True).start()

    def _keep(self) -> None:
        while True:
            handle = _open(self._path)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)  # which we get when nobody serves
                process = self._start(handle)
            finally:
                os.close(handle)
            if process.wait():
                self.failures += 1
            time.sleep(_AGAIN)


class Duty:
    """What one process of a host does for all; when it ends, by itself or not, another one may.

    Args:
        path: returns where the file is that whoever does it has locked.
    """

    def __init__(self, path: Callable[[], Path]) -> None:
        self._path = path
        self._handle: int | None = None
        _duties.add(self)

    @property
    def is_ours(self) -> bool:
        """Whether this process has it."""
        return self._handle is not None

    def take(self) -> bool:
        """Take it over, if nobody has it; tell whether it is ours now.

        It is no longer where another file stands there, which another one may have locked.

        Raises:
            ConfigError: its file cannot be opened.
        """
        path = self._path()
        if self._handle is not None and not _is_at(path, self._handle):
            self.give_up()
        if self._handle is None:
            handle = _open(path)
            if _try_lock(handle) and _is_at(path, handle):
                self._handle = handle
            else:
                os.close(handle)
        return self._handle is not None

    def give_up(self) -> None:
        """Let another one take it over. Harmless when repeated, and in a forked child."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


_duties: Final[weakref.WeakSet[Duty]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    """Let go of the locks that a child inherits: else they would outlive its parent."""
    for duty in list(_duties):
        duty.give_up()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)

_entered: Final[dict[Path, int]] = {}
_guard: Final = threading.Lock()


def _open(path: Path) -> int:
    if fcntl is None:
        raise ConfigError("a node of this host needs Linux or macOS: name the servers in the URL")
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"{path} cannot be opened: {error.strerror}") from error


def _is_at(path: Path, handle: int) -> bool:
    """Tell whether the file that is open stands at a path."""
    with contextlib.suppress(OSError):
        return os.path.samestat(path.stat(), os.fstat(handle))
    return False


def _try_lock(handle: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
