"""Which of the servers of NATS have a session, as they say themselves."""

from collections.abc import Iterable

from sessile.stores.placement import CopyState, Placement
from sessile.wire.nats.messages import Replica, StreamInfo


def placement_of(name: str, info: StreamInfo, others: Iterable[StreamInfo] = ()) -> Placement:
    """Return where the sessions of a stream are.

    Args:
        name: of the stream.
        info: what was told of it.
        others: of its bucket's other shards, whose servers it may not be on.
    """
    backups = {one.name: copy_state(one) for one in info.cluster.replicas}
    own = {info.cluster.leader, *backups}
    servers = {server for other in others for server in _servers(other)}
    return Placement(name, info.cluster.leader, backups, tuple(sorted(servers - own)))


def _servers(info: StreamInfo) -> set[str]:
    return {info.cluster.leader, *(one.name for one in info.cluster.replicas)} - {""}


def copy_state(replica: Replica) -> CopyState:
    """Return how the copy of a server is that follows."""
    if replica.is_away:
        return CopyState.AWAY
    return CopyState.CURRENT if replica.current else CopyState.BEHIND
