"""How the nodes are, as they answer whoever asks. Pure; ``fleet`` passes it on, a page shows it."""

from enum import Enum
from typing import Final, Self

import msgspec

from sessile.core.ticket import Ticket
from sessile.stores.nats_placement import copy_state
from sessile.stores.nats_url import shard_of
from sessile.wire.nats.messages import StreamInfo

PREFIX: Final = "SESSILE_"
"""What the names of streams begin with; that of the bucket stands behind."""


def _number(stream: str) -> int:
    """Return the number of a shard; 0 where the stream has all sessions of its bucket."""
    _, _, number = stream.rpartition("_")
    return int(number) if number.isdigit() else 0


class NodePhase(Enum):
    """How a node is."""

    UP = "up"
    STARTING = "starting"
    DOWN = "down"


class CopyPhase(Enum):
    """How the copy of a stream is that a node holds, as the stream's leader says."""

    LEADS = "leads"
    CURRENT = "current"
    BEHIND = "behind"
    AWAY = "away"


class CopyStatus(msgspec.Struct, frozen=True):
    """The copy of a stream on one node.

    Attributes:
        node: which one holds it.
        phase: how it is.
        lag: how many messages it lacks.
    """

    node: str
    phase: CopyPhase
    lag: int = 0

    def away(self) -> Self:
        """Return it as one that cannot be reached."""
        return type(self)(self.node, CopyPhase.AWAY, self.lag)

    def follow(self) -> Self:
        """Return it as one that leads no more."""
        is_leader = self.phase is CopyPhase.LEADS
        return type(self)(self.node, CopyPhase.CURRENT if is_leader else self.phase, self.lag)


class StreamStatus(msgspec.Struct, frozen=True):
    """A stream, which has all sessions or a share of them.

    Attributes:
        name: its own.
        leader: the node that leads it; empty while none does.
        copies: in the order of their nodes' names.
        messages: how many there are.
    """

    name: str
    leader: str
    copies: tuple[CopyStatus, ...]
    messages: int

    @classmethod
    def of(cls, info: StreamInfo) -> Self | None:
        """Return the status that a leader tells; None where nobody has told any."""
        leader = info.cluster.leader
        if info.config is None or not leader:
            return None
        copies = [CopyStatus(leader, CopyPhase.LEADS)]
        copies += [
            CopyStatus(one.name, CopyPhase(copy_state(one).value), one.lag)
            for one in info.cluster.replicas
        ]
        copies.sort(key=lambda copy: copy.node)
        return cls(info.config.name, leader, tuple(copies), info.state.messages)

    @property
    def shard(self) -> str:
        """Its name, without what all of them begin with."""
        return self.name.removeprefix(PREFIX)

    @property
    def lag(self) -> int:
        """How many messages the last of its copies lacks."""
        return max((copy.lag for copy in self.copies), default=0)

    def among(self, nodes: frozenset[str], *, is_told: bool) -> Self:
        """Return it as it is while those nodes alone can be reached.

        Args:
            nodes: their names.
            is_told: whether one of them has told it; else it is as it was before.
        """
        copies = [copy if copy.node in nodes else copy.away() for copy in self.copies]
        if not is_told:
            copies = [copy.follow() for copy in copies]
        leader = self.leader if is_told and self.leader in nodes else ""
        return type(self)(self.name, leader, tuple(copies), self.messages)


class NodeStatus(msgspec.Struct, frozen=True):
    """One node.

    Attributes:
        name: its own, and that of its server.
        phase: how it is.
        is_apart: whether the network has parted it from the others.
        leaders: of the streams, as it says itself; none where it hears of none.
    """

    name: str
    phase: NodePhase
    is_apart: bool = False
    leaders: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """What it knows of leaders; nothing while it is not there."""
        if self.phase is not NodePhase.UP:
            return ""
        if not self.leaders:
            return "hears of no leader"
        if self.is_apart:
            return "takes itself for the leader, and can store nothing"
        leaders = sorted(set(self.leaders))
        return f"hears that {' and '.join(leaders)} {'leads' if len(leaders) == 1 else 'lead'}"


class NodesStatus(msgspec.Struct, frozen=True):
    """All nodes, and what they hold.

    Attributes:
        nodes: in the order of their names.
        streams: as the side says that has more nodes.
    """

    nodes: tuple[NodeStatus, ...]
    streams: tuple[StreamStatus, ...]

    @property
    def apart(self) -> str:
        """The node that is parted from the others; empty for none."""
        return next((node.name for node in self.nodes if node.is_apart), "")

    def find(self, name: str) -> NodeStatus | None:
        """Return the node of that name."""
        return next((node for node in self.nodes if node.name == name), None)

    def stream_of(self, ticket: str | None) -> str:
        """Return the name of the stream that a visitor's session is in; empty where he has none."""
        parsed = None if ticket is None else Ticket.parse(ticket)
        if parsed is None or not self.streams:
            return ""
        streams = sorted((stream.name for stream in self.streams), key=_number)
        return streams[shard_of(parsed.key.encode(), len(streams))]

    def can_store(self, server: str) -> bool:
        """Tell whether whatever that server stores finds a leader."""
        return server != self.apart and all(stream.leader for stream in self.streams)
