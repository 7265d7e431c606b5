"""Ports of servers, kept by the parent while a server is down. ``child`` binds the same again."""

import errno
import random
import socket
from contextlib import ExitStack, suppress
from typing import Final

from sessile.errors import ConfigError

LOOPBACK: Final = "127.0.0.1"
# Addresses that only stand for all others. What is on this machine asks at its own.
_EVERYWHERE: Final = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104
_TRIES: Final = 20
_QUIET: Final = range(20_000, 32_000)
"""Below the range from which the kernel numbers outgoing connections."""


def bind(port: int = 0) -> socket.socket:
    """Return a bound socket of a server, or one that only keeps the port (0 takes a free one).

    Several may be bound to one port; connections go to the one that listens. While only the
    parent's is left they are refused, and nobody else's connection is given the port.
    """
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    keeper.bind((LOOPBACK, port))
    return keeper


def find_ports(count: int) -> list[int]:
    """Return free ports of this machine for programs that bind them themselves, also again later.

    Raises:
        ConfigError: there are not so many.
    """
    found: list[int] = []
    with ExitStack() as probes:
        for port in random.sample(_QUIET, count + _TRIES):
            probe = probes.enter_context(socket.socket())
            with suppress(OSError):
                probe.bind((LOOPBACK, port))
                found.append(port)
            if len(found) == count:
                return found
    raise ConfigError(f"hardly a port is free from {_QUIET.start} to {_QUIET.stop}")


def free_port(host: str, wanted: int) -> int:
    """Return the wanted port of an address, or else the next that is free.

    Raises:
        ConfigError: the address is not ours, or there is no free port near.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last = min(wanted + _TRIES, 65_535)
    for port in range(wanted, last + 1):
        try:
            with socket.create_server((host, port), family=family):
                return port
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    raise ConfigError(
        f"the ports {wanted} to {last} of {host} are taken; write --port with another"
    )


def local_address(host: str) -> str:
    """Return where somebody on this machine finds a server that listens there."""
    return _EVERYWHERE.get(host, host)
