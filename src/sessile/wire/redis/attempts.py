"""A thread's command to a Redis Cluster: one node after the other, until one performs it.

``redis.reroute`` does the same on event loops.
"""

import time
from typing import Any, Final

from sessile.core.value import Seconds
from sessile.errors import StoreUnavailable
from sessile.wire import system
from sessile.wire.commands.repeat import Repeat, Repeated
from sessile.wire.commands.server import CommandError
from sessile.wire.opaque import Opaque
from sessile.wire.redis.endpoint import ErrorReply
from sessile.wire.redis.node import ClusterNode
from sessile.wire.redis.nodes import ClusterNodes
from sessile.wire.redis.redirection import (
    NextStep,
    NoMapError,
    UnreachableError,
    parse_redirection,
    step_after,
)
from sessile.wire.redis.slot_route import SlotRoute

PAUSE: Final[Seconds] = 0.05
"""Before a node is asked once more for what it did not perform."""

HOPS: Final = 5
"""Redirections that are followed at once; then there is a pause, for nodes that disagree."""


class Attempts:
    """One command, from its first node to the one that performs it.

    Args:
        nodes: of the cluster.
        packed: the command.
        repeat: whether it is sent once more where its connection was given up.
        route: its slot.
        deadline: of all attempts, looks and pauses together; on the machine's timer.
    """

    __slots__ = (
        "_cause",
        "_deadline",
        "_is_asking",
        "_is_told",
        "_node",
        "_nodes",
        "_packed",
        "_repeat",
        "_route",
    )

    def __init__(
        self,
        nodes: ClusterNodes,
        packed: Opaque,
        repeat: Repeat,
        route: SlotRoute,
        deadline: Seconds,
    ) -> None:
        self._nodes = nodes
        self._packed = packed
        self._repeat, self._is_told = repeat, False
        self._route = route
        self._deadline = deadline
        self._is_asking = False
        self._cause: StoreUnavailable | None = None
        self._node: ClusterNode | None = None

    def finish(self) -> Any:
        """Return the reply.

        Raises:
            StoreUnavailable: no node performed it in time, or nobody knows whether one did.
        """
        if self._nodes.is_stale:
            failure = self._look()
        else:
            self._node, failure = self._nodes.owners[self._route.slot], None
        while failure is None:
            if self._node is None:
                failure = self._look_again()
                continue
            try:
                reply = self._ask(self._node)
            except (CommandError, OSError) as error:
                failure = self._recover(self._node, error)
            else:
                return Repeated(reply) if self._is_told else reply
        raise failure

    def _ask(self, node: ClusterNode) -> Any:
        doubts = self._repeat is not Repeat.NEVER
        try:
            return node.perform(
                self._packed,
                self._deadline,
                doubts=doubts,
                is_asking=self._is_asking,
                is_acked=self._route.is_acked,
            )
        except CommandError as error:
            if self._route.tells_split and step_after(error) is NextStep.SPLIT:
                return ErrorReply.SPLIT
            raise

    def _recover(self, node: ClusterNode, error: CommandError | OSError) -> StoreUnavailable | None:
        """Prepare the next attempt; return the error if there is none."""
        if isinstance(error, OSError):
            node.is_doubtful = self._nodes.is_stale = True
            if not isinstance(error, UnreachableError):
                return self._repeat_once(node, error)
        step = step_after(error)
        if step is NextStep.FAIL:
            return node.failure(error)
        self._cause = node.outage(error, self._route.slot)
        if step in (NextStep.MOVED, NextStep.ASK):
            return self._follow(node, step, str(error))
        if step is NextStep.LOOK:
            return self._look_again()
        self._is_asking, self._node = False, self._nodes.owners[self._route.slot]
        return self._pause()

    def _repeat_once(self, node: ClusterNode, error: OSError) -> StoreUnavailable | None:
        """Have a command sent once more whose connection broke, if it may be."""
        if self._repeat is Repeat.NEVER or not isinstance(error, ConnectionError):
            return node.failure(error)
        self._is_told = self._repeat is Repeat.TOLD
        self._repeat = Repeat.NEVER
        return None

    def _follow(self, node: ClusterNode, step: NextStep, text: str) -> StoreUnavailable | None:
        """Go where a node sends us."""
        slot = self._route.slot
        try:
            place = parse_redirection(text, slot, node.place)
            learns = step is NextStep.MOVED
            self._node = self._nodes.learn(slot, place) if learns else self._nodes.node_at(place)
        except ConnectionError as error:
            return node.failure(error)
        self._is_asking = step is NextStep.ASK
        self._route.hops += 1
        return None if self._route.hops % HOPS else self._pause()

    def _look_again(self) -> StoreUnavailable | None:
        """Look where the slot is now; pause if it is where it was."""
        before = self._node
        failure = self._look()
        if failure is None and self._node is before:
            failure = self._pause()
        return failure

    def _look(self) -> StoreUnavailable | None:
        """Look where the slot is; without a new map the old one has to do."""
        self._is_asking = False
        failure = None
        try:
            self._nodes.look(self._deadline)
        except NoMapError as error:
            failure = self._nodes.failure(error)
            self._cause = failure
            if not error.is_lasting:
                failure = None
        self._node = self._nodes.owners[self._route.slot]
        return failure if self._node is None else None

    def _pause(self) -> StoreUnavailable | None:
        """Pause; return the error if no time is left after it."""
        left = self._deadline - system.timer()
        time.sleep(max(0.0, min(PAUSE, left)))
        if left > PAUSE:
            return None
        return self._cause or self._nodes.no_owner(self._route.slot)
