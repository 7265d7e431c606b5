"""``replicated://``: every server has every session in its memory; NATS keeps them all in step.

A read takes no trip. A write is acknowledged by a majority of the servers of NATS, as with
``nats://``, and told to all the others. ``stores.mirror`` says when what is here is good.
"""

from typing import ClassVar

from sessile.stores.contract import Capability
from sessile.stores.mirror import MirrorStore
from sessile.stores.nats import NatsStore
from sessile.wire.feed.log import FeedLog


class ReplicatedStore(MirrorStore):
    """A mirror of a stream of NATS."""

    capabilities: ClassVar[Capability] = NatsStore.capabilities | Capability.COPIES  # type: ignore[misc]

    @classmethod
    def from_url(cls, url: str) -> "ReplicatedStore":
        """Return the store of ``replicated://one:4222,two,three/bucket``, or ``replicated+tls``.

        Options are those of ``nats://``.
        """
        store = NatsStore.from_url(url)
        return cls(store, tell=FeedLog(store.name))
