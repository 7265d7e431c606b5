"""Where the hosts of an endpoint are, looked up for threads and for event loops."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from sessile.core.value import Seconds
from sessile.wire.postgres.endpoint import PostgresEndpoint, PostgresHost
from sessile.wire.resolver import Addresses, Resolver

PORT: Final = 5432
"""Where nothing else is said."""

Place: TypeAlias = tuple[PostgresHost, str | None]
"""A host, and an address of it where its name has one."""


class HostAddresses:
    """The addresses of some hosts.

    Args:
        endpoint: names them.
        lookup: finds the addresses of a name, as ``socket.getaddrinfo`` does.
        timer: seconds by a clock that never runs backwards.
    """

    def __init__(
        self,
        endpoint: PostgresEndpoint,
        timer: Callable[[], Seconds],
        lookup: Callable[..., Any] = socket.getaddrinfo,
    ) -> None:
        self._timer = timer
        self._resolvers = {
            host: Resolver(
                host.name,
                host.port or PORT,
                target=f"the host name {host.name}",
                lookup=lookup,
                timer=timer,
            )
            for host in endpoint.hosts
            if host.name is not None and host.is_remote
        }

    def find(self, hosts: Sequence[PostgresHost], within: Seconds) -> list[Place]:
        """Return the places of these hosts, in their order; for threads.

        Raises:
            OSError: none of the names leads anywhere.
        """
        found: list[Place] = []
        failed: OSError | None = None
        deadline = self._timer() + within
        for host in hosts:
            resolver = self._resolvers.get(host)
            try:
                found += _places(
                    host, None if resolver is None else resolver.resolve(deadline - self._timer())
                )
            except OSError as error:
                failed = error
        return _require(found, failed)

    async def find_on_loop(self, hosts: Sequence[PostgresHost], within: Seconds) -> list[Place]:
        """Return the places of these hosts, as ``find`` does; for event loops."""
        asked = [self._resolvers[host] for host in hosts if host in self._resolvers]
        answers = await asyncio.gather(
            *(one.resolve_on_loop(within) for one in asked), return_exceptions=True
        )
        known = dict(zip(asked, answers, strict=True))
        found: list[Place] = []
        failed: OSError | None = None
        for host in hosts:
            answer = known.get(self._resolvers[host]) if host in self._resolvers else None
            if isinstance(answer, OSError):
                failed = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found += _places(host, answer)
        return _require(found, failed)

    def expire(self) -> None:
        """Look again before the next connection."""
        for resolver in self._resolvers.values():
            resolver.expire()


def _places(host: PostgresHost, addresses: Addresses | None) -> list[Place]:
    """Return the places of a host; without addresses libpq finds it by itself."""
    return [(host, None)] if addresses is None else [(host, address) for address, _ in addresses]


def _require(found: list[Place], failed: OSError | None) -> list[Place]:
    if not found and failed is not None:
        raise failed
    return found
