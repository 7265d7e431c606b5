"""Reference stores on a server that lives in a dict: what the broken stores break.

It has everything that a place can offer, so that every promise is asked of something that keeps it,
and each act is one small method to override.
"""

import asyncio
import pickle
from collections import defaultdict
from itertools import count
from threading import Lock

from sessile.errors import KeyTaken, StoreClosed, StoreUnavailable
from sessile.stores.contract import (
    COMMITTED,
    GONE,
    MOST_ENDED,
    PAGE_BYTES,
    Ask,
    Capability,
    Conflict,
    Deleted,
    Full,
    Key,
    Page,
    Record,
    Replaced,
    StoreSize,
    pack,
    unpack,
)
from sessile.testing.place import Place
from sessile.wire.feed.local import LocalFeed

LOCAL = (
    Capability.OWNERS | Capability.SCAN | Capability.SHARED | Capability.DURABLE | Capability.FEED
)


class Server:
    """Rows and indexes by prefix, and a switch for every trouble a server can have."""

    def __init__(self):
        self.lock = Lock()
        self.rows = defaultdict(dict)
        self.owners = defaultdict(dict)  # owner to keys, each with its login's number
        self.logins = count(1)
        self.feeds = defaultdict(LocalFeed)
        self.collected = {}
        self.secret = None
        self.notes = {}  # what broken stores keep beside the rows
        self.stopped = self.frozen = False


