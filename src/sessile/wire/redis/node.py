"""A client of one node of a Redis Cluster: what any server is asked, and what only a node is."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias, cast

from sessile.core.value import Seconds
from sessile.errors import StoreUnavailable
from sessile.wire import system
from sessile.wire.commands.connection import Command, Waiter
from sessile.wire.commands.repeat import Repeat
from sessile.wire.commands.server import CommandError
from sessile.wire.opaque import Opaque
from sessile.wire.redis.client import RedisClient
from sessile.wire.redis.endpoint import Endpoint
from sessile.wire.redis.redirection import UnreachableError
from sessile.wire.redis.resp import pack
from sessile.wire.redis.slot_route import SlotRoute
from sessile.wire.redis.slots import Place

_ASKING: Final = Opaque(pack(("ASKING",)))

NodeRescue: TypeAlias = "Callable[[ClusterNode, Command, Exception], bool]"
"""As a pipeline's; it is told which node it was."""


class ClusterNode(RedisClient):
    """One node: what any server is asked, and what only a node is.

    Args:
        endpoint: the node.
        rescue: takes over what this node does not perform, on an event loop.
        lookup: as of ``RedisClient``.

    Attributes:
        place: where it is.
        is_doubtful: it was not reached, or was silent, and has not told the slots since.
    """

    def __init__(
        self, endpoint: Endpoint, rescue: NodeRescue, *, lookup: Callable[..., Any]
    ) -> None:
        super().__init__(endpoint, lookup=lookup, rescue=partial(rescue, self))
        self.place: Place = (endpoint.host, endpoint.port)
        self.is_doubtful = False

    def submit(self, packed: Opaque, repeat: Repeat, route: SlotRoute) -> Waiter:
        """Return the future of the reply to a command that other nodes may be asked, too."""
        lane = self._large if route.is_large else self._small
        return lane.submit(packed, repeat, route)

    def submit_alone(self, packed: Opaque) -> Waiter:
        """Return the future of the reply to a command for this node."""
        return self._small.submit(packed, Repeat.HARMLESS)

    def add(self, command: Command, *, is_asking: bool = False) -> None:
        """Send a command, on the running loop, with what has to go directly before and behind."""
        route, loop = cast("SlotRoute", command.route), asyncio.get_running_loop()
        lane = self._large if route.is_large else self._small
        pipeline = (self._changes if route.is_acked else lane).pipeline()
        if is_asking:
            pipeline.add(_Asking(command))
        pipeline.add(command)
        if route.is_acked:
            packed = self._pack_wait(command.deadline - loop.time())
            route.acks = loop.create_future()
            route.acks.add_done_callback(_look_at_error)
            pipeline.add(Command(packed, route.acks, command.deadline))

    def perform(
        self,
        packed: Opaque,
        deadline: Seconds,
        *,
        doubts: bool = False,
        is_asking: bool = False,
        is_acked: bool = False,
    ) -> Any:
        """Return the reply to a command, on this thread.

        Args:
            packed: the command.
            deadline: on the machine's timer.
            doubts: as of the pool.
            is_asking: directly behind an ASKING.
            is_acked: directly before a WAIT.

        Raises:
            UnreachableError: nothing was sent.
            CommandError: the node refused it.
            OSError: it was not answered in time.
        """
        try:
            connection = self._pool.connect(deadline)
        except (CommandError, OSError) as error:
            raise UnreachableError from error
        if is_asking:
            try:
                reply = connection.ask(_ASKING, deadline)
            except BaseException:
                connection.close()
                raise
            if isinstance(reply, CommandError):
                connection.close()
                raise reply
        then = None
        if is_acked:
            then = self._pack_wait(deadline - system.timer()), self._endpoint.check_acks
        return self._pool.ask_over(connection, packed, deadline, then, doubts=doubts)

    async def close_and_wait(self) -> None:
        """Close, on an event loop, and return when its connections are closed."""
        await self._close_and_wait()

    def failure(self, error: BaseException) -> StoreUnavailable:
        """Return the error for a command that failed here."""
        if isinstance(error, UnreachableError) and error.__cause__ is not None:
            error = error.__cause__
        return self._endpoint.failure(error)

    def outage(self, error: BaseException, slot: int) -> StoreUnavailable:
        """Return the error for a command that was asked again until its time was over."""
        failure = self.failure(error)
        if isinstance(failure.__cause__, OSError):
            why = (
                f"{failure.why}; the cluster names it for slot {slot}: unless it is down, set "
                "cluster-announce-ip, -hostname or -port there to what leads to it from here"
            )
            return self._endpoint.failure(failure.__cause__, why)
        return failure


class _Asking(Command):
    """ASKING, directly before the command that it is for: sent, or given up, with that one."""

    __slots__ = ()

    def __init__(self, command: Command) -> None:
        waiter = cast("Waiter", _Unheard(command.waiter))
        super().__init__(_ASKING, waiter, command.deadline, command.repeat)


class _Unheard:
    """A future whose result nobody asks for; it is over when another one is."""

    __slots__ = ("done",)

    def __init__(self, waiter: Waiter) -> None:
        self.done = waiter.done

    def set_result(self, _: Any) -> None:
        """Keep nothing."""

    def set_exception(self, _: Any) -> None:
        """Keep nothing."""


def _look_at_error(waiter: Waiter) -> None:
    """Keep asyncio from reporting an error that nobody is interested in any more."""
    if not waiter.cancelled():
        waiter.exception()
