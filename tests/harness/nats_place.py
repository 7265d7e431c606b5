"""Where a test keeps its sessions on NATS: a bucket of the shared server."""

import itertools
import re
from typing import ClassVar

from harness.nats_server import shared_nats
from sessile.stores.nats import NatsStore
from sessile.stores.replicated import ReplicatedStore
from sessile.testing.clock import T0
from sessile.testing.place import Place

NUMBERS = itertools.count()
PATIENCE = 2.0


class NatsPlace(Place):
    """One bucket, emptied each time. Its neighbour's name begins alike."""

    free: ClassVar = []  # buckets that are empty

    def __init__(self, folder):
        super().__init__(folder)
        self.server = shared_nats()
        self.bucket = (
            self.free.pop() if self.free else f"{type(self).__name__.lower()}{next(NUMBERS)}"
        )

    def url(self, timeout=None, bucket=None):
        """Say what ``Sessions`` is opened with; on a busy machine half a second is no outage."""
        limit = timeout or PATIENCE
        patience = f"timeout={limit}&connect_timeout={limit}"
        return f"{self.server.url}/{bucket or self.bucket}?{patience}"

    def leave(self):
        for bucket in (self.bucket, f"{self.bucket}_"):
            self.server.api(f"STREAM.PURGE.SESSILE_{bucket}")
        self.free.append(self.bucket)

    def open(self):
        return NatsStore.from_url(self.url())

    def neighbour(self):
        return NatsStore.from_url(self.url(bucket=f"{self.bucket}_"))

    def open_with_password(self, password):
        return NatsStore.from_url(self.url().replace("://", f"://user:{password}@"))

    def dump(self):
        return b"".join(
            b"".join((name.encode(), headers, data))
            for name, headers, data in self.server.messages(self.bucket)
        )

    def spoil(self, key, blob):
        self.server.put(self.bucket, key, blob)

    def server_expiry(self, key):
        headers = next(
            headers for name, headers, _ in self.server.messages(self.bucket) if name == key
        )
        return T0 + int(re.search(rb"Nats-TTL: (\d+)s", headers)[1])

    def freeze(self):
        self.server.freeze()

    def thaw(self):
        self.server.thaw()

    def stop(self):
        self.server.stop()

    def start(self):
        self.server.start()


class ReplicatedPlace(NatsPlace):
    """The same, with a mirror in each store."""

    free: ClassVar = []

    def url(self, timeout=None, bucket=None):
        """Say what ``Sessions`` is opened with; a late heartbeat is no end here."""
        return super().url(timeout, bucket).replace("nats://", "replicated://", 1)

    def open(self):
        return ReplicatedStore.from_url(self.url())

    def neighbour(self):
        return ReplicatedStore.from_url(self.url(bucket=f"{self.bucket}_"))

    def open_with_password(self, password):
        return ReplicatedStore.from_url(self.url().replace("://", f"://user:{password}@"))
