"""Every store keeps every promise, in both colours. A new store is one line in ``BACKENDS``."""

import pickle
import sqlite3
from contextlib import closing

from sessile.core.ticket import Key
from sessile.stores.memory import MemoryStore
from sessile.stores.redis import RedisStore
from sessile.stores.sqlite import SQLiteStore
from sessile.testing.conformance import StoreContract
from sessile.testing.place import Backend, Place
from stores.redis_place import OnRedis


class InMemory(Place):
    """The one store of the place: its data has no other home."""

    def open(self) -> MemoryStore:
        self.store = MemoryStore()
        return self.store

    def dump(self) -> bytes:
        return pickle.dumps((self.store._rows, self.store._owners))

    def spoil(self, key: Key, blob: bytes) -> None:
        self.store._open_rows()[key] = blob


class InFile(Place):
    """A file in the test's folder; a second connection can lock it."""

    def open(self) -> SQLiteStore:
        return SQLiteStore(self.folder / "sessile.db")

    def dump(self) -> bytes:
        return b"".join(file.read_bytes() for file in self.folder.iterdir())

    def spoil(self, key: Key, blob: bytes) -> None:
        with closing(self.connect()) as db:
            db.execute("UPDATE sessile_session SET blob = ? WHERE key = ?", (blob, key))

    def freeze(self) -> None:
        self.rival = self.connect()
        self.rival.execute("BEGIN EXCLUSIVE")

    def thaw(self) -> None:
        self.rival.close()

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / "sessile.db", isolation_level=None)


BACKENDS = [
    Backend("memory", MemoryStore, InMemory),
    Backend("sqlite", SQLiteStore, InFile),
    Backend("redis", RedisStore, OnRedis),
]


class TestStores(StoreContract, backends=BACKENDS):
    """One line a store."""
