"""A store that can be stopped: any other one behind a switch. ``policies`` puts it before its own.

While ``switch`` is set each command is refused, as by a server that is down, and the feed breaks.
Nothing is lost: the store behind it is not touched.
"""

from collections.abc import Callable, Collection
from typing import ClassVar, cast

from sessile.core.value import Seconds
from sessile.demo.stoppable_feed import StoppableFeed
from sessile.demo.switch import StoreSwitch
from sessile.errors import ConfigError
from sessile.stores.contract import (
    Capability,
    Change,
    CommitResult,
    Corrupt,
    Deleted,
    HasFeed,
    Instant,
    Key,
    Page,
    Record,
    Replacement,
    ReplaceResult,
    Store,
)
from sessile.stores.location import redact
from sessile.stores.memory_mirror import Mirror
from sessile.stores.mirror import HasMirror
from sessile.wire.feed.connection import FeedConnection


class StoppableStore:
    """A store behind a switch.

    Args:
        store: where the sessions are.
        switch: whether it answers.
    """

    capabilities: ClassVar[Capability]

    def __init__(self, store: Store, switch: StoreSwitch) -> None:
        self.capabilities = store.capabilities  # type: ignore[misc]  # those of the one behind
        self.name = store.name
        self.has_shards = getattr(store, "has_shards", False)
        self._behind = store
        self._switch = switch

    @classmethod
    def from_url(cls, url: str) -> Store:
        """Refuse: no URL names a switch."""
        raise ConfigError(f"{redact(url)} names no switch")

    @property
    def _store(self) -> Store:
        """The store, if it may be asked now."""
        self._switch.check(self.name)
        return self._behind

    async def read(self, key: Key) -> Record | Corrupt | None:
        """Return the record of that key."""
        return await self._store.read(key)

    async def create(self, record: Record) -> None:
        """Store a new record."""
        await self._store.create(record)

    async def commit(self, change: Change) -> CommitResult:
        """Replace the record if its version is the expected one."""
        return await self._store.commit(change)

    async def replace(self, replacement: Replacement) -> ReplaceResult:
        """Store a new record in the place of an old one."""
        return await self._store.replace(replacement)

    async def delete(
        self, key: Key, owner: str | None = None, *, leaving: Record | None = None
    ) -> Record | Corrupt | None:
        """Remove the record."""
        return await self._store.delete(key, owner, leaving=leaving)

    async def end_everybody(self) -> str | None:
        """End every session there is."""
        return await self._store.end_everybody()

    async def owned_by(self, owner: str, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of an owner's records."""
        return await self._store.owned_by(owner, cursor, batch)

    async def delete_owned(
        self,
        owner: str,
        *,
        keep: Collection[str] = (),
        before: Key | None = None,
        batch: int = 250,
    ) -> Deleted:
        """Remove some of an owner's sessions."""
        return await self._store.delete_owned(owner, keep=keep, before=before, batch=batch)

    async def scan(self, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of all records."""
        return await self._store.scan(cursor, batch)

    async def count(self) -> int:
        """Return about how many records there are."""
        return await self._store.count()

    async def sweep(self, now: Instant, batch: int = 1000) -> int:
        """Remove expired records."""
        return await self._store.sweep(now, batch)

    async def ping(self) -> None:
        """Return when the store answers."""
        await self._store.ping()

    def open_feed(
        self, timer: Callable[[], Seconds], wanted: Callable[[], Collection[Key]]
    ) -> FeedConnection:
        """Return a connection to the store's feed, if it has one."""
        feed = cast("HasFeed", self._store).open_feed(timer, wanted)
        return StoppableFeed(feed, self._switch, self.name)

    def open_mirror(self, timer: Callable[[], Seconds], mirror: Mirror) -> FeedConnection:
        """Return a connection to the feed that keeps a mirror up, of a store that has one."""
        feed = cast("HasMirror", self._store).open_mirror(timer, mirror)
        return StoppableFeed(feed, self._switch, self.name)

    async def close(self) -> None:
        """Close the store, stopped or not."""
        await self._behind.close()

    def keep_secret(self, fresh: bytes) -> bytes | None:
        """Keep a secret beside the store, stopped or not: a server may start meanwhile."""
        return self._behind.keep_secret(fresh)
