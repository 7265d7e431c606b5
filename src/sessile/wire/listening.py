"""Ports of this host that programs listen on. ``cluster.local_node`` looks for its own."""

import socket
from typing import Final

from sessile.core.value import Seconds

LOOPBACK: Final = "127.0.0.1"
_SOON: Final[Seconds] = 1.0
_LONGEST: Final = 1 << 14


def find_port(wanted: int | None) -> int:
    """Return a port that nobody listens on: the wanted one, or else any."""
    for port in (wanted or 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            number: int = probe.getsockname()[1]
            return number
    raise OSError("no port is free")


def read_greeting(port: int) -> bytes:
    """Return the line that a server says to whoever connects; empty where there is none."""
    try:
        with socket.create_connection((LOOPBACK, port), _SOON) as connection:
            return connection.makefile("rb").readline(_LONGEST)
    except OSError:
        return b""
