"""Ports of this host that programs listen on. ``cluster.local_node`` looks for its own."""

import contextlib
import random
import socket
from typing import Final

from sessile.core.value import Seconds
from sessile.errors import ConfigError

LOOPBACK: Final = "127.0.0.1"
_SOON: Final[Seconds] = 1.0
_LONGEST: Final = 1 << 14
_QUIET: Final = range(20_000, 32_000)
"""Below those from which the kernel numbers connections: one that asks in vain takes none."""
_TRIES: Final = 20


def find_port(wanted: int | None) -> int:
    """Return a port that nobody listens on: the wanted one, or else any that none asks from.

    Raises:
        ConfigError: hardly one is free.
    """
    for port in ([] if wanted is None else [wanted]) + random.sample(_QUIET, _TRIES):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return port
    raise ConfigError(f"hardly a port is free from {_QUIET.start} to {_QUIET.stop}")


def read_greeting(port: int) -> bytes:
    """Return the line that a server says to whoever connects; empty where there is none."""
    try:
        with socket.create_connection((LOOPBACK, port), _SOON) as connection:
            return connection.makefile("rb").readline(_LONGEST)
    except OSError:
        return b""
