"""One memcached server of several. ``wire.memcached.client`` chooses it."""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from sessile.core.flow import Ask
from sessile.wire.commands.lane import LARGE, Lane
from sessile.wire.commands.pool import ConnectionPool, Sequel
from sessile.wire.commands.repeat import Repeat
from sessile.wire.commands.server import CommandError
from sessile.wire.memcached.endpoint import MemcachedServer
from sessile.wire.memcached.text import TEXT
from sessile.wire.opaque import Opaque
from sessile.wire.resolver import Resolver

R = TypeVar("R")


class Node:
    """Everything that this process asks of one server.

    Args:
        place: where it is.
        lookup: finds the addresses of its name, as ``socket.getaddrinfo`` does.

    Attributes:
        label: how it is called among the others.
        small: what event loops ask.
        large: what they ask that small commands need not wait behind.
    """

    def __init__(
        self, place: MemcachedServer, lookup: Callable[..., Any] = socket.getaddrinfo
    ) -> None:
        self.label = place.label
        self._place = place
        resolver = Resolver(place.host, place.port, target=place.target, lookup=lookup)
        self._pool = ConnectionPool(place, TEXT, resolver)
        self.small, self.large = (Lane(place, TEXT, resolver) for _ in range(2))

    def ask(
        self,
        what: str,
        packed: Opaque,
        repeat: Repeat,
        interpret: Callable[[Any], R],
        *,
        is_large: bool = False,
    ) -> Ask[R]:
        """Return the Ask for one command.

        Args:
            what: its name in traces.
            packed: the command.
            repeat: whether it is sent once more after its connection was given up.
            interpret: makes of the reply what is returned.
            is_large: its answer is likely to be; a command that is large itself needs no such word.
        """
        lane = self.large if is_large or len(packed) >= LARGE else self.small
        return Ask(
            what,
            partial(self._block, packed, repeat, interpret),
            partial(_wait, lane, packed, repeat, interpret),
        )

    def ask_both(
        self, what: str, packed: Opaque, then: Opaque, interpret: Callable[[Any, Any], R]
    ) -> Ask[R]:
        """Return the Ask for two commands. An event loop sends them together; both are sent once.

        Args:
            what: their name in traces.
            packed: the first.
            then: the second. The first may have been performed where it fails.
            interpret: makes of both replies what is returned.
        """
        lane = self.large if len(packed) >= LARGE else self.small
        return Ask(
            what,
            partial(self._block_both, packed, then, interpret),
            partial(_wait_for_both, lane, packed, then, interpret),
        )

    def _block(self, packed: Opaque, repeat: Repeat, interpret: Callable[[Any], R]) -> R:
        return interpret(self._perform(packed, repeat))

    def _block_both(self, packed: Opaque, then: Opaque, interpret: Callable[[Any, Any], R]) -> R:
        second: list[Any] = []
        first = self._perform(packed, Repeat.NEVER, (then, second.append))
        return interpret(first, *second)

    def _perform(self, packed: Opaque, repeat: Repeat, then: Sequel | None = None) -> Any:
        try:
            return self._pool.ask(packed, repeat, then)
        except (CommandError, OSError, UnicodeError) as error:
            failure = self._place.failure(error)
        raise failure  # out here it has no other context than its cause

    def close(self) -> None:
        """Close every connection, those of other threads' loops when they come to it."""
        self._pool.close()
        self.small.close()
        self.large.close()

    async def aclose(self) -> None:
        """Return when this loop's connections are closed, too."""
        self.close()
        await asyncio.gather(self.small.aclose(), self.large.aclose())


async def _wait(lane: Lane, packed: Opaque, repeat: Repeat, interpret: Callable[[Any], R]) -> R:
    return interpret(await lane.submit(packed, repeat))


async def _wait_for_both(
    lane: Lane, packed: Opaque, then: Opaque, interpret: Callable[[Any, Any], R]
) -> R:
    first, second = (lane.submit(each, Repeat.NEVER) for each in (packed, then))
    return interpret(*await asyncio.gather(first, second))
