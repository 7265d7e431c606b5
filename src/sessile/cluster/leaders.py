"""That the nodes lead evenly: each takes over what it lacks, a stream at a time.

Whoever was away comes back leading nothing, and its death would cost more if the others kept all:
a server that leads half of the shards stalls half of the sessions. A leader that is asked to hand
over does so within a tenth of a second; nobody notices.

A node asks for itself alone, so nobody has to be in charge. It takes a stream from whoever leads at
least two more than itself: then both are nearer to each other, and it ends.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import msgspec

from sessile.core.value import Seconds
from sessile.errors import StoreUnavailable
from sessile.wire.nats.endpoint import NatsEndpoint
from sessile.wire.nats.messages import Answer, StreamInfo, StreamNames
from sessile.wire.rounds import Rounds

A = TypeVar("A", bound=Answer)

FIRST: Final[Seconds] = 20.0
"""How long after its start a node takes nothing: it fetches what it has missed."""

PAUSE: Final[Seconds] = 5.0
"""Between two looks, each of which takes one stream at most."""

_TOLD_AFTER: Final = 12  # looks that fail, one after the other: a minute of them
_STREAMS: Final = "SESSILE_"


def stream_to_lead(streams: Mapping[str, StreamInfo], own: str) -> str | None:
    """Name the stream that a node should lead in the place of another one.

    None where all is even, and while a node is away: it may be restarting, and its leads are on
    their way.

    Args:
        streams: by name, those that several nodes hold.
        own: the node's name.
    """
    if any(each.is_away for info in streams.values() for each in info.cluster.replicas):
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


class NodeLeads:
    """Sees to it that one node leads its share.

    Args:
        endpoint: this node's server, and a user who may ask for it.
        name: of the node.
        tell: called with a line for whatever was taken.
    """

    def __init__(
        self, endpoint: NatsEndpoint, name: str, tell: Callable[[str], object] = bool
    ) -> None:
        from sessile.wire.nats.client import NatsClient  # noqa: PLC0415  (its driver is an extra)

        self._client, self._name, self._tell = NatsClient(endpoint), name, tell
        self._failures = 0
        self._rounds = Rounds("sessile leads", self._go, first=FIRST, pause=PAUSE)

    def start(self) -> None:
        """Look now and then, on a thread that nobody waits for."""
        self._rounds.start()

    def stop(self) -> None:
        """Take nothing any more."""
        self._rounds.stop()

    def _go(self) -> None:
        try:
            taken = self.look()
        except StoreUnavailable as error:  # an election, or the server ends
            self._failures += 1
            if self._failures == _TOLD_AFTER:
                self._tell(f"cannot look after who leads what: {error.why}")
            return
        self._failures = 0
        if taken is not None:
            self._tell(f"leads {taken} from now on, so that all lead about as many")

    def look(self) -> str | None:
        """Look once, and take a stream if one is lacking; return its name.

        Raises:
            StoreUnavailable: the server does not answer.
        """
        name = stream_to_lead(self._streams(), self._name)
        if name is None or self._rounds.has_ended:
            return None
        words = msgspec.json.encode({"placement": {"preferred": self._name}})
        told = self._ask(f"STREAM.LEADER.STEPDOWN.{name}", words, Answer)
        return name if told.error is None else None

    def _streams(self) -> dict[str, StreamInfo]:
        """Ask about each stream of sessions that several nodes hold."""
        names: list[str] = []
        while True:
            page = msgspec.json.encode({"offset": len(names)})
            told = self._ask("STREAM.NAMES", page, StreamNames)
            names += told.streams or ()
            if not told.streams or len(names) >= told.total:
                break
        infos = {
            name: self._ask(f"STREAM.INFO.{name}", b"", StreamInfo)
            for name in names
            if name.startswith(_STREAMS)
        }
        return {name: info for name, info in infos.items() if info.cluster.replicas}

    def _ask(self, verb: str, data: bytes, kind: type[A]) -> A:
        """Ask JetStream something; it is asked once, for a look that fails is made again."""
        subject = f"$JS.API.{verb}"
        return self._client.ask(
            "nats leads", lambda lane: lane.ask(subject, data, kind, is_harmless=False)
        ).block()
