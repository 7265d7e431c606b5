"""A client of a NATS system: acts as Asks. ``stores.nats`` says which.

Every event loop has a connection of its own (``wire.nats.lane``). nats-py speaks on a loop alone,
so threads share one that runs on a thread of ours.

Forks: in a child no loop is running, and the thread of ours is not there, so it begins anew.
"""

import asyncio
import os
import sys
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from sessile.core.flow import Ask
from sessile.core.value import Seconds
from sessile.errors import MissingExtra
from sessile.wire import system
from sessile.wire.nats.endpoint import NatsEndpoint
from sessile.wire.per_loop import PerLoop

try:
    from sessile.wire.nats.lane import NatsLane
    from sessile.wire.nats.listener import NatsListener
    from sessile.wire.nats.loop import NatsLoop
except ImportError as error:
    raise MissingExtra("NatsStore", "nats") from error

R = TypeVar("R")

_SLACK: Final[Seconds] = 1.0
"""How much longer a thread waits for the loop than an act may take."""


class NatsClient:
    """Everything that this process asks of one NATS system.

    Args:
        endpoint: its servers.
        timer: seconds by a clock that never runs backwards.

    Attributes:
        name: of the system, without credentials.
    """

    def __init__(
        self, endpoint: NatsEndpoint, *, timer: Callable[[], Seconds] = system.timer
    ) -> None:
        self.name = endpoint.name
        self._endpoint = endpoint
        self._timer = timer
        self._lanes: PerLoop[NatsLane] = PerLoop()
        self._listeners: weakref.WeakSet[NatsListener] = weakref.WeakSet()
        self._loop = NatsLoop(endpoint.name)
        _instances.add(self)

    def reset(self) -> None:
        """Begin anew in a forked child, where no thread of ours is."""
        self._loop.reset()
        self._listeners = weakref.WeakSet()

    def ask(self, what: str, act: Callable[[NatsLane], Coroutine[Any, Any, R]]) -> Ask[R]:
        """Return the Ask for one act on a lane.

        Args:
            what: its name in traces.
            act: performs it.

        Raises:
            StoreClosed: the client was closed.
        """
        self.check_open()
        return Ask(what, partial(self._block, act), partial(self._wait, act))

    def open_listener(
        self, subjects: Mapping[str, Sequence[str]], *, after: int | None = None
    ) -> NatsListener:
        """Connect, on this thread, and beside all others; ``NatsListener`` has the arguments.

        Raises:
            StoreUnavailable: none of the servers serves us.
            StoreClosed: the client was closed.
        """
        self.check_open()
        listener = NatsListener(self._endpoint, self._loop)
        self._listeners.add(listener)
        try:
            listener.open(subjects, after=after)
        except OSError as error:
            failure = self._endpoint.failure(error.with_traceback(None))
        else:
            return listener
        raise failure  # out here it has no other context than its cause

    def check_open(self) -> None:
        """Do nothing if the client is open.

        Raises:
            StoreClosed: it was closed.
        """
        self._loop.check_open()

    def close(self) -> Ask[None]:
        """Return the Ask that closes every connection; harmless when repeated."""
        return Ask("nats close", self._close, self._close_on_loop)

    def _wait(self, act: Callable[[NatsLane], Coroutine[Any, Any, R]]) -> Coroutine[Any, Any, R]:
        return act(self._lanes.get(partial(NatsLane, self._endpoint, self._timer)))

    def _block(self, act: Callable[[NatsLane], Coroutine[Any, Any, R]]) -> R:
        limit = self._endpoint.timeout + self._endpoint.connect_timeout + _SLACK
        try:
            return self._loop.perform(self._on_thread(act), limit)
        except TimeoutError as error:  # the loop is held up
            failure = self._endpoint.failure(error)
        raise failure

    async def _on_thread(self, act: Callable[[NatsLane], Coroutine[Any, Any, R]]) -> R:
        return await self._wait(act)

    def _close(self) -> None:
        for lane in self._lanes.all():
            lane.close_soon()
        self._loop.close(self._close_listeners)

    async def _close_listeners(self) -> None:
        for listener in list(self._listeners):
            await listener.aclose()

    async def _close_on_loop(self) -> None:
        own = self._lanes.find()
        if own is not None:
            await own.close()
        await asyncio.to_thread(self._close)


_instances: Final[weakref.WeakSet[NatsClient]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for instance in list(_instances):
        instance.reset()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)
