"""The stores under test. The contract, the races and the red team take them from one list here.

A new store is one line in ``FAR``, with its place. If servers can share it, ``red_team.rows``
has to know its rows too.
"""

import fcntl
import itertools
import os
import pickle
import sqlite3
from contextlib import closing, contextmanager
from functools import partial
from typing import ClassVar

import pytest

from harness.lmdb_rows import spoil_row, write_rows
from harness.memcached_place import MemcachedPlace
from harness.nats_place import BackupPlace, HostMirrorPlace, NatsPlace, ReplicatedPlace
from harness.postgres_server import shared_postgres
from harness.redis_cluster import shared_cluster
from harness.redis_server import find_valkey, shared_redis
from sessile.stores.backup import BackupStore
from sessile.stores.contract import Capability
from sessile.stores.lmdb import LMDBStore
from sessile.stores.memcached import MemcachedStore
from sessile.stores.memory import MemoryStore
from sessile.stores.moving import MovingStore
from sessile.stores.nats import NatsStore
from sessile.stores.near import NearStore
from sessile.stores.postgres import PostgresFeedStore, PostgresStore
from sessile.stores.redis import RedisStore
from sessile.stores.redis_cluster import RedisClusterStore
from sessile.stores.redis_partitions import Partitions
from sessile.stores.redis_rows import STAMP
from sessile.stores.replicated import ReplicatedStore
from sessile.stores.sqlite import SQLiteStore
from sessile.testing.clock import T0
from sessile.testing.place import Backend, Place

NUMBERS = itertools.count()
DATABASE = 9
PATIENCE = 2.0


class MemoryPlace(Place):
    """The one store of the place: its data has no other home."""

    def url(self, timeout=None):
        """Say what ``Sessions`` is opened with; memory has nothing to wait for."""
        return "memory://"

    def open(self):
        self.store = MemoryStore()
        return self.store

    def dump(self):
        return pickle.dumps((self.store._rows, self.store._owners))

    def spoil(self, key, blob):
        self.store._open_rows()[key] = blob


class SQLitePlace(Place):
    """A file in the test's folder; a second connection can lock it."""

    def url(self, timeout=None):
        """Say what ``Sessions`` is opened with; on a busy machine half a second is no outage."""
        return f"sqlite:///{self.folder}/sessile.db?timeout={timeout or PATIENCE}"

    def open(self):
        return SQLiteStore(self.folder / "sessile.db", limit=PATIENCE)

    def dump(self):
        return b"".join(file.read_bytes() for file in self.folder.iterdir())

    def spoil(self, key, blob):
        with closing(self.connect()) as db:
            db.execute("UPDATE sessile_session SET blob = ? WHERE key = ?", (blob, key))

    def freeze(self):
        self.rival = self.connect()
        self.rival.execute("BEGIN EXCLUSIVE")

    def thaw(self):
        self.rival.close()

    def connect(self):
        return sqlite3.connect(self.folder / "sessile.db", isolation_level=None)


class LMDBPlace(Place):
    """A file in the test's folder; whoever locks it keeps every writer out."""

    def url(self, timeout=None):
        """Say what ``Sessions`` is opened with, as with SQLite."""
        return f"lmdb:///{self.folder}/sessile.lmdb?timeout={timeout or PATIENCE}"

    def open(self):
        return LMDBStore(self.folder / "sessile.lmdb", limit=PATIENCE)

    def dump(self):
        return b"".join(file.read_bytes() for file in self.folder.iterdir())

    def spoil(self, key, blob):
        write_rows(self.folder / "sessile.lmdb", lambda rows: spoil_row(rows, key, blob))

    def freeze(self):
        self.rival = os.open(self.folder / "sessile.lmdb", os.O_RDWR)
        fcntl.flock(self.rival, fcntl.LOCK_EX)

    def thaw(self):
        os.close(self.rival)


