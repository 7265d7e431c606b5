"""Reference stores on a server that lives in a dict: what the broken stores break.

It has everything that a place can offer, so that every promise is asked of something that keeps it,
and each act is one small method to override.
"""

import asyncio
import pickle
from collections import defaultdict
from threading import Lock

from sessile.core.change import (
    COMMITTED,
    GONE,
    Capability,
    Claimed,
    Conflict,
    Excess,
    Full,
    Page,
)
from sessile.core.flow import Ask
from sessile.core.record import pack, unpack
from sessile.core.ticket import Key
from sessile.errors import KeyTaken, StoreClosed, StoreUnavailable
from sessile.stores.contract import unheeded
from sessile.testing.place import Place

LOCAL = Capability.OWNERS | Capability.SCAN | Capability.SHARED | Capability.DURABLE


class Server:
    """Rows and indexes by prefix, and a switch for every trouble a server can have."""

    def __init__(self):
        self.lock = Lock()
        self.rows = defaultdict(dict)
        self.owners = defaultdict(dict)
        self.collected = {}
        self.secret = None
        self.notes = {}  # what broken stores keep beside the rows
        self.stopped = self.frozen = False


class ReferenceStore:
    """A sound store on a server that several processes share over a network."""

    capabilities = LOCAL | Capability.NETWORK

    def __init__(self, server, prefix="", password=""):
        self.name = "reference://server"
        self.malformed = unheeded
        self.server = server
        self.password = password
        self.rows = server.rows[prefix]
        self.owners = server.owners[prefix]
        self.closed = False
        self.replacing = None

    @classmethod
    def from_url(cls, url):
        return cls(Server(), url)

    async def read(self, key, now):
        return await self.ask("read", lambda: self.live(self.get(key), now))

    async def create(self, record):
        await self.ask("create", lambda: self.add(record))

    async def claim(self, record, now, *, limit=None, excess=Excess.END_OLDEST, replacing=None):
        def act():
            self.replacing = replacing
            return self.admit(record, now, limit, excess)

        return await self.ask("claim", act)

    async def commit(self, change):
        return await self.ask("commit", lambda: self.swap(change))

    async def delete(self, key, owner=None, *, leaving=None):
        return await self.ask("delete", lambda: self.replace(key, owner, leaving))

    async def end_everybody(self, now):
        await self.ask("end everybody", self.wipe)

    async def owned_by(self, owner, now):
        return await self.ask("owned_by", lambda: self.owned(owner, now))

    async def scan(self, now, cursor=None, batch=100):
        return await self.ask("scan", lambda: self.page(now, cursor or "", batch))

    async def sweep(self, now, batch=1000):
        return await self.ask("sweep", lambda: self.clean(now, batch))

    async def ping(self):
        await self.ask("ping", lambda: None)

    async def close(self):
        self.closed = True

    def keep_secret(self, fresh):
        return None

    def ask(self, what, call):
        """Return an Ask that is answered one turn of the loop later."""

        def block():
            with self.server.lock:
                return self.perform(call)

        async def wait():
            await asyncio.sleep(0)
            return block()

        return Ask(what, block, wait)

    def perform(self, call):
        if self.closed:
            raise StoreClosed("reference store")
        try:
            self.reach()
        except OSError as error:
            raise StoreUnavailable(self.name, str(error)) from error
        return call()

    def reach(self):
        if self.server.stopped:
            raise ConnectionRefusedError("nobody listens")
        if self.server.frozen:
            raise TimeoutError("no answer")

    def live(self, record, now):
        return record if record is not None and record.live_at(now) else None

    def get(self, key):
        blob = self.rows.get(key)
        record = None if blob is None else unpack(blob, Key(key))
        if blob is not None and record is None:
            self.malformed(Key(key))
        return record

    def put(self, record):
        self.rows[record.key] = pack(record)

    def add(self, record):
        if record.key in self.rows:
            raise KeyTaken(record.key)
        self.put(record)

    def over(self, record, now, limit):
        others = [Key(rival.key) for rival in self.owned(record.owner or "", now)]
        others = [key for key in others if key != self.replacing]
        return [] if limit is None else others[: max(len(others) - limit + 1, 0)]

    def admit(self, record, now, limit, excess):
        over = self.over(record, now, limit)
        if over and excess is Excess.REFUSE:
            return Full()
        self.add(record)
        self.owners.setdefault(record.owner or "", []).append(record.key)
        return Claimed(tuple(over))

    def swap(self, change):
        current = self.get(change.record.key)
        if current is None:
            return GONE
        if current.version != change.expected:
            return Conflict(current)
        self.put(change.record)
        return COMMITTED

    def remove(self, key, owner):
        record = self.get(key)
        self.rows.pop(key, None)
        for keys in self.owners.values():
            if key in keys:
                keys.remove(key)
        return record

    def replace(self, key, owner, leaving):
        record = self.remove(key, owner)
        if record and leaving:
            self.add(leaving)
        return record

    def wipe(self):
        self.rows.clear()
        self.owners.clear()

    def owned(self, owner, now):
        found = (self.live(self.get(key), now) for key in self.owners.get(owner, []))
        return [record for record in found if record]

    def page(self, now, cursor, batch):
        keys = sorted(key for key in self.rows if key > cursor)[:batch]
        found = (self.live(self.get(key), now) for key in keys)
        return Page([r for r in found if r], keys[-1] if len(keys) == batch else None)

    def clean(self, now, batch):
        over = [key for key in self.rows if not self.live(self.get(key), now)][:batch]
        for key in over:
            self.remove(key, None)
        return len(over)


class FileStore(ReferenceStore):
    """A sound store in a file that the processes of one host share."""

    capabilities = LOCAL

    def keep_secret(self, fresh):
        self.server.secret = self.server.secret or fresh
        return self.server.secret


class ExpiringStore(ReferenceStore):
    """A sound store on a server that removes the expired by itself."""

    capabilities = ReferenceStore.capabilities | Capability.NATIVE_EXPIRY

    def put(self, record):
        super().put(record)
        self.server.collected[record.key] = record.expires + 60.0

    def clean(self, now, batch):
        return 0


class ReferencePlace(Place):
    """A server of its own. ``place_of`` says which store stands on it."""

    kind = ReferenceStore

    def __init__(self, folder):
        super().__init__(folder)
        self.server = Server()

    def open(self):
        return self.kind(self.server, "a")

    def neighbour(self):
        return self.kind(self.server, "a:")

    def open_with_password(self, password):
        self.server.stopped = True
        return self.kind(self.server, password=password)

    def dump(self):
        return pickle.dumps((self.server.rows, self.server.owners, self.server.notes))

    def spoil(self, key, blob):
        self.server.rows["a"][key] = blob

    def server_expiry(self, key):
        return self.server.collected[key]

    def stop(self):
        self.server.stopped = True

    def start(self):
        self.server.stopped = False

    def freeze(self):
        self.server.frozen = True

    def thaw(self):
        self.server.frozen = False


def place_of(store):
    """Return the place where that store stands on a server of its own."""
    return type(f"PlaceOf{store.__name__}", (ReferencePlace,), {"kind": store})
