"""Hands in the store: the rows behind a site, as whoever broke into its file or server has them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import redis

from harness.lmdb_rows import enter_row, plant_row, read_rows, write_rows
from harness.memcached_server import KnownServer
from harness.nats_server import KnownNats
from sessile.core.record import Record, unpack
from sessile.service.sessions import context_of
from sessile.stores.lmdb import LMDBStore
from sessile.stores.lmdb_rows import unpack_row
from sessile.stores.memcached import MemcachedStore
from sessile.stores.memcached_generations import GENERATION
from sessile.stores.nats import NatsStore
from sessile.stores.nats_rows import StreamIndex, StreamIndexEntry
from sessile.stores.postgres import PostgresStore
from sessile.stores.redis import RedisStore
from sessile.stores.redis_cluster import RedisClusterStore
from sessile.stores.redis_rows import STAMP
from sessile.stores.row import owner_digest
from sessile.stores.sqlite import SQLiteStore

_PLANT = """INSERT INTO sessile_session (key, version, due, owner, claim, blob)
    VALUES (?, ?, 1e12, ?, 1, ?) ON CONFLICT (key) DO UPDATE
    SET version = excluded.version, owner = excluded.owner, blob = excluded.blob"""
_PLANT_IN_TABLE = """INSERT INTO TABLE AS s
    (key, generation, version, expires, due, owner, claim, blob)
    VALUES (%s, 0, %s, 1e12, 1e12, %s, 1, %s) ON CONFLICT (key) DO UPDATE
    SET version = excluded.version, owner = excluded.owner, blob = excluded.blob"""
_ENTER = "UPDATE sessile_session SET owner = ?, claim = 1 WHERE key = ?"


def rows_of(site):
    """Return the rows behind a site."""
    store, sealer = context_of(site.sessions).store, context_of(site.sessions).sealer
    kinds = {SQLiteStore: SQLiteRows, LMDBStore: LMDBRows, RedisStore: RedisRows}
    kinds |= {PostgresStore: PostgresRows, RedisClusterStore: ClusterRows}
    kinds |= {MemcachedStore: CacheRows, NatsStore: StreamRows}
    return next(rows(store, sealer) for kind, rows in kinds.items() if isinstance(store, kind))


class Rows:
    """What every kind of rows has: ``__getitem__`` and ``__setitem__`` are the kind's own."""

    def __init__(self, sealer):
        self._sealer = sealer

    def proved(self, record):
        """Return a record with its proof, as whoever has the secrets as well would plant it."""
        return self._sealer.prove(record)

    def record(self, key):
        """Return the record of that session as it is stored."""
        found = unpack(self[key], key)
        assert isinstance(found, Record), "there is no such record to tamper with"
        return found


class SQLiteRows(Rows):
    """The rows of a file, and everything that lies beside it."""

    def __init__(self, store, sealer):
        super().__init__(sealer)
        self._path = Path(store.path)

    def __getitem__(self, key):
        with closing(sqlite3.connect(self._path)) as db:
            ((blob,),) = db.execute("SELECT blob FROM sessile_session WHERE key = ?", (key,))
            return blob

    def __setitem__(self, key, blob):
        record = unpack(blob, key)
        sound = isinstance(record, Record)
        version, owner = (record.version, record.index_owner) if sound else (1, None)
        with closing(sqlite3.connect(self._path)) as db, db:
            db.execute(_PLANT, (key, version, owner, blob))

    def enter(self, key, owner):
        """Put a session into the index of an owner; None takes it out of that of ``alice``."""
        with closing(sqlite3.connect(self._path)) as db, db:
            db.execute(_ENTER, (owner, key))

    def __len__(self):
        with closing(sqlite3.connect(self._path)) as db:
            return db.execute("SELECT count(*) FROM sessile_session").fetchone()[0]

    def dump(self):
        """Return every byte: the table, its log, whatever else was left in the folder."""
        return b"\n".join(file.read_bytes() for file in sorted(self._path.parent.iterdir()))


