"""The nodes of a Redis Cluster as this process knows them, and which of them has which slot.

Threads and loops share them. A map of the slots takes the place of the one before as a whole; what
a node says of a single slot in between is noted in it.
"""

import dataclasses
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

from sessile.core.value import Seconds
from sessile.errors import StoreUnavailable
from sessile.wire import system
from sessile.wire.commands.server import CommandError
from sessile.wire.opaque import Opaque
from sessile.wire.redis.endpoint import Endpoint
from sessile.wire.redis.node import ClusterNode, NodeRescue
from sessile.wire.redis.redirection import NextStep, NoMapError, step_after
from sessile.wire.redis.resp import pack
from sessile.wire.redis.slots import MOST_NODES, SLOTS, Place, SlotMap, parse_slots

CLUSTER_SLOTS: Final = Opaque(pack(("CLUSTER", "SLOTS")))
_MOST_ASKED: Final = 8  # nodes that one look at the slots asks
_OF_THE_MAP: Final = 5  # of those

_NO_CLUSTER: Final = "cluster support disabled"
"""What a server says that is alone."""


class ClusterNodes:
    """All nodes, and the owner of each slot.

    Args:
        endpoint: the cluster.
        rescue: as of a node.
        lookup: as of a node.
        timer: seconds by a clock that never runs backwards.

    Attributes:
        owners: the node of each slot; None where nobody is known. Replaced as a whole.
        is_stale: something says that slots are elsewhere; the next one to ask looks first.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        rescue: NodeRescue,
        *,
        lookup: Callable[..., Any],
        timer: Callable[[], Seconds] = system.timer,
    ) -> None:
        self.owners: list[ClusterNode | None] = [None] * SLOTS
        self.is_stale = True
        self._endpoint = endpoint
        self._seeds = endpoint.cluster or ()
        self._rescue, self._lookup, self._timer = rescue, lookup, timer
        self._map = SlotMap(())
        self._nodes: dict[Place, ClusterNode] = {}
        self._leaving: dict[Place, tuple[Seconds, ClusterNode]] = {}
        self._mover: Place | None = None  # named by a redirection: it knows of the move
        self._turn = 0
        self._begin_process()

    def node_at(self, place: Place) -> ClusterNode:
        """Return the client of a node.

        Raises:
            ConnectionError: there are more of them than a cluster has.
        """
        node = self._nodes.get(place)
        if node is not None:
            return node
        self._check_process()
        with self._lock:
            node = self._nodes.get(place)
            if node is None and place in self._leaving:
                _, node = self._leaving.pop(place)
                self._nodes[place] = node
            if node is None:
                if len(self._nodes) + len(self._leaving) >= 2 * MOST_NODES:
                    raise ConnectionError("redirections name more nodes than a cluster has")
                host, port = place
                endpoint = dataclasses.replace(self._endpoint, host=host, port=port, is_node=True)
                node = self._nodes[place] = ClusterNode(endpoint, self._rescue, lookup=self._lookup)
        return node

    def learn(self, slot: int, place: Place) -> ClusterNode:
        """Note that a slot has moved; return its node."""
        node = self.node_at(place)
        self.owners[slot], self._mover, self.is_stale = node, place, True
        return node

    def adopt(self, found: SlotMap, told_by: ClusterNode) -> None:
        """Use a map from here on, and leave the nodes that it does not name."""
        self._check_process()
        told_by.is_doubtful = self.is_stale = False
        self._mover = None
        self._leave_others({*found.primaries, *found.replicas, told_by.place})
        owners: list[ClusterNode | None] = [None] * SLOTS
        for first, last, place in found.ranges:
            owners[first : last + 1] = [self.node_at(place)] * (last + 1 - first)
        self._map, self.owners = found, owners

    def candidates(self) -> list[ClusterNode]:
        """Return whom to ask where the slots are, the likeliest to know and to answer first.

        Each look begins with another one, for one that is cut off from the others knows no better.
        """
        self._turn += 1
        known = _rotate((*self._map.primaries, *self._map.replicas), self._turn)
        known.sort(key=self._doubts)
        mover = [] if self._mover is None else [self._mover]
        places = dict.fromkeys((*mover, *known[:_OF_THE_MAP], *_rotate(self._seeds, self._turn)))
        chosen = sorted(places, key=self._doubts)[:_MOST_ASKED]
        return [self.node_at(place) for place in chosen]

    def look(self, deadline: Seconds, *, force: bool = False) -> SlotMap:
        """Ask where the slots are, on this thread; threads that ask at once share the answer.

        Args:
            deadline: on the timer.
            force: ask, also if another thread did meanwhile.

        Raises:
            NoMapError: nobody tells it in time.
        """
        self._check_process()
        before = self._map
        if not self._looking.acquire(timeout=max(0.0, deadline - self._timer())):
            raise NoMapError("nobody told in time where the slots are")
        try:
            if self._map is not before and not self.is_stale and not force:
                return self._map
            return self._ask_candidates(deadline)
        finally:
            self._looking.release()

    def all(self) -> list[ClusterNode]:
        """Return every node that has a client, those that are left included."""
        return [*self._nodes.values(), *(node for _, node in self._leaving.values())]

    def _check_process(self) -> None:
        """Begin anew after a fork: a lock may be held by a thread that is the parent's alone."""
        if self._pid != os.getpid():
            self._begin_process()

    def _begin_process(self) -> None:
        self._pid = os.getpid()
        self._lock, self._looking = threading.Lock(), threading.Lock()

    def _ask_candidates(self, deadline: Seconds) -> SlotMap:
        refusals: list[tuple[ClusterNode, BaseException]] = []
        candidates = self.candidates()
        for node in candidates:
            now = self._timer()
            # one that is silent must not take the others' time; the last one may have it all
            share = deadline - now if node is candidates[-1] else (deadline - now) / 3
            try:
                reply = node.perform(CLUSTER_SLOTS, now + share)
                return self.read(reply, node)
            except (CommandError, OSError) as error:
                node.is_doubtful = True
                refusals.append((node, error))
        raise self.no_map(refusals)

    def read(self, reply: Any, node: ClusterNode) -> SlotMap:
        """Adopt the map that a node answered, and return it.

        Raises:
            ConnectionError: it is none.
        """
        found = parse_slots(reply, node.place)
        self.adopt(found, node)
        return found

    def no_map(self, refusals: Iterable[tuple[ClusterNode, BaseException]]) -> NoMapError:
        """Return the error for what the nodes said instead of a map."""
        said, lasts = [], True
        for node, error in refusals:
            failure = node.failure(error)
            is_alone = _NO_CLUSTER in failure.why
            said.append(
                f"{node.place[0]}:{node.place[1]} is no node of a cluster; write redis:// for a "
                "server that is alone, rediss:// with TLS"
                if is_alone
                else failure.why
            )
            lasts = lasts and step_after(failure) is NextStep.FAIL
        why = "; ".join(said) or "no time is left"
        message = f"no node of the cluster tells where the slots are ({why})"
        return NoMapError(message, is_lasting=bool(said) and lasts)

    def failure(self, error: BaseException) -> StoreUnavailable:
        """Return the error for what no node is to blame for."""
        return self._endpoint.failure(error)

    def no_owner(self, slot: int) -> StoreUnavailable:
        """Return the error for a slot that nobody has."""
        why = f"no node of the cluster has slot {slot}; see CLUSTER INFO and CLUSTER SLOTS there"
        return StoreUnavailable(self._endpoint.name, why)

    def _doubts(self, place: Place) -> bool:
        node = self._nodes.get(place)
        return node is not None and node.is_doubtful

    def _leave_others(self, named: set[Place]) -> None:
        """Close the nodes that have not been named for so long that nobody waits for them."""
        now = self._timer()
        with self._lock:
            for place in [place for place in self._nodes if place not in named]:
                end = now + 2 * self._endpoint.timeout
                self._leaving[place] = (end, self._nodes.pop(place))
            over = [place for place, (end, _) in self._leaving.items() if end <= now]
            closed = [self._leaving.pop(place)[1] for place in over]
        for node in closed:
            node.close().block()


def _rotate(places: tuple[Place, ...], turn: int) -> list[Place]:
    at = turn % len(places) if places else 0
    return [*places[at:], *places[:at]]
