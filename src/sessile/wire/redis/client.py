"""A client of one Redis server: commands as Asks. ``stores.redis`` says which commands.

Threads have a pool with a connection for each command under way (``commands.pool``). Every event
loop has a pipeline of its own (``commands.lane``), and a second one for large commands, so that
small ones need not wait behind them. The errors of either become ``StoreUnavailable``.
"""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sessile.core.flow import Ask
from sessile.core.value import Seconds
from sessile.errors import MissingExtra, StoreClosed
from sessile.wire.commands.lane import LARGE, Lane
from sessile.wire.commands.pipeline import Rescue, leave
from sessile.wire.commands.pool import ConnectionPool, Sequel
from sessile.wire.commands.repeat import Repeat
from sessile.wire.commands.server import CommandError
from sessile.wire.opaque import Opaque
from sessile.wire.redis.endpoint import Endpoint, ErrorReply
from sessile.wire.resolver import Resolver

try:
    from sessile.wire.redis.resp import language_of, pack
    from sessile.wire.redis.sentinels import ask_sentinels
    from sessile.wire.redis.tracking import InvalidationConnection
except ImportError as error:
    raise MissingExtra("RedisStore", "redis") from error

_OF_LIMIT: Final = 0.7
"""Of the time limit: how long replicas are waited for. A server looks ten times a second whether
that is over, and its answer, which says how many have the change, has to come in time."""


class RedisClient:
    """Everything that this process asks of one Redis server.

    Args:
        endpoint: the server.
        lookup: finds the addresses of its name, as ``socket.getaddrinfo`` does.
        rescue: as of a pipeline.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        lookup: Callable[..., Any] = socket.getaddrinfo,
        rescue: Rescue = leave,
    ) -> None:
        self._endpoint = endpoint
        self._resolver, language = _resolver(endpoint, lookup), language_of(endpoint)
        self._pool = ConnectionPool(endpoint, language, self._resolver)
        lane = partial(Lane, endpoint, language, self._resolver, rescue)
        self._small, self._large = lane(), lane()
        self._changes = lane()  # what waits for a replica holds no reader up
        self._wait_for_acks = self._pack_wait(endpoint.timeout)
        self._closed = False

    def ask(
        self,
        what: str,
        *words: str | bytes | float,
        repeat: Repeat = Repeat.NEVER,
        is_large: bool = False,
        is_change: bool = False,
    ) -> Ask[Any]:
        """Return the Ask for one command. Its reply is as hiredis reads it, or an ``ErrorReply``.

        Args:
            what: its name in traces.
            words: the command.
            repeat: whether it is sent once more after its connection was given up.
            is_large: its answer is likely to be; a command that is large itself needs no such word.
            is_change: as many replicas as the endpoint asks for are to have what it changed.

        Raises:
            StoreClosed: the client was closed.
        """
        self.check_open()
        packed = Opaque(pack(words))
        if is_change and self._endpoint.acks:
            acks = (self._wait_for_acks, self._endpoint.check_acks)
            return Ask(
                what,
                partial(self._block, packed, repeat, acks),
                partial(self._wait_twice, packed, repeat),
            )
        lane = self._large if is_large or len(packed) >= LARGE else self._small
        return Ask(what, partial(self._block, packed, repeat), partial(lane.submit, packed, repeat))

    def track(self, prefix: str, timer: Callable[[], Seconds]) -> InvalidationConnection:
        """Connect, on this thread, and hear from now on which keys with a prefix are changed.

        Args:
            prefix: what the keys begin with.
            timer: seconds by a clock that never runs backwards; heartbeats are on it.

        Raises:
            StoreUnavailable: the server cannot be reached, or refuses.
        """
        self.check_open()
        try:
            return InvalidationConnection(self._endpoint, self._resolver, prefix, timer)
        except (CommandError, OSError, UnicodeError) as error:
            failure = self._endpoint.failure(error)
        raise failure

    async def check_replicas(self) -> None:
        """Do nothing once enough replicas have what came over this client's one connection.

        Raises:
            StoreUnavailable: they do not in time.
        """
        packed = self._wait_for_acks
        wait = partial(self._small.submit, packed, Repeat.NEVER)
        self._check_acks(await Ask("redis WAIT", partial(self._block, packed, Repeat.NEVER), wait))

    @property
    def endpoint(self) -> Endpoint:
        """Where the server is."""
        return self._endpoint

    def check_open(self) -> None:
        """Do nothing if the client is open.

        Raises:
            StoreClosed: it was closed.
        """
        if self._closed:
            raise StoreClosed("Redis store")

    def close(self) -> Ask[None]:
        """Return the Ask that closes every connection; harmless when repeated."""
        return Ask("redis close", self._close, self._close_and_wait)

    async def _wait_twice(self, packed: Opaque, repeat: Repeat) -> Any:
        """Wait for the reply, and then for the replicas: WAIT is answered for one connection."""
        reply, count = await asyncio.gather(
            self._changes.submit(packed, repeat),
            self._changes.submit(self._wait_for_acks, Repeat.NEVER),
        )
        if not isinstance(reply, ErrorReply):  # nothing was changed
            self._check_acks(count)
        return reply

    def _pack_wait(self, within: Seconds) -> Opaque:
        milliseconds = max(1, int(within * _OF_LIMIT * 1000))  # 0 would wait for ever
        return Opaque(pack(("WAIT", self._endpoint.acks, milliseconds)))

    def _check_acks(self, count: int) -> None:
        try:
            self._endpoint.check_acks(count)
        except TimeoutError as error:
            failure = self._endpoint.failure(error)
        else:
            return
        raise failure

    def _block(self, packed: Opaque, repeat: Repeat, then: Sequel | None = None) -> Any:
        try:
            return self._pool.ask(packed, repeat, then)
        except (CommandError, OSError, UnicodeError) as error:
            failure = self._endpoint.failure(error)
        raise failure  # out here it has no other context than its cause

    @property
    def _lanes(self) -> tuple[Lane, ...]:
        return self._small, self._large, self._changes

    def _close(self) -> None:
        self._closed = True
        self._pool.close()
        for lane in self._lanes:
            lane.close()

    async def _close_and_wait(self) -> None:
        self._close()
        for lane in self._lanes:
            await lane.aclose()


def _resolver(endpoint: Endpoint, lookup: Callable[..., Any]) -> Resolver:
    """Return the resolver of a name's addresses, or of the primary that Sentinels name."""
    place, target = (endpoint.host, endpoint.port), endpoint.target
    if endpoint.sentinels is None:
        return Resolver(*place, target=target, lookup=lookup)
    lookup = partial(ask_sentinels, endpoint.sentinels, endpoint.connect_timeout, tls=endpoint.tls)
    return Resolver(*place, target=target, asked="the Sentinels", keeps=False, lookup=lookup)
