"""What an event loop's commands to a Redis Cluster do after a node did not perform them.

A command keeps its future and its deadline, and only goes to another node's pipeline: who waits
for it sees nothing of that, and a command that is performed at once pays nothing for it. A task
runs while slots are looked for, and none else. ``redis.attempts`` does the same for threads.
"""

import asyncio
from typing import Final, cast

from sessile.core.value import Seconds
from sessile.errors import StoreClosed, StoreUnavailable
from sessile.wire.commands.connection import Command, Waiter
from sessile.wire.commands.repeat import Repeated
from sessile.wire.redis.attempts import HOPS, PAUSE
from sessile.wire.redis.endpoint import Endpoint, ErrorReply
from sessile.wire.redis.node import ClusterNode
from sessile.wire.redis.nodes import CLUSTER_SLOTS, ClusterNodes
from sessile.wire.redis.redirection import NextStep, NoMapError, parse_redirection, step_after
from sessile.wire.redis.slot_route import SlotRoute
from sessile.wire.redis.slots import SlotMap

_BUSY_LOOP_ALLOWANCE: Final[Seconds] = 0.02  # a pipeline has its own; it says which node is silent


class Rerouter:
    """One event loop's commands that go from node to node.

    Args:
        nodes: of the cluster.
        endpoint: the cluster.
        loop: the running loop; every method is called on it.
    """

    def __init__(
        self, nodes: ClusterNodes, endpoint: Endpoint, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._nodes = nodes
        self._endpoint = endpoint
        self._loop = loop
        self._parked: list[Command] = []  # until there is a new map
        self._is_wanted = False  # a new map, also if nobody is parked
        self._looking: asyncio.Task[None] | None = None
        self._no_map: NoMapError | None = None  # what came of the last look
        self._closed = False

    def dispatch(self, command: Command) -> None:
        """Send a command to the node that has its slot, as soon as that is known."""
        node = self._nodes.owners[cast("SlotRoute", command.route).slot]
        if command.waiter.done():
            return
        if node is None:
            self._park(command)
        else:
            node.add(command)

    def rescue(self, node: ClusterNode, command: Command, error: Exception) -> bool:
        """Take over a command that a node did not perform; false leaves it to fail."""
        step, route = step_after(error), cast("SlotRoute", command.route)
        is_late = command.deadline <= self._loop.time()
        if isinstance(error, OSError):
            node.is_doubtful = True
        if command.waiter.done():  # whoever asked went away
            return True
        if step is NextStep.FAIL or (is_late and isinstance(error, TimeoutError)):
            self._want_map()
            return False
        if step is NextStep.SPLIT and route.tells_split:
            reply = ErrorReply.SPLIT
            command.waiter.set_result(Repeated(reply) if command.is_told else reply)
            return True
        self._watch(command)
        is_sent_on = step in (NextStep.MOVED, NextStep.ASK) and route.hops < HOPS
        route.cause = None if is_sent_on else node.outage(error, route.slot)
        if is_late:
            self._fail(command)
        elif step is NextStep.SPLIT:
            self._loop.call_later(PAUSE, self.dispatch, command)
        elif step is NextStep.LOOK:
            self._park(command)
        else:
            self._follow(node, command, step, str(error))
        return True

    async def look(self) -> SlotMap:
        """Ask where the slots are.

        One node after the other, each a little later than the one before, until one has told.

        Raises:
            NoMapError: nobody tells it in time.
        """
        candidates = iter(self._nodes.candidates())
        end = self._loop.time() + self._endpoint.timeout
        asked: dict[Waiter, ClusterNode] = {}
        refusals: list[tuple[ClusterNode, BaseException]] = []
        try:
            while (node := next(candidates, None)) is not None or asked:
                if node is not None:
                    asked[node.submit_alone(CLUSTER_SLOTS)] = node
                left = end - self._loop.time()
                within = left if node is None else min(left, self._endpoint.timeout / 8)
                done, _ = await asyncio.wait(
                    asked, timeout=within, return_when=asyncio.FIRST_COMPLETED
                )
                if not done and node is None:
                    break
                for waiter in done:
                    told_by = asked.pop(waiter)
                    try:
                        return self._nodes.read(waiter.result(), told_by)
                    except (StoreUnavailable, ConnectionError) as error:
                        told_by.is_doubtful = True
                        refusals.append((told_by, error))
        finally:
            for waiter in asked:
                waiter.cancel()
        late = TimeoutError(self._endpoint.timeout_message())
        raise self._nodes.no_map([*refusals, *((node, late) for node in asked.values())])

    def close(self) -> None:
        """Send nothing any more; whoever waits gets ``StoreClosed``."""
        self._closed = True
        if self._looking is not None:
            self._looking.cancel()
        parked, self._parked = self._parked, []
        for command in parked:
            if not command.waiter.done():
                command.waiter.set_exception(StoreClosed("Redis store"))

    def _follow(self, node: ClusterNode, command: Command, step: NextStep, text: str) -> None:
        """Send a command where a node says."""
        route = cast("SlotRoute", command.route)
        route.hops += 1
        try:
            place = parse_redirection(text, route.slot, node.place)
            if step is NextStep.MOVED:
                other = self._nodes.learn(route.slot, place)
                self._want_map()
            else:
                other = self._nodes.node_at(place)
        except ConnectionError as error:
            command.waiter.set_exception(node.failure(error))
            return
        if route.hops % HOPS:
            other.add(command, is_asking=step is NextStep.ASK)
        else:
            self._loop.call_later(PAUSE, self.dispatch, command)

    def _park(self, command: Command) -> None:
        if self._closed:
            command.waiter.set_exception(StoreClosed("Redis store"))
            return
        self._watch(command)
        self._parked.append(command)
        self._want_map()

    def _want_map(self) -> None:
        self._is_wanted = True
        if self._looking is None and not self._closed:
            self._looking = self._loop.create_task(self._look_while_wanted())

    async def _look_while_wanted(self) -> None:
        try:
            while self._is_wanted:
                self._is_wanted = False
                try:
                    await self.look()
                    self._no_map = None
                except NoMapError as error:
                    self._note(error)
                parked, self._parked = self._parked, []
                for command in parked:
                    self.dispatch(command)
                await asyncio.sleep(PAUSE)
        finally:
            self._looking = None

    def _note(self, error: NoMapError) -> None:
        """Have those who wait for a map hear, in the end or at once, why there is none."""
        self._no_map = error
        for command in self._parked if error.is_lasting else ():
            if self._nodes.owners[cast("SlotRoute", command.route).slot] is None:
                self._fail(command)

    def _watch(self, command: Command) -> None:
        """Fail a command at its deadline, wherever it is."""
        route = cast("SlotRoute", command.route)
        if route.is_watched:
            return
        route.is_watched = True
        late = command.deadline + _BUSY_LOOP_ALLOWANCE
        timer = self._loop.call_at(late, self._fail, command)
        command.waiter.add_done_callback(lambda _: timer.cancel())

    def _fail(self, command: Command) -> None:
        if not command.waiter.done():
            command.waiter.set_exception(self._outage(cast("SlotRoute", command.route)))

    def _outage(self, route: SlotRoute) -> StoreUnavailable:
        """Return the error for what was asked again until its time was over."""
        if self._no_map is not None:
            return self._nodes.failure(self._no_map)
        if route.cause is not None:
            return route.cause
        if self._nodes.owners[route.slot] is None:
            return self._nodes.no_owner(route.slot)
        return self._nodes.failure(TimeoutError(self._endpoint.timeout_message()))