class ReferenceStore:
    """A sound store on a server that several processes share over a network."""

    capabilities = LOCAL | Capability.NETWORK
    most = MOST_ENDED

    def __init__(self, server, prefix="", password=""):
        self.name = "reference://server"
        self.server = server
        self.password = password
        self.rows = server.rows[prefix]
        self.owners = server.owners[prefix]
        self.feed = server.feeds[prefix]
        self.closed = False

    @classmethod
    def from_url(cls, url):
        return cls(Server(), url)

    async def read(self, key):
        return await self.ask("read", lambda: self.get(key))

    async def create(self, record):
        await self.ask("create", lambda: self.add(record))

    async def commit(self, change):
        return await self.ask("commit", lambda: self.swap(change))

    async def replace(self, replacement):
        return await self.ask("replace", lambda: self.admit(replacement))

    async def delete(self, key, owner=None, *, leaving=None):
        return await self.ask("delete", lambda: self.end(key, owner, leaving))

    async def end_everybody(self):
        await self.ask("end everybody", self.wipe)

    async def owned_by(self, owner, cursor=None, batch=100):
        return await self.ask("owned_by", lambda: self.owned(owner, cursor, batch))

    async def delete_owned(self, owner, *, keep=(), before=None, batch=250):
        return await self.ask("delete_owned", lambda: self.drop(owner, keep, before, batch))

    async def scan(self, cursor=None, batch=100):
        return await self.ask("scan", lambda: self.page(cursor or "", batch))

    async def count(self):
        return await self.ask("count", self.number)

    async def size(self):
        return await self.ask("size", self.measure)

    async def sweep(self, now, batch=1000):
        return await self.ask("sweep", lambda: self.clean(now, batch))

    async def ping(self):
        await self.ask("ping", lambda: None)

    def open_feed(self, timer, wanted):
        return self.feed.open(timer)

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
        return isinstance(record, Record) and record.live_at(now)

    def get(self, key):
        blob = self.rows.get(key)
        return None if blob is None else unpack(blob, Key(key))

    def put(self, record):
        self.rows[record.key] = pack(record)
        self.tell(record.key)

    def tell(self, key):
        self.feed.tell(key)

    def add(self, record):
        if record.key in self.rows:
            raise KeyTaken(record.key)
        self.put(record)

    def differs(self, key, version):
        """Return what is answered where the row is not that version; None where it is."""
        current = self.get(key)
        if not isinstance(current, Record):
            return current or GONE
        return None if current.version == version else Conflict(current)

    def swap(self, change):
        answer = self.differs(change.record.key, change.expected)
        if answer is None:
            self.put(change.record)
        return answer or COMMITTED

    def rivals(self, replacement):
        """Return the owner's other records that live, oldest login first."""
        old = replacement.old.key if replacement.old else None
        found = [self.get(k) for k in self.owners.get(replacement.new.owner, ()) if k != old]
        return [row for row in found if self.live(row, replacement.now)]

    def is_nobodys(self, row, now):
        return isinstance(row, Record) and row.is_unclaimed(now)

    def over(self, replacement):
        """Return the keys of those that end; None refuses the login."""
        limit, rivals, now = replacement.limit, self.rivals(replacement), replacement.now
        nobodys = [row.key for row in rivals if self.is_nobodys(row, now)]
        if limit is None or len(rivals) < limit.number:
            return ()
        over = limit.excess([row.key for row in rivals if row.key not in nobodys])
        return None if over is None else (*over, *nobodys)

    def admit(self, replacement):
        old = replacement.old
        answer = old and self.differs(old.key, old.version)
        if answer is not None:
            return answer
        rivals, over = self.rivals(replacement), self.over(replacement)
        if over is None:
            return Full()
        self.add(replacement.new)
        if old is not None:
            self.step_aside(replacement)
        ended = tuple(over)[: self.most]
        self.end_excess(ended, replacement)
        self.enter(replacement)
        stay = [*(row.key for row in rivals if row.key not in over), Key(replacement.new.key)]
        return Replaced(ended, stay[0] if len(over) > len(ended) else None)

    def step_aside(self, replacement):
        """End the session whose place is taken."""
        old = replacement.old
        self.end(old.key, old.owner, replacement.tombstone)

    def end_excess(self, over, replacement):
        for key in over:
            self.remove(key, replacement.new.owner)

    def enter(self, replacement):
        """Enter the new session into its owner's index."""
        new = replacement.new
        if new.owner is not None:
            self.owners.setdefault(new.owner, {})[new.key] = next(self.server.logins)

    def remove(self, key, owner):
        found = self.get(key)
        self.rows.pop(key, None)
        self.tell(key)
        for keys in self.owners.values():
            keys.pop(key, None)
        return found

    def end(self, key, owner, leaving):
        found = self.remove(key, owner)
        if found and leaving:
            self.add(leaving)
        return found

    def wipe(self):
        self.rows.clear()
        self.owners.clear()
        self.feed.tell_anything()

    def numbers(self, owner):
        """Return the index of an owner: keys, each with its login's number, oldest first."""
        return self.owners.get(owner, {})

    def length(self, key):
        return len(self.rows.get(key, b""))

    def cut(self, keys, batch):
        """Return the first of these keys, by number and bytes, and whether that was not all."""
        total, page = 0, []
        for key in keys:
            page.append(Key(key))
            total += self.length(key)
            if len(page) == batch or total >= PAGE_BYTES:
                return page, True
        return page, False

    def owned(self, owner, cursor, batch):
        index = self.numbers(owner)
        keys, more = self.cut([k for k, n in index.items() if n > int(cursor or 0)], batch)
        rows = [row for row in map(self.get, keys) if row]
        return Page(rows, str(index[keys[-1]]) if more else None)

    def drop(self, owner, keep, before, batch):
        index = self.numbers(owner)
        end = index.get(before, 0) if before else float("inf")
        keys, more = self.cut([k for k, n in index.items() if n < end and k not in keep], batch)
        for key in keys:
            self.remove(key, owner)
        return Deleted(tuple(keys), more)

    def page(self, cursor, batch):
        keys, more = self.cut(sorted(key for key in self.rows if key > cursor), batch)
        found = [row for row in map(self.get, keys) if row]
        return Page(found, keys[-1] if more else None)

    def number(self):
        return len(self.rows)

    def measure(self):
        return StoreSize(len(self.rows), sum(map(self.length, self.rows)))

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
