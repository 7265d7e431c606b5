"""A client of a Redis Cluster: each command goes to the node that has its slot.

Each node has a ``RedisClient``, and that one's pool and pipelines. Only what a node does not
perform takes another way: ``redis.reroute`` on event loops, ``redis.attempts`` on threads.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from sessile.core.flow import Ask
from sessile.errors import StoreClosed
from sessile.wire import system
from sessile.wire.commands.connection import Command, Waiter
from sessile.wire.commands.lane import LARGE
from sessile.wire.commands.repeat import Repeat
from sessile.wire.opaque import Opaque
from sessile.wire.per_loop import forget_closed
from sessile.wire.redis.attempts import Attempts
from sessile.wire.redis.client import RedisClient
from sessile.wire.redis.endpoint import Endpoint, ErrorReply
from sessile.wire.redis.node import ClusterNode
from sessile.wire.redis.nodes import ClusterNodes
from sessile.wire.redis.redirection import NoMapError
from sessile.wire.redis.reroute import Rerouter
from sessile.wire.redis.resp import pack
from sessile.wire.redis.slot_route import SlotRoute
from sessile.wire.redis.slots import Place, SlotMap


class ClusterClient:
    """Everything that this process asks of one Redis Cluster.

    Args:
        endpoint: the cluster; its ``cluster`` names nodes to begin with.
        lookup: finds the addresses of a node's name, as ``socket.getaddrinfo`` does.

    Attributes:
        acks: replicas that have to have a change before it counts as made.
    """

    def __init__(
        self, endpoint: Endpoint, *, lookup: Callable[..., Any] = socket.getaddrinfo
    ) -> None:
        self.acks = endpoint.acks
        self._endpoint = endpoint
        self._nodes = ClusterNodes(endpoint, self._rescue, lookup=lookup)
        self._rerouters: dict[asyncio.AbstractEventLoop, Rerouter] = {}
        self._closed = False

    def ask(
        self,
        slot: int,
        what: str,
        *words: str | bytes | float,
        repeat: Repeat = Repeat.NEVER,
        is_large: bool = False,
        is_change: bool = False,
        tells_split: bool = False,
    ) -> Ask[Any]:
        """Return the Ask for one command. Its reply is as hiredis reads it, or an ``ErrorReply``.

        Args:
            slot: of its keys, see ``slot_of``.
            what: as of ``RedisClient.ask``, and so are the others.
            words: the command.
            repeat: whether it is sent once more after its connection was given up. What a node
                did not perform is sent to another in any case.
            is_large: its answer is likely to be.
            is_change: replicas are to have what it changed.
            tells_split: answer ``ErrorReply.SPLIT`` where its keys are at two nodes for now.

        Raises:
            StoreClosed: the client was closed.
        """
        if self._closed:
            self.check_open()
        packed = Opaque(pack(words))
        route = SlotRoute(slot, tells_split, is_large or len(packed) >= LARGE)
        if is_change and self._endpoint.acks:
            route.is_acked = True
            return Ask(
                what,
                partial(self._block, packed, repeat, route),
                partial(self._wait_acked, packed, repeat, route),
            )
        node = self._nodes.owners[slot]
        submit = self._submit if node is None else node.submit
        return Ask(
            what,
            partial(self._block, packed, repeat, route),
            partial(submit, packed, repeat, route),
        )

    def ask_at(self, place: Place, what: str, *words: str | bytes | float, **how: Any) -> Ask[Any]:
        """Return the Ask for one command to one node, and no other.

        Args:
            place: of the node.
            what: as of ``RedisClient.ask``, and so are the others.
            words: the command.
            how: as of ``RedisClient.ask``.
        """
        return self.at(place).ask(what, *words, **how)

    def at(self, place: Place) -> RedisClient:
        """Return the client of one node; it is closed with this one.

        Raises:
            StoreClosed: the client was closed.
        """
        self.check_open()
        return self._nodes.node_at(place)

    async def slot_map(self) -> SlotMap:
        """Return where the slots are; the cluster is asked now."""
        return await self._ask_for_map()

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

    def _ask_for_map(self) -> Ask[SlotMap]:
        self.check_open()
        return Ask("redis CLUSTER SLOTS", self._look, self._look_on_loop)

    def _look(self) -> SlotMap:
        try:
            return self._nodes.look(system.timer() + self._endpoint.timeout, force=True)
        except NoMapError as error:
            failure = self._nodes.failure(error)
        raise failure

    async def _look_on_loop(self) -> SlotMap:
        try:
            return await self._rerouter().look()
        except NoMapError as error:
            failure = self._nodes.failure(error)
        raise failure

    def _block(self, packed: Opaque, repeat: Repeat, route: SlotRoute) -> Any:
        deadline = system.timer() + self._endpoint.timeout
        return Attempts(self._nodes, packed, repeat, route, deadline).finish()

    def _submit(self, packed: Opaque, repeat: Repeat, route: SlotRoute) -> Waiter:
        """Submit a command whose node is not known, or that has a WAIT behind it."""
        loop = asyncio.get_running_loop()
        waiter: Waiter = loop.create_future()
        command = Command(packed, waiter, loop.time() + self._endpoint.timeout, repeat, route)
        self._rerouter().dispatch(command)
        return waiter

    async def _wait_acked(self, packed: Opaque, repeat: Repeat, route: SlotRoute) -> Any:
        """Wait for the reply, and then for the replicas of the node that gave it."""
        reply = await self._submit(packed, repeat, route)
        if isinstance(reply, ErrorReply) or route.acks is None:  # nothing was changed
            return reply
        count = await route.acks
        try:
            self._endpoint.check_acks(count)
        except TimeoutError as error:
            failure = self._endpoint.failure(error)
        else:
            return reply
        raise failure

    def _rescue(self, node: ClusterNode, command: Command, error: Exception) -> bool:
        return self._rerouter().rescue(node, command, error)

    def _rerouter(self) -> Rerouter:
        """Return the rerouter of the running loop."""
        loop = asyncio.get_running_loop()
        rerouter = self._rerouters.get(loop)
        if rerouter is None:
            forget_closed(self._rerouters)
            rerouter = self._rerouters[loop] = Rerouter(self._nodes, self._endpoint, loop)
        return rerouter

    def _close(self) -> None:
        self._closed = True
        for loop, rerouter in list(self._rerouters.items()):
            with contextlib.suppress(RuntimeError):  # a closed loop has nobody who waits
                loop.call_soon_threadsafe(rerouter.close)
        for node in self._nodes.all():
            node.close().block()

    async def _close_and_wait(self) -> None:
        self._close()
        self._rerouter().close()
        for node in self._nodes.all():
            await node.close_and_wait()
