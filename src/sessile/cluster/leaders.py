"""That the nodes lead evenly: each takes over what it lacks, a stream at a time.

Whoever was away comes back leading nothing, and its death would cost more if the others kept all:
a server that leads half of the shards stalls half of the sessions. A leader that is asked to hand
over does so within a tenth of a second; nobody notices.

A node asks for itself alone, so nobody has to be in charge. It takes a stream from whoever leads at
least two more than itself: then both are nearer to each other, and it ends.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import msgspec
from nats.errors import Error

from sessile.core.value import Seconds
from sessile.wire.nats.connection import NatsConnection, NoResponders
from sessile.wire.nats.endpoint import NatsEndpoint
from sessile.wire.nats.messages import Answer, Replica, StreamInfo, StreamNames

A = TypeVar("A", bound=Answer)

FIRST: Final[Seconds] = 20.0
"""How long after its start a node takes nothing: it fetches what it has missed."""

PAUSE: Final[Seconds] = 5.0
"""Between two looks, each of which takes one stream at most."""

_LIMIT: Final[Seconds] = 2.0
_MOST_FAILURES: Final = 12  # a minute of them
_FRESH: Final = 2_000_000_000
"""Nanoseconds: a follower says something every second."""

_STREAMS: Final = "SESSILE_"


def wanted_stream(streams: Mapping[str, StreamInfo], own: str) -> str | None:
    """Return the stream that a node should lead instead of another one; None where all is even.

    Nor is there one while a node is away: it may be restarting, and its leads are on their way.

    Args:
        streams: by name, those that several nodes hold.
        own: the node's name.
    """
    if any(_is_away(each) for info in streams.values() for each in info.cluster.replicas):
        return None
    counts = Counter(info.cluster.leader for info in streams.values())
    could = {
        name: counts[info.cluster.leader]
        for name, info in streams.items()
        if info.cluster.leader and _follows(info, own)
    }
    most = max(could.values(), default=0)
    if most < counts[own] + 2:
        return None
    return min(name for name, count in could.items() if count == most)


def _follows(info: StreamInfo, own: str) -> bool:
    return any(each.name == own and each.current for each in info.cluster.replicas)


def _is_away(follower: Replica) -> bool:
    return follower.offline or follower.active > _FRESH


class NodeLeads:
    """Sees to it that one node leads its share.

    Args:
        endpoint: this node's server, and a user who may ask for it.
        name: of the node.
        first: seconds until it looks for the first time.
        pause: seconds between two looks.
        tell: called with a line for whatever was taken.
    """

    def __init__(
        self,
        endpoint: NatsEndpoint,
        name: str,
        *,
        first: Seconds = FIRST,
        pause: Seconds = PAUSE,
        tell: Callable[[str], object] = bool,
    ) -> None:
        self._endpoint, self._name, self._tell = endpoint, name, tell
        self._first, self._pause = first, pause
        self._ended = threading.Event()

    def start(self) -> None:
        """Look now and then, on a thread that nobody waits for."""
        threading.Thread(target=self._run, name="sessile leads", daemon=True).start()

    def stop(self) -> None:
        """Take nothing any more."""
        self._ended.set()

    def _run(self) -> None:
        wait, failures = self._first, 0
        while not self._ended.wait(wait):
            wait = self._pause
            try:
                taken = self.look()
            except (OSError, Error, NoResponders, msgspec.MsgspecError) as error:
                failures += 1  # an election, or the server ends: the next look may be better
                if failures == _MOST_FAILURES:
                    why = str(error) or type(error).__name__
                    self._tell(f"cannot look after who leads what: {why}")
                continue
            failures = 0
            if taken is not None:
                self._tell(f"leads {taken} from now on, so that all lead about as many")

    def look(self) -> str | None:
        """Look once; return the stream that was taken, if one was.

        Raises:
            OSError: the server is not there.
            NoResponders: it has no leader.
        """
        return asyncio.run(self._look())

    async def _look(self) -> str | None:
        connection = await NatsConnection.open(self._endpoint, self._endpoint.hosts[0])
        try:
            streams = await self._streams(connection)
            name = wanted_stream(streams, self._name)
            if name is None or self._ended.is_set():
                return None
            words = {"placement": {"preferred": self._name}}
            subject = f"STREAM.LEADER.STEPDOWN.{name}"
            told = await _ask(connection, subject, msgspec.json.encode(words), Answer)
            return name if told.error is None else None
        finally:
            await connection.close()

    async def _streams(self, connection: NatsConnection) -> dict[str, StreamInfo]:
        """Return what is told of each stream of sessions that several nodes hold."""
        told = await _ask(connection, "STREAM.NAMES", b"", StreamNames)
        found = {}
        for name in told.streams or ():
            if name.startswith(_STREAMS):
                info = await _ask(connection, f"STREAM.INFO.{name}", b"", StreamInfo)
                if info.cluster.replicas:
                    found[name] = info
        return found


async def _ask(connection: NatsConnection, verb: str, data: bytes, kind: type[A]) -> A:
    told = await connection.ask(f"$JS.API.{verb}", data, None, _LIMIT)
    return msgspec.json.decode(told.data, type=kind)