class RedisPlace(Place):
    """One prefix on the shared server, emptied each time. Its neighbour begins alike."""

    shared = staticmethod(shared_redis)

    def __init__(self, folder):
        super().__init__(folder)
        self.server = self.shared()
        self.server.load_scripts()
        self.prefix = f"place{next(NUMBERS)}"
        self.database = self.server.url.removesuffix("/0") + f"/{DATABASE}"

    def url(self, timeout=None, prefix=None):
        """Say what ``Sessions`` is opened with; on a busy machine half a second is no outage."""
        limit = timeout or PATIENCE
        patience = f"timeout={limit}&connect_timeout={limit}"
        return f"{self.database}?{patience}&prefix={prefix or self.prefix}"

    def leave(self):
        self.ask("FLUSHDB")

    def ask(self, *words):
        return self.server.ask(*words, db=DATABASE)

    def open(self):
        return RedisStore.from_url(self.url())

    def neighbour(self):
        return RedisStore.from_url(self.url(prefix=f"{self.prefix}:"))

    def open_with_password(self, password):
        return RedisStore.from_url(self.database.replace("://", f"://user:{password}@"))

    def dump(self):
        names = self.ask("KEYS", f"{self.prefix}*")
        return b"".join(name + self.ask("DUMP", name) for name in names)

    def spoil(self, key, blob):
        generation = self.ask("GET", f"{self.prefix}@generation")
        self.ask("SET", self.prefix + key, generation + blob + bytes(STAMP), "KEEPTTL")

    def server_expiry(self, key):
        return T0 + self.ask("PTTL", self.prefix + key) / 1000

    def stop(self):
        self.server.stop()

    def start(self):
        self.server.start()

    def freeze(self):
        self.server.freeze()

    def thaw(self):
        self.server.thaw()


class ClusterPlace(Place):
    """One prefix on the shared cluster, emptied each time. Its neighbour begins alike."""

    def __init__(self, folder):
        super().__init__(folder)
        self.cluster = shared_cluster()
        for node in self.cluster.nodes:
            node.load_scripts()
        self.prefix = f"place{next(NUMBERS)}"

    def url(self, timeout=None, prefix=None):
        """Say what ``Sessions`` is opened with; on a busy machine half a second is no outage."""
        limit = timeout or PATIENCE
        patience = f"timeout={limit}&connect_timeout={limit}"
        return f"{self.cluster.url}?{patience}&prefix={prefix or self.prefix}"

    def leave(self):
        self.cluster.flush()

    def open(self):
        return RedisClusterStore.from_url(self.url())

    def neighbour(self):
        return RedisClusterStore.from_url(self.url(prefix=f"{self.prefix}:"))

    def open_with_password(self, password):
        return RedisClusterStore.from_url(self.url().replace("://", f"://user:{password}@"))

    def dump(self):
        return b"".join(
            name + node.ask("DUMP", name)
            for node in self.cluster.primaries()
            for name in node.ask("KEYS", f"{self.prefix}*")
        )

    def spoil(self, key, blob):
        partition = self.row(key)
        node = self.cluster.primary_of(partition.slot)
        generation = node.ask("GET", partition.generation)
        node.ask("SET", partition.prefix + key, generation + blob + bytes(STAMP), "KEEPTTL")

    def server_expiry(self, key):
        partition = self.row(key)
        ttl = self.cluster.primary_of(partition.slot).ask("PTTL", partition.prefix + key)
        return T0 + ttl / 1000

    def row(self, key):
        """Say where the row of a key is."""
        return Partitions(None, self.prefix, "").by_start[key[:2]]

    def freeze(self):
        for node in self.cluster.nodes:
            node.freeze()

    def thaw(self):
        self.cluster.heal()

    def stop(self):
        for node in self.cluster.nodes:
            node.stop()

    def start(self):
        self.cluster.heal()


class ValkeyPlace(RedisPlace):
    """The same on a Valkey server, by its own name."""

    shared = staticmethod(partial(shared_redis, find_valkey))

    def url(self, timeout=None, prefix=None):
        """Say what ``Sessions`` is opened with."""
        return super().url(timeout, prefix).replace("redis://", "valkey://", 1)


class PostgresPlace(Place):
    """A table on the shared server, emptied each time. Its neighbour's name begins alike."""

    free: ClassVar = []  # tables that are empty: to make one takes longer than most tests

    def __init__(self, folder):
        super().__init__(folder)
        self.server = shared_postgres()
        self.table = self.free.pop() if self.free else f"place{next(NUMBERS)}"

    def url(self, timeout=None, table=None):
        """Say what ``Sessions`` is opened with; on a busy machine half a second is no outage."""
        return f"{self.server.url}?timeout={timeout or PATIENCE}&table={table or self.table}"

    def leave(self):
        for (table,) in self.server.ask(
            "SELECT tablename FROM pg_tables WHERE tablename ~ %s", f"^[a-z]?{self.table}_?$"
        ):
            self.server.ask(f"DELETE FROM {table}")
        self.free.append(self.table)

    def open(self):
        return PostgresStore.from_url(self.url())

    def neighbour(self):
        return PostgresStore.from_url(self.url(table=f"{self.table}_"))

    def open_with_password(self, password):
        self.server.ask(GUARD)
        return PostgresStore.from_url(self.url().replace("sessile@", f"guarded:{password}@"))

    def dump(self):
        self.server.ask("CHECKPOINT")
        files = self.server.ask(FILES, self.table)
        return b"".join((self.server.data / path).read_bytes() for (path,) in files)

    def spoil(self, key, blob):
        self.server.ask(f"UPDATE {self.table} SET blob = %s WHERE key = %s", blob, key)

    def stop(self):
        self.server.stop()

    def start(self):
        self.server.start()

    def freeze(self):
        self.server.freeze()

    def thaw(self):
        self.server.thaw()


