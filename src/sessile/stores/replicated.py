"""``replicated://``: every host has every session in its memory; NATS keeps them all in step.

A read takes no trip. A write is acknowledged by a majority of the servers of NATS, as with
``nats://``, and told to all the others. ``stores.mirror`` says when what is here is good.
"""

from pathlib import Path
from typing import ClassVar

from sessile.errors import MissingExtra
from sessile.stores.contract import Capability
from sessile.stores.memory_mirror import MemoryMirror, Mirror
from sessile.stores.mirror import MOST_OPENED, MOST_OPENED_OF_HOST, MirrorStore
from sessile.stores.nats import NatsStore
from sessile.stores.nats_url import MirrorScope, NatsPlace, place_of
from sessile.wire.feed.log import FeedLog


class ReplicatedStore(MirrorStore):
    """A mirror of a stream of NATS."""

    capabilities: ClassVar[Capability] = NatsStore.capabilities | Capability.COPIES  # type: ignore[misc]

    @classmethod
    def from_url(cls, url: str) -> "ReplicatedStore":
        """Return the store of ``replicated://one:4222,two,three/bucket``, or ``replicated+tls``.

        Options: ``mirror``, which is ``process`` or ``host``, and those of ``nats://``.
        """
        place = place_of(url)
        store = NatsStore(place)
        most = MOST_OPENED if place.mirror is MirrorScope.PROCESS else MOST_OPENED_OF_HOST
        return cls(store, mirror_of(place), most=most, tell=FeedLog(store.name))


def mirror_of(place: NatsPlace) -> Mirror:
    """Return the mirror of a place, empty or as other processes have it.

    Raises:
        MissingExtra: one for a host takes LMDB.
    """
    if place.mirror is MirrorScope.PROCESS:
        return MemoryMirror()
    try:
        from sessile.stores.host_mirror import HostMirror  # noqa: PLC0415  (it imports the driver)
    except ModuleNotFoundError as error:
        raise MissingExtra("mirror=host", "lmdb") from error
    endpoint = place.endpoint
    tls = endpoint.tls
    files = (endpoint.credentials, *((tls.ca, tls.cert, tls.key) if tls else ()))
    identity = [None if each is None else str(Path(each).resolve()) for each in files]
    whose = (endpoint.hosts, endpoint.username, identity, place.stream)
    return HostMirror(repr(whose), endpoint.name)
