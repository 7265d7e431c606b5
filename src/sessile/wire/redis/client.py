"""A client of one Redis server: commands as Asks. ``stores.redis`` says which commands.

Threads have a pool with a connection for each command under way (``redis.pool``). Every event loop
has a pipeline of its own (``redis.pipeline``), and a second one for large commands, so that small
ones need not wait behind them. The errors of either become ``StoreUnavailable``.

Forks: the pool notices one by the process id. In a child no loop is running, so it begins with a
new loop, and that with a new pipeline.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

from sessile.core.flow import Ask
from sessile.errors import MissingExtra, StoreClosed
from sessile.wire.opaque import Opaque
from sessile.wire.redis.endpoint import CommandError, Endpoint, ErrorReply
from sessile.wire.redis.repeat import Repeat
from sessile.wire.resolver import Resolver

try:
    from sessile.wire.redis.connection import Waiter
    from sessile.wire.redis.pipeline import Pipeline
    from sessile.wire.redis.pool import ConnectionPool
    from sessile.wire.redis.resp import pack
    from sessile.wire.redis.sentinels import ask_sentinels
except ImportError as error:
    raise MissingExtra("RedisStore", "redis") from error

LARGE: Final = 65_536
"""Bytes from which a command, or its answer, has a connection with others of its kind."""

_OF_LIMIT: Final = 0.9
"""Of the time limit: how long replicas are waited for, so that the answer still comes in time."""

_Lane: TypeAlias = dict[asyncio.AbstractEventLoop, Pipeline]


class RedisClient:
    """Everything that this process asks of one Redis server.

    Args:
        endpoint: the server.
        lookup: finds the addresses of its name, as ``socket.getaddrinfo`` does.
    """

    def __init__(
        self, endpoint: Endpoint, *, lookup: Callable[..., Any] = socket.getaddrinfo
    ) -> None:
        self._endpoint = endpoint
        self._resolver = _resolver(endpoint, lookup)
        self._pool = ConnectionPool(endpoint, self._resolver)
        self._pipelines: _Lane = {}
        self._large: _Lane = {}
        self._changes: _Lane = {}  # what waits for a replica holds no reader up
        milliseconds = max(1, int(endpoint.timeout * _OF_LIMIT * 1000))  # 0 would wait for ever
        self._wait_for_acks = Opaque(pack(("WAIT", endpoint.acks, milliseconds)))
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
            return Ask(
                what,
                partial(self._block, packed, repeat, self._wait_for_acks),
                partial(self._wait_twice, packed, repeat),
            )
        lane = self._large if is_large or len(packed) >= LARGE else self._pipelines
        return Ask(
            what, partial(self._block, packed, repeat), partial(self._wait, packed, repeat, lane)
        )

    async def check_replicas(self) -> None:
        """Do nothing once enough replicas have what came over this client's one connection.

        Raises:
            StoreUnavailable: they do not in time.
        """
        packed = self._wait_for_acks
        wait = partial(self._wait, packed, Repeat.NEVER, self._pipelines)
        self._check_acks(await Ask("redis WAIT", partial(self._block, packed, Repeat.NEVER), wait))

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

    def _wait(self, packed: Opaque, repeat: Repeat, lane: _Lane) -> Waiter:
        loop = asyncio.get_running_loop()
        pipeline = lane.get(loop) or self._new_pipeline(lane, loop)
        return pipeline.submit(packed, repeat)

    def _new_pipeline(self, lane: _Lane, loop: asyncio.AbstractEventLoop) -> Pipeline:
        # forget closed loops here, so that none is kept for ever and no command pays for the search
        for old in [old for old in list(lane) if old.is_closed()]:
            lane.pop(old, None)
        pipeline = lane[loop] = Pipeline(self._endpoint, self._resolver, loop)
        return pipeline

    async def _wait_twice(self, packed: Opaque, repeat: Repeat) -> Any:
        """Wait for the reply, and then for the replicas: WAIT is answered for one connection."""
        reply, count = await asyncio.gather(
            self._wait(packed, repeat, self._changes),
            self._wait(self._wait_for_acks, Repeat.NEVER, self._changes),
        )
        if not isinstance(reply, ErrorReply):  # nothing was changed
            self._check_acks(count)
        return reply

    def _check_acks(self, count: int) -> None:
        try:
            self._endpoint.check_acks(count)
        except TimeoutError as error:
            failure = self._endpoint.failure(error)
        else:
            return
        raise failure

    def _block(self, packed: Opaque, repeat: Repeat, then: Opaque | None = None) -> Any:
        try:
            return self._pool.ask(packed, repeat, then)
        except (CommandError, OSError, UnicodeError) as error:
            failure = self._endpoint.failure(error)
        raise failure  # out here it has no other context than its cause

    @property
    def _lanes(self) -> tuple[_Lane, ...]:
        return self._pipelines, self._large, self._changes

    def _close(self) -> None:
        self._closed = True
        self._pool.close()
        for lane in self._lanes:
            for loop, pipeline in list(lane.items()):
                with contextlib.suppress(RuntimeError):  # a closed loop has closed its pipeline
                    loop.call_soon_threadsafe(pipeline.close)

    async def _close_and_wait(self) -> None:
        self._close()
        loop = asyncio.get_running_loop()
        for lane in self._lanes:
            if loop in lane:
                await lane[loop].aclose()


def _resolver(endpoint: Endpoint, lookup: Callable[..., Any]) -> Resolver:
    """Return the resolver of a name's addresses, or of the primary that Sentinels name."""
    place, target = (endpoint.host, endpoint.port), endpoint.target
    if endpoint.sentinels is None:
        return Resolver(*place, target=target, lookup=lookup)
    lookup = partial(ask_sentinels, endpoint.sentinels, endpoint.connect_timeout)
    return Resolver(*place, target=target, asked="the Sentinels", keeps=False, lookup=lookup)
