"""Rows and indexes in a dict, which change one at a time: what ``key_value`` asks of a server.

No server is like this; it is what the protocol of ``stores.intents`` is tried on, step by step.
"""

import asyncio
import itertools
import random
from functools import partial
from threading import Lock

from sessile.errors import StoreClosed
from sessile.stores.contract import Ask, Capability, Corrupt, Page
from sessile.stores.intents import intent_of
from sessile.stores.key_value import IndexEntry, Newest, StoredRow
from sessile.stores.key_value_store import KeyValueStore
from sessile.testing.place import Place


class DictServer:
    """Every row with its token, every index in order."""

    def __init__(self):
        self.lock = Lock()
        self.rows = {}
        self.owners = {}
        self.tokens = itertools.count(1)


class Handle:
    """One application's way to it.

    Attributes:
        rows: the server's.
        owners: the server's, likewise.
        tokens: the server's.
    """

    def __init__(self, server):
        self.lock, self.rows = server.lock, server.rows
        self.owners, self.tokens = server.owners, server.tokens
        self.closed = False

    def ask(self, what, act, *args):
        """Return the Ask of one act, which lets others go first."""

        def block():
            if self.closed:
                raise StoreClosed("dict store")
            with self.lock:
                return act(*args)

        async def wait():
            await asyncio.sleep(0)
            return block()

        return Ask(f"dict {what}", block, wait)


class DictRows:
    """Rows by key."""

    def __init__(self, server):
        self.server = server

    async def get(self, key):
        return await self.server.ask("get", self.server.rows.get, key)

    async def values(self, keys):
        return await self.server.ask("values", self._values, keys)

    starts = values

    def _values(self, keys):
        rows = self.server.rows
        return [rows[key].value if key in rows else None for key in keys]

    async def add(self, key, value, lasts, *, what):
        return await self.server.ask(what, self._write, key, None, value)

    async def swap(self, key, token, value, lasts, *, what):
        return await self.server.ask(what, self._write, key, token, value)

    def _write(self, key, token, value):
        row = self.server.rows.get(key)
        if (None if row is None else row.token) != token:
            return None
        self.server.rows[key] = StoredRow(value, next(self.server.tokens))
        return self.server.rows[key].token

    async def advance(self, key, head, value, lasts, *, what):
        return await self.server.ask(what, self._advance, key, head, value)

    def _advance(self, key, head, value):
        row = self.server.rows.get(key)
        if row is None or not row.value.startswith(head):
            return None, None if row is None else row.value
        return self._write(key, row.token, value), None

    async def remove(self, key, token, *, what):
        return await self.server.ask(what, self._remove, key, token)

    def _remove(self, key, token):
        if key in self.server.rows and self.server.rows[key].token == token:
            del self.server.rows[key]
            return True
        return False

    async def take(self, key, leaving=None, lasts=0):
        return await self.server.ask("delete", self._take, key, leaving)

    def _take(self, key, leaving):
        row = self.server.rows.get(key)
        if row is None or intent_of(row.value) is not None:
            return None if row is None else row.value
        del self.server.rows[key]
        if leaving is not None:
            self._write(key, None, leaving)
        return row.value

    async def is_ending(self, old, new):
        return False


class DictIndex:
    """Keys by owner, each with the number of its login."""

    def __init__(self, server):
        self.server = server

    async def newest(self, owner, number):
        return await self.server.ask("newest", self._newest, owner, number)

    def _newest(self, owner, number):
        entries = self._entries(owner)[::-1]
        return Newest(entries[:number], len(entries))

    def _entries(self, owner):
        return [IndexEntry(key, str(n)) for key, n in self.server.owners.get(owner, {}).items()]

    async def oldest(self, owner, after, before, number):
        return await self.server.ask("oldest", self._oldest, owner, after, before, number)

    def _oldest(self, owner, after, before, number):
        index = self.server.owners.get(owner, {})
        end = float("inf") if before is None else index.get(before, 0)
        entries = self._entries(owner)
        return [one for one in entries if int(after or 0) < int(one.mark) < end][:number]

    async def enter(self, owner, key, lasts, newest):
        return await self.server.ask("enter", self._enter, owner, key, newest)

    def _enter(self, owner, key, newest):
        if newest is not None and newest != self._newest(owner, 1).mark:
            return 0
        index = self.server.owners.setdefault(owner, {})
        index.pop(key, None)
        index[key] = next(self.server.tokens)
        return len(index)

    async def keep(self, owner, key, lasts):
        await self.server.ask("keep", self._keep, owner, key)

    def _keep(self, owner, key):
        if key not in self.server.owners.get(owner, {}):
            self._enter(owner, key, None)

    async def drop(self, owner, entries):
        await self.server.ask("settle", self._drop, owner, entries)

    def _drop(self, owner, entries):
        index = self.server.owners.get(owner, {})
        for key, mark in entries:
            if not mark or str(index.get(key)) == mark:
                index.pop(key, None)

    async def sample(self, owner, number):
        return await self.server.ask("sample", self._sample, owner, number)

    def _sample(self, owner, number):
        entries = self._entries(owner)
        return random.sample(entries, min(number, len(entries)))


class DictStore(KeyValueStore):
    """A store of these."""

    capabilities = Capability.OWNERS | Capability.SCAN | Capability.SHARED | Capability.NETWORK

    def __init__(self, server, patience=0.05):
        self.server, self.name = Handle(server), "dict://"
        super().__init__(DictRows(self.server), DictIndex(self.server), patience)

    @classmethod
    def from_url(cls, url):
        return cls(DictServer())

    async def end_everybody(self):
        await self.server.ask("end everybody", self._clear)

    def _clear(self):
        self.server.rows.clear()
        self.server.owners.clear()

    async def scan(self, cursor=None, batch=100):
        keys = await self.server.ask("scan", partial(sorted, self.server.rows))
        rest = [key for key in keys if key > (cursor or "")]
        found, size = [], 0
        for key in rest[:batch]:
            row = await self._rows.get(key)
            record = None if row is None else await self._load(key, row.value)
            if record is not None:
                found.append(record)
                size += len(row.value)
            if size >= 1 << 20:
                return Page(found, key)
        return Page(found, rest[batch - 1] if len(rest) > batch else None)

    async def count(self):
        return await self.server.ask("count", self.server.rows.__len__)

    async def sweep(self, now, batch=1000):
        page = await self.scan(None, 10_000)
        dead = [r for r in page.records if isinstance(r, Corrupt) or not r.live_at(now)][:batch]
        for record in dead:
            owner = None if isinstance(record, Corrupt) else record.index_owner
            await self.delete(record.key, owner)
        return len(dead)

    async def ping(self):
        await self.server.ask("ping", int)

    async def close(self):
        self.server.closed = True


class DictPlace(Place):
    """A server of the test's own."""

    def __init__(self, folder):
        super().__init__(folder)
        self.server = DictServer()

    def open(self):
        return DictStore(self.server)

    def spoil(self, key, blob):
        self.server.rows[key] = StoredRow(blob, next(self.server.tokens))
