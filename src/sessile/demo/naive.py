"""Sessions as most libraries keep them, to measure beside: one value under one key.

When a request begins its session is read whole; when it ends the session is written back whole,
over whatever another request wrote meanwhile. No library is meant by name. It is kept in the same
Redis as the shop's own sessions, through the same client; beside any other store in a SQLite file.
"""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final, Protocol

from sessile.core.flow import Ask, arun
from sessile.stores.contract import Store
from sessile.stores.location import Location
from sessile.stores.near import near_cache
from sessile.stores.redis import RedisStore
from sessile.stores.redis_url import endpoint_of
from sessile.wire.redis.client import RedisClient

COOKIE: Final = "naive"
_KEPT: Final = 600
"""Seconds after which Redis forgets a naive session."""


class NaiveStore(Protocol):
    """Bytes under a key.

    Attributes:
        kind: what it is, as people call it; "" for what the shop's own store is.
    """

    kind: str

    async def read(self, key: str) -> bytes | None:
        """Return the value of that key; None for none."""
        ...

    async def write(self, key: str, value: bytes) -> None:
        """Put a value there, whatever was there before."""
        ...

    async def close(self) -> None:
        """Give the file or the connections back."""
        ...


class NaiveFile:
    """A SQLite file, written as ``stores.sqlite`` writes its own.

    Args:
        path: where ``create`` put the file.
    """

    kind = "SQLite"

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("PRAGMA synchronous = NORMAL")

    @classmethod
    def create(cls, path: Path) -> None:
        """Make the file."""
        with closing(sqlite3.connect(path)) as file, file:
            file.execute("PRAGMA journal_mode = WAL")
            file.execute("CREATE TABLE naive (key TEXT PRIMARY KEY, value BLOB)")

    async def read(self, key: str) -> bytes | None:
        """Return the value of that key; None for none."""
        row = self._file.execute("SELECT value FROM naive WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    async def write(self, key: str, value: bytes) -> None:
        """Put a value there, whatever was there before."""
        self._file.execute("INSERT OR REPLACE INTO naive VALUES (?, ?)", (key, value))

    async def close(self) -> None:
        """Close the file."""
        self._file.close()


class NaiveRedis:
    """Strings of a Redis database.

    Args:
        url: the shop's own.
    """

    kind = ""

    def __init__(self, url: str) -> None:
        self._redis = RedisClient(endpoint_of(Location(url)))

    async def read(self, key: str) -> bytes | None:
        """Return the value of that key; None for none."""
        found: bytes | None = await arun(_perform(self._redis.ask("GET", "GET", f"naive:{key}")))
        return found

    async def write(self, key: str, value: bytes) -> None:
        """Put a value there, whatever was there before."""
        words = ("SET", f"naive:{key}", value, "EX", _KEPT)
        await arun(_perform(self._redis.ask("SET", *words)))

    async def close(self) -> None:
        """Close every connection."""
        await arun(_perform(self._redis.close()))


async def _perform(ask: Ask[Any]) -> Any:
    """Return the flow of a single act."""
    return await ask


class NaiveSessions:
    """Sessions that are read whole, and written back whole.

    Args:
        store: where they are kept.
    """

    def __init__(self, store: NaiveStore) -> None:
        self._store = store

    @classmethod
    def beside(cls, store: Store, url: str, path: Path) -> "NaiveSessions":
        """Return naive sessions in the same Redis, or in a file beside any other store.

        Args:
            store: the shop's own.
            url: its URL.
            path: the file.
        """
        near = near_cache(store)
        is_redis = isinstance(store if near is None else near.store, RedisStore)
        return cls(NaiveRedis(url) if is_redis else NaiveFile(path))

    @property
    def kind(self) -> str:
        """What they are kept in, as people call it; "" for what the shop's own store is."""
        return self._store.kind

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[dict[str, Any]]:
        """Read a session, let a request work with it, and write it back."""
        kept = await self._store.read(key)
        values: dict[str, Any] = {} if kept is None else json.loads(kept)
        yield values
        await self._store.write(key, json.dumps(values).encode())
