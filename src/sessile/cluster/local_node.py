"""The node of this host, for development: the first process that needs it starts it.

It is one server alone, on loopback, and ends some seconds after the last process that uses it. What
it keeps stays in its folder. ``local_server`` is what it runs; ``wire.presence`` who is there.
"""

import sys
from functools import cache
from pathlib import Path
from subprocess import Popen
from typing import Final
from urllib.parse import urlsplit

from sessile.cluster.users import users_of
from sessile.core.secrets import KeyRing
from sessile.core.value import Seconds
from sessile.errors import ConfigError
from sessile.wire import system
from sessile.wire.keyfile import load_or_create
from sessile.wire.listening import LOOPBACK, find_port, read_greeting
from sessile.wire.log import log_local_node
from sessile.wire.presence import Attendance, HostServer
from sessile.wire.private_files import check_private_folder, make_private_folder, write_private
from sessile.wire.programs import start_behind

NAME: Final = "sessile-local"
LINGER: Final[Seconds] = 5.0
"""How long after the last one has left it ends."""

_SOON: Final[Seconds] = 3.0
"""How long one that starts is waited for; uvicorn replaces a worker that says nothing for five."""

_LATE: Final[Seconds] = 15.0
_PAUSE: Final[Seconds] = 0.05


class LocalNode:
    """The node of this host, as a process sees it that uses it.

    Args:
        folder: holds all there is of it.
    """

    def __init__(self, folder: Path) -> None:
        make_private_folder(folder)
        check_private_folder(folder)
        self.folder = folder
        secret = load_or_create(folder / "secret", system.entropy(32))
        self.ring = KeyRing([secret])
        self.attendance = Attendance(folder / "users")
        self._server = HostServer(folder / "server", self._start)
        self._is_kept = False

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / "node.log"

    def url(self, url: str) -> str:
        """Return a URL with the node in it, which is there then, or soon.

        Raises:
            ConfigError: it does not start.
        """
        self.attendance.enter()
        if not self._is_kept:
            self._is_kept = True
            self._server.keep()
        port = self._wait()
        user, *_ = users_of(self.ring)
        netloc = f"{user.name}:{user.password}@{LOOPBACK}:{port}"
        return urlsplit(url)._replace(netloc=netloc).geturl()

    def _wait(self) -> int:
        """Wait until it listens, but not for long: then the store says what is wrong."""
        now = system.timer()
        soon, late = now + _SOON, now + _LATE
        while not self._server.failures and (now := system.timer()) < late:
            port = self._find_port()
            if port is not None and self._server.is_there and (now > soon or _is_ours(port)):
                return port
            system.sleep(_PAUSE)
        raise ConfigError(
            f"the node of this host does not start, and {self.log} says why; where servers of "
            "NATS run already, name them, as in replicated://one:4222,two:4222,three:4222"
        )

    def _find_port(self) -> int | None:
        try:
            return int((self.folder / "port").read_text())
        except (OSError, ValueError):  # it was never started, or is being started
            return None

    def _choose_port(self) -> int:
        """Return the port of before, which others know, once the server of before has ended."""
        former, late = self._find_port(), system.timer() + _LATE
        while former is not None and _is_ours(former) and system.timer() < late:
            system.sleep(_PAUSE)
        return find_port(former)

    def _start(self, lock: int) -> "Popen[bytes]":
        port = self._choose_port()
        write_private(self.folder / "port", str(port).encode())
        write_private(self.log, b"")
        log_local_node(self.folder, f"{LOOPBACK}:{port}", LINGER)
        words = ("-P", "-m", "sessile.cluster.local_server", str(self.folder), str(port))
        return start_behind([sys.executable, *words], self.log, inherit=lock)


@cache
def local_node() -> LocalNode:
    """Return the node of this user on this host.

    Raises:
        ConfigError: there is no place for its files.
    """
    state = system.setting("XDG_STATE_HOME")
    try:
        home = Path(state) if state is not None else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise ConfigError(f"{error}: set XDG_STATE_HOME, or name servers in the URL") from error
    return LocalNode(home / "sessile" / "local-node")


def _is_ours(port: int) -> bool:
    """Tell whether the node listens there, and no stranger."""
    return f'"server_name":"{NAME}"'.encode() in read_greeting(port)