class PostgresFeedPlace(PostgresPlace):
    """A table that tells of its changes."""

    free: ClassVar = []

    def url(self, timeout=None, table=None):
        """Say what ``Sessions`` is opened with; a late heartbeat is no end here."""
        return f"{super().url(timeout or 30, table)}&feed=yes"


GUARD = """DO $$ BEGIN
    IF to_regrole('guarded') IS NULL THEN CREATE ROLE guarded LOGIN PASSWORD 'another'; END IF;
END $$"""
FILES = """WITH it AS (SELECT oid, reltoastrelid FROM pg_class WHERE relname = %s)
SELECT pg_relation_filepath(oid) FROM it UNION ALL
SELECT pg_relation_filepath(reltoastrelid) FROM it UNION ALL
SELECT pg_relation_filepath(indexrelid) FROM it, pg_index WHERE indrelid IN (oid, reltoastrelid)"""

AT_HAND = [
    Backend("memory", MemoryStore, MemoryPlace),
    Backend("sqlite", SQLiteStore, SQLitePlace),
    Backend("lmdb", LMDBStore, LMDBPlace),
    Backend("redis", RedisStore, RedisPlace),
]
FAR = [
    Backend("cluster", RedisClusterStore, ClusterPlace),
    Backend("memcached", MemcachedStore, MemcachedPlace),
    Backend("postgres", PostgresStore, PostgresPlace),
    Backend("nats", NatsStore, NatsPlace),
]
BACKENDS = AT_HAND + FAR
VALKEY = Backend("valkey", RedisStore, ValkeyPlace)
"""The store of Redis on another server: asked what a store promises, and no more than that."""

POSTGRES_FEED = Backend("postgres with a feed", PostgresFeedStore, PostgresFeedPlace)
"""The same store where its URL asks for a feed: asked about that, and no more."""


class MovingSQLite(MovingStore):
    """A file that takes over from another one."""

    capabilities = SQLiteStore.capabilities & ~Capability.FEED

    @classmethod
    def at(cls, path, former):
        return cls(SQLiteStore(path, limit=PATIENCE), SQLiteStore(former, limit=PATIENCE))


class MovingPlace(SQLitePlace):
    """Two files in the test's folder; the former one is empty, so that what is asked is at one."""

    def open(self):
        return MovingSQLite.at(self.folder / "sessile.db", self.folder / "former.db")


class NearMemory(NearStore):
    """A near cache in front of a store that tells what changed."""

    capabilities = MemoryStore.capabilities | Capability.COPIES


class NearPlace(MemoryPlace):
    """The one store of the place, behind copies."""

    def open(self):
        return NearMemory(super().open(), most=100)


NEAR = Backend("near", NearMemory, NearPlace)
MOVING = Backend("moving", MovingSQLite, MovingPlace)

REPLICATED = Backend("replicated", ReplicatedStore, ReplicatedPlace)
"""The store of NATS with a mirror in each process: asked what a store promises."""

HOST_MIRROR = Backend("host mirror", ReplicatedStore, HostMirrorPlace)
"""The same with one mirror for all processes of this host."""

BACKUP = Backend("backup", BackupStore, BackupPlace)
"""Sessions in shards of three servers: asked what a store promises."""

SHARED = [backend for backend in BACKENDS if Capability.SHARED in backend.store.capabilities]
"""Those that several servers can share."""

OWNING = [backend for backend in BACKENDS if Capability.OWNERS in backend.store.capabilities]
"""Those that know which sessions a user has."""

SHARED_OWNING = [backend for backend in SHARED if backend in OWNING]
"""Those that do, and that several servers can share."""


def as_params(backends):
    """Give the parameters of a fixture that takes one backend after the other."""
    return [pytest.param(backend, id=backend.name) for backend in backends]


@contextmanager
def fresh_url(backend, folder, *, timeout=None):
    """Give what ``Sessions`` is opened with to keep them where nobody else does."""
    place = backend.place(folder)
    yield place.url(timeout)
    place.leave()
