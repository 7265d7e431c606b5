"""Where sessions are that are dealt out to several streams of NATS: shards. ``stores.backup``.

Each stream has servers of its own: one leads it, some follow, the others have nothing of it. So the
death of a server stalls those shards alone that it leads.

Which shard a session is in is part of what is stored: with another number of shards, or another
way to choose, no session is found. So each stream says of how many it is one, and is refused where
the URL has another number.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from sessile.core.flow import Flow
from sessile.core.ticket import Key
from sessile.stores.nats_rows import NatsRows
from sessile.stores.nats_stream import NatsStream
from sessile.stores.nats_url import NatsPlace, shard_of
from sessile.stores.row import owner_digest
from sessile.wire.nats.client import NatsClient
from sessile.wire.together import together

R = TypeVar("R")


class Shard(NamedTuple):
    """One of the streams.

    Attributes:
        place: its servers and its name.
        stream: asks about it.
        rows: its messages.
    """

    place: NatsPlace
    stream: NatsStream
    rows: NatsRows


class Shards:
    """All of the streams.

    Args:
        client: of their servers.
        place: the bucket, which all of them have in common.

    Attributes:
        all: in the order of their numbers.
    """

    def __init__(self, client: NatsClient, place: NatsPlace) -> None:
        first: NatsStream | None = None
        self.all: list[Shard] = []
        for part in place.parts:
            stream = NatsStream(client, part, first)
            first = first or stream
            self.all.append(Shard(part, stream, NatsRows(stream, part)))

    def of_key(self, key: Key) -> Shard:
        """Return the shard that has a session."""
        return self.all[shard_of(key.encode(), len(self.all))]

    def of_owner(self, owner: str) -> Shard:
        """Return the shard that has an owner's index."""
        return self.all[shard_of(owner_digest(owner), len(self.all))]

    async def each(self, what: str, flow: Callable[[Shard], Flow[R]]) -> Sequence[R]:
        """Finish a flow for each shard, all at once; return the results in their order."""
        flows: list[Callable[[], Flow[Any]]] = [partial(flow, shard) for shard in self.all]
        return await together(f"nats {what}", flows)
