"""Which keys of a Redis Cluster are changed: client tracking at every node that may change one.

A round asks each of them CLUSTER NODES. Its answer is a heartbeat, as that to a PING is of one
server (``redis.tracking``): it comes in a later turn than that of the round before, so all that was
changed before the round *before* was asked has been told. And it says who has which slot, by the
node's own lights. A round vouches only if

- every node has answered it that has slots, or is being handed one,
- they agree who has which slot, and all take each other to be well: before a replica takes over
  most primaries hold its own for dead, so none of them speaks for one that was replaced,
- each of them was asked in the round before, too.

Where slots have moved nobody knows what was changed at the new node before it was heard. So the
slots are named, once the node is heard; and they are before the round vouches for anything. A slot
that went and came back in between has an owner of another epoch.
"""

import selectors
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from sessile.core.flow import run
from sessile.core.value import Seconds
from sessile.wire.commands.server import CommandError
from sessile.wire.feed.connection import BEAT
from sessile.wire.opaque import Opaque
from sessile.wire.redis.cluster import ClusterClient
from sessile.wire.redis.cluster_view import ClusterView, Topology, agree, parse_view
from sessile.wire.redis.endpoint import Endpoint
from sessile.wire.redis.resp import pack
from sessile.wire.redis.slots import Place
from sessile.wire.redis.tracking import Invalidation, InvalidationConnection

_NODES: Final = Opaque(pack(("CLUSTER", "NODES")))

_READ: Final[Seconds] = 0.01  # for the rest of what a node has begun to say

_NO_AGREEMENT: Final = (
    "its nodes do not agree who has which slot, or one that has slots is ill; see CLUSTER NODES at "
    "each of them"
)

DISAGREEMENT: Final[Seconds] = 5.0
"""How long rounds may come to nothing, though all are answered, before the connections are given
up: gossip takes a second, and a replica that takes over a few."""


class ClusterNews(msgspec.Struct, frozen=True):
    """What was told.

    Attributes:
        names: of keys that were changed; None where any may have been.
        slots: whose keys may all have been changed.
        as_of: whatever was changed before then has been told; None where nothing newer is known.
    """

    names: list[bytes] | None
    slots: frozenset[int] = frozenset()
    as_of: Seconds | None = None


class ClusterTracking:
    """Hears of the keys with a prefix, wherever they are.

    Args:
        client: of the cluster.
        endpoint: the cluster.
        prefix: what the keys begin with.
        timer: seconds by a clock that never runs backwards.

    Raises:
        StoreUnavailable: a node cannot be reached, or refuses; or they do not agree.
    """

    def __init__(
        self,
        client: ClusterClient,
        endpoint: Endpoint,
        prefix: str,
        timer: Callable[[], Seconds],
    ) -> None:
        self._client, self._endpoint = client, endpoint
        self._prefix, self._timer = prefix, timer
        self._connections: dict[Place, InvalidationConnection] = {}
        self._views: dict[Place, ClusterView] = {}  # of those that have answered this round
        self._asked: Seconds | None = None  # when this round was; None for no round of these nodes
        self._before: Seconds | None = None  # and the one before it
        self._is_open = False  # whether somebody has yet to answer
        self._topology: Topology | None = None  # that of the last round that all agreed in
        self._agreed = timer()  # when that was
        try:
            self._connect(run(client.slot_map()).primaries)
            while self._topology is None:
                self.wait(BEAT)
        except BaseException:
            self.close()
            raise

    def wait(self, seconds: Seconds) -> ClusterNews:
        """Wait for something new, so long at most.

        Raises:
            StoreUnavailable: something may have been missed; this is of no more use.
        """
        if not self._is_open and self._rest <= 0:
            self._ask()
        names: list[bytes] | None = []
        for place in self._find_ready(seconds if self._is_open else min(seconds, self._rest)):
            for said in self._receive(place):
                names = None if names is None or said is None else [*names, *said]
        if not self._is_open:
            return ClusterNews(names)
        if len(self._views) == len(self._connections):
            self._is_open = False
            return self._conclude(names)
        self._check_time()
        return ClusterNews(names)

    def close(self) -> None:
        """Close every connection. Harmless when repeated."""
        for connection in list(self._connections.values()):
            connection.close()

    @property
    def _rest(self) -> Seconds:
        """The seconds until the next round is due."""
        return 0.0 if self._asked is None else self._asked + BEAT - self._timer()

    def _ask(self) -> None:
        """Begin a round."""
        self._views.clear()
        self._before, self._asked, self._is_open = self._asked, self._timer(), True
        for connection in self._connections.values():
            try:
                connection.send(_NODES)
            except OSError as error:
                failure = connection.endpoint.failure(error)
            else:
                continue
            raise failure

    def _find_ready(self, seconds: Seconds) -> list[Place]:
        """Return who has said something, once there is one, and after so many seconds at most."""
        with selectors.DefaultSelector() as selector:
            for place, connection in self._connections.items():
                selector.register(connection, selectors.EVENT_READ, place)
            return [key.data for key, _ in selector.select(max(0.0, seconds))]

    def _receive(self, place: Place) -> Iterator[list[bytes] | None]:
        """Yield what a node names, for as long as there is more of it; and keep its view."""
        connection = self._connections[place]
        until = self._timer() + _READ
        try:
            while True:
                said = connection.receive(until)
                until = 0.0  # what is here already, and no more
                if isinstance(said, Invalidation):
                    yield said.names
                else:
                    self._views[place] = parse_view(said, place)
        except TimeoutError:
            return
        except (CommandError, OSError) as error:
            failure = connection.endpoint.failure(error)
        raise failure

    def _check_time(self) -> None:
        """Do nothing unless a node has been silent for too long."""
        assert self._asked is not None
        if self._timer() <= self._asked + self._endpoint.timeout:
            return
        silent = (self._connections[place] for place in self._connections.keys() - self._views)
        endpoint = next(silent).endpoint
        raise endpoint.failure(TimeoutError(endpoint.timeout_message()))

    def _conclude(self, names: list[bytes] | None) -> ClusterNews:
        """Judge a round that all have answered; return the news of it."""
        found, now = agree(self._views.values()), self._timer()
        if found is None:
            if now > self._agreed + DISAGREEMENT:
                raise self._endpoint.failure(ConnectionError(_NO_AGREEMENT))
            return ClusterNews(names)
        self._agreed = now
        if not found.ids <= {view.id for view in self._views.values()}:
            self._connect(run(self._client.slot_map()).primaries)
            return ClusterNews(names)
        if not found.targets <= self._connections.keys():
            self._connect(found.targets)
            return ClusterNews(names)
        before, self._topology = self._topology, found
        self._leave_others(found)
        slots = frozenset[int]() if before in (None, found) else found.find_moves(before)
        return ClusterNews(names, slots, self._before)

    def _connect(self, places: Iterable[Place]) -> None:
        """Connect to whoever is not; then no round vouches that was asked before."""
        for place in places:
            if place not in self._connections:
                client = self._client.at(place)
                self._connections[place] = client.track(self._prefix, self._timer)
                self._asked = None

    def _leave_others(self, topology: Topology) -> None:
        """Close the connections to those that change no keys now."""
        for place, view in self._views.items():
            if view.id not in topology.ids and place not in topology.targets:
                self._connections.pop(place).close()