class LMDBRows(Rows):
    """The rows of a file, and everything that lies beside it."""

    def __init__(self, store, sealer):
        super().__init__(sealer)
        self._path = store.path

    def __getitem__(self, key):
        return unpack_row(read_rows(self._path, lambda rows: rows.get(key))).blob

    def __setitem__(self, key, blob):
        record = unpack(blob, key)
        sound = isinstance(record, Record)
        version, owner = (record.version, record.index_owner) if sound else (1, None)
        write_rows(self._path, lambda rows: plant_row(rows, key, version, owner, blob))

    def enter(self, key, owner):
        """Put a session into the index of an owner; None takes it out of that of ``alice``."""
        write_rows(self._path, lambda rows: enter_row(rows, key, owner))

    def __len__(self):
        return read_rows(self._path, lambda rows: rows.count())

    def dump(self):
        """Return every byte: the map, its locks, whatever else was left in the folder."""
        return b"\n".join(file.read_bytes() for file in sorted(self._path.parent.iterdir()))


class RedisRows(Rows):
    """The keys of a server that begin with the site's prefix.

    A row begins with its generation and ends with a stamp.
    """

    def __init__(self, store, sealer):
        super().__init__(sealer)
        self._index = store._index
        self._prefix = store._prefix
        self._place = store._client._endpoint

    def _server(self):
        return redis.Redis(self._place.host, self._place.port, self._place.db, protocol=2)

    def __getitem__(self, key):
        with self._server() as server:
            return server.get(self._prefix + key).removeprefix(self._generation(server))[:-STAMP]

    def __setitem__(self, key, blob):
        with self._server() as server:
            server.set(self._prefix + key, self._generation(server) + blob + bytes(STAMP))

    def enter(self, key, owner):
        """Put a session into the index of an owner; None takes it out of that of ``alice``."""
        with self._server() as server:
            if owner is None:
                server.zrem(self._index("alice"), key)
            else:
                server.zadd(self._index(owner), {key: 0})

    def _generation(self, server):
        return server.get(f"{self._prefix}@generation")

    def __len__(self):
        with self._server() as server:
            return sum(b"@" not in name for name in self._names(server))

    def dump(self):
        """Return every byte of every key."""
        with self._server() as server:
            return b"\n".join(b"%s\n%s" % (n, _bytes(server, n)) for n in self._names(server))

    def _names(self, server):
        return sorted(server.scan_iter(f"{self._prefix}*", count=1000))


class ClusterRows(Rows):
    """The keys of a cluster that begin with the site's prefix; rows are as those of a server."""

    def __init__(self, store, sealer):
        super().__init__(sealer)
        self._partitions = store._partitions
        self._prefix = store._prefix
        self._seed = store._endpoint.cluster[0]

    def _cluster(self):
        return redis.RedisCluster(*self._seed, protocol=2)

    def _name(self, key):
        return self._partitions.by_start[key[:2]].prefix + key

    def _generation(self, cluster, key):
        """Return the generation of a row; where there is none yet, begin it."""
        name = self._partitions.by_start[key[:2]].generation
        cluster.set(name, b"\0\0\0\1hands", nx=True)
        return cluster.get(name)

    def __getitem__(self, key):
        with self._cluster() as cluster:
            row = cluster.get(self._name(key))
            return row.removeprefix(self._generation(cluster, key))[:-STAMP]

    def __setitem__(self, key, blob):
        with self._cluster() as cluster:
            generation = self._generation(cluster, key)
            cluster.set(self._name(key), generation + blob + bytes(STAMP))

    def enter(self, key, owner):
        """Put a session into the index of an owner; None takes it out of that of ``alice``."""
        with self._cluster() as cluster:
            _, index = self._partitions.index(owner or "alice")
            if owner is None:
                cluster.zrem(index, key)
            else:
                cluster.zadd(index, {key: 1})

    def __len__(self):
        with self._cluster() as cluster:
            return sum(b"@" not in name for name in self._names(cluster))

    def dump(self):
        """Return every byte of every key."""
        with self._cluster() as cluster:
            return b"\n".join(b"%s\n%s" % (n, _bytes(cluster, n)) for n in self._names(cluster))

    def _names(self, cluster):
        return sorted(cluster.scan_iter(f"{self._prefix}*", count=1000, target_nodes="primaries"))


