"""Where a test keeps its sessions on memcached: two servers behind one URL."""

import itertools

from harness.memcached_server import shared_pair
from sessile.stores.memcached import MemcachedStore
from sessile.testing.clock import T0
from sessile.testing.place import Place

NUMBERS = itertools.count()
PATIENCE = 2.0


class MemcachedPlace(Place):
    """One prefix on two shared servers, emptied each time. Its neighbour begins alike."""

    def __init__(self, folder):
        super().__init__(folder)
        self.pair = shared_pair()
        self.prefix = f"place{next(NUMBERS)}"

    def url(self, timeout=None, prefix=None):
        """Say what ``Sessions`` is opened with; on a busy machine half a second is no outage."""
        limit = timeout or PATIENCE
        patience = f"timeout={limit}&connect_timeout={limit}"
        return f"{self.pair.url}?{patience}&prefix={prefix or self.prefix}"

    def leave(self):
        self.pair.flush()

    def open(self):
        return MemcachedStore.from_url(self.url())

    def neighbour(self):
        return MemcachedStore.from_url(self.url(prefix=f"{self.prefix}:"))

    def dump(self):
        return b"".join(
            name.encode() + (server.data(name) or b"")
            for server in self.pair.servers
            for name in server.names()
            if name.startswith(self.prefix)
        )

    def spoil(self, key, blob):
        server = self.pair.server_of(key)
        server.put(self.prefix + key, server.data(f"{self.prefix}@generation") + blob)

    def server_expiry(self, key):
        return T0 + self.pair.server_of(key).expires_in(self.prefix + key)

    def freeze(self):
        self.pair.each("freeze")

    def thaw(self):
        self.pair.each("thaw")

    def stop(self):
        self.pair.each("stop")

    def start(self):
        self.pair.each("start")
