"""Where a test keeps its sessions on NATS: a bucket of the shared server, or of three of them."""

import itertools
import re
from typing import ClassVar
from zlib import crc32

from harness.nats_server import shared_nats, shared_nats_cluster
from sessile.stores.backup import BackupStore
from sessile.stores.nats import NatsStore
from sessile.stores.replicated import ReplicatedStore
from sessile.testing.clock import T0
from sessile.testing.place import Place

NUMBERS = itertools.count()
PATIENCE = 4.0


class NatsBucket(Place):
    """One bucket, emptied each time. Its neighbour's name begins alike.

    Attributes:
        server: that has it.
    """

    free: ClassVar = []  # buckets that are empty
    store: ClassVar = NatsStore
    serve = staticmethod(shared_nats)

    def __init__(self, folder):
        super().__init__(folder)
        self.server = self.serve()
        self.bucket = (
            self.free.pop() if self.free else f"{type(self).__name__.lower()}{next(NUMBERS)}"
        )

    def url(self, timeout=None, bucket=None):
        """Say what ``Sessions`` is opened with; on a busy machine half a second is no outage."""
        limit = timeout or PATIENCE
        patience = f"timeout={limit}&connect_timeout={limit}"
        return f"{self.server.url}/{bucket or self.bucket}?{patience}"

    def streams(self, bucket):
        """Return what the names of a bucket's streams end with."""
        return [bucket]

    def leave(self):
        for bucket in (self.bucket, f"{self.bucket}_"):
            for stream in self.streams(bucket):
                self.server.api(f"STREAM.PURGE.SESSILE_{stream}")
        self.free.append(self.bucket)

    def open(self):
        return self.store.from_url(self.url())

    def neighbour(self):
        return self.store.from_url(self.url(bucket=f"{self.bucket}_"))

    def open_with_password(self, password):
        return self.store.from_url(self.url().replace("://", f"://user:{password}@"))

    def messages(self):
        """Return all messages: the last word of a subject, headers, data."""
        streams = self.streams(self.bucket)
        return [each for stream in streams for each in self.server.messages(stream)]

    def dump(self):
        return b"".join(
            b"".join((name.encode(), headers, data)) for name, headers, data in self.messages()
        )

    def spoil(self, key, blob):
        self.server.put(self.bucket, key, blob)

    def server_expiry(self, key):
        headers = next(headers for name, headers, _ in self.messages() if name == key)
        return T0 + int(re.search(rb"Nats-TTL: (\d+)s", headers)[1])


class NatsPlace(NatsBucket):
    """A bucket of one server, which can be away."""

    free: ClassVar = []

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
    store: ClassVar = ReplicatedStore

    def url(self, timeout=None, bucket=None):
        """Say what ``Sessions`` is opened with; a late heartbeat is no end here."""
        return super().url(timeout, bucket).replace("nats://", "replicated://", 1)


class HostMirrorPlace(ReplicatedPlace):
    """The same, with one mirror for all of this host."""

    free: ClassVar = []

    def url(self, timeout=None, bucket=None):
        """Say what ``Sessions`` is opened with."""
        return f"{super().url(timeout, bucket)}&mirror=host"

    @property
    def beats(self):
        """What the subjects of heartbeats begin with."""
        return f"$SESSILE.{self.bucket}.beat."


class BackupPlace(NatsBucket):
    """A bucket of three servers, in shards. What they do when one is away other tests ask."""

    free: ClassVar = []
    store: ClassVar = BackupStore
    serve = staticmethod(shared_nats_cluster)
    shards = 2

    def url(self, timeout=None, bucket=None):
        """Say what ``Sessions`` is opened with."""
        url = super().url(timeout, bucket).replace("nats://", "backup://", 1)
        return f"{url}&shards={self.shards}"

    def streams(self, bucket):
        return [f"{bucket}_{number}" for number in range(self.shards)]

    def spoil(self, key, blob):
        self.server.put(f"{self.bucket}.{crc32(key.encode()) % self.shards}", key, blob)