class CacheRows(Rows):
    """The items of memcached servers that begin with the site's prefix.

    A row begins with its generation.
    """

    def __init__(self, store, sealer):
        super().__init__(sealer)
        self._prefix = store._prefix
        self._of = store._client.server_of
        self._servers = {place: KnownServer(place) for place in [*store._client.keys()]}

    def __getitem__(self, key):
        server = self._servers[self._of(key)]
        generation = server.data(f"{self._prefix}@generation")
        return server.data(self._prefix + key).removeprefix(generation)

    def __setitem__(self, key, blob):
        server, name = self._servers[self._of(key)], f"{self._prefix}@generation"
        if server.data(name) is None:  # this server has had no session yet
            server.put(name, bytes(GENERATION), exptime=0)
        server.put(self._prefix + key, server.data(name) + blob)

    def __len__(self):
        return sum("@" not in name for _, name in self._names())

    def dump(self):
        """Return every byte of every item."""
        return b"\n".join(
            b"%s\n%s" % (name.encode(), server.data(name) or b"") for server, name in self._names()
        )

    def _names(self):
        return [
            (server, name)
            for server in self._servers.values()
            for name in sorted(server.names())
            if name.startswith(self._prefix) and server.data(name) is not None
        ]


class StreamRows(Rows):
    """The messages of a stream."""

    def __init__(self, store, sealer):
        super().__init__(sealer)
        self._bucket = store._place.bucket
        ((_, port),) = store._place.endpoint.hosts
        self._server = KnownNats(port)
        self._owners = store._rows

    def __getitem__(self, key):
        return next(data for name, _, data in self._messages() if name == key)

    def __setitem__(self, key, blob):
        self._server.put(self._bucket, key, blob)

    def enter(self, key, owner):
        """Put a session into the index of an owner; None takes it out of that of ``alice``."""
        index = StreamIndex()
        if owner is None:
            owner = "alice"
        else:
            index = index.with_entry(StreamIndexEntry(1, key, 1e12, 600))
        message = self._owners.index(owner, 0, index)
        assert "seq" in self._server.ask(message.subject, message.data, [("Nats-TTL", "600s")])

    def __len__(self):
        return sum(len(name) == 20 for name, _, _ in self._messages())

    def dump(self):
        """Return every byte of every message."""
        return b"\n".join(
            b"\n".join((name.encode(), headers, data)) for name, headers, data in self._messages()
        )

    def _messages(self):
        return [message for message in self._server.messages(self._bucket) if message[2]]


class PostgresRows(Rows):
    """The rows of a table."""

    def __init__(self, store, sealer):
        super().__init__(sealer)
        self._place = store._place

    def _ask(self, statement, *values):
        (host,) = self._place.endpoint.hosts
        with psycopg.connect(
            host=host.name, port=host.port, user="sessile", dbname="postgres", autocommit=True
        ) as server:
            answer = server.execute(statement.replace("TABLE", self._place.table), values)
            return answer.fetchall() if answer.description else None

    def __getitem__(self, key):
        ((blob,),) = self._ask("SELECT blob FROM TABLE WHERE key = %s", key)
        return blob

    def __setitem__(self, key, blob):
        record = unpack(blob, key)
        sound = isinstance(record, Record)
        version, owner = (record.version, record.index_owner) if sound else (1, None)
        self._ask(_PLANT_IN_TABLE, key, version, _digest(owner), blob)

    def enter(self, key, owner):
        """Put a session into the index of an owner; None takes it out of that of ``alice``."""
        self._ask("UPDATE TABLE SET owner = %s, claim = 1 WHERE key = %s", _digest(owner), key)

    def __len__(self):
        ((number,),) = self._ask("SELECT count(*) FROM TABLE")
        return number

    def dump(self):
        """Return every byte of every row."""
        return b"\n".join(
            b"\n".join(part if type(part) is bytes else str(part).encode() for part in row)
            for row in self._ask("SELECT * FROM TABLE")
        )


def _digest(owner):
    return None if owner is None else owner_digest(owner)


def _bytes(server, name):
    if server.type(name) == b"string":
        return server.get(name)
    return b"\n".join(server.zrange(name, 0, -1))
