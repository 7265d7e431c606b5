"""A near cache: the records that this process has read lately, in front of a store with a feed.

``?near=10000`` makes one. A record that was read is kept until the store's feed names it; every
write goes to the store. A copy is good only while the feed's heartbeat is not late, so a session
that was ended elsewhere may be served from here for as long as that, and no longer.

Only ``peek`` looks here. ``read`` and all other acts ask the store, so whoever has to be sure is.
A record is kept only if the feed did not name it while it was on its way from the store: else an
old one, which arrives late, would stay. An act of this process drops its copies at once; one that
failed, and may have been carried out all the same, leaves them for an outage alone.

What is kept when the feed breaks stays until it works again: ``peek_last`` looks there while the
store fails.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from sessile.core.flow import Flow, run
from sessile.core.record import SESSION
from sessile.core.value import Seconds
from sessile.errors import ConfigError, StoreUnavailable
from sessile.stores.contract import (
    Capability,
    Change,
    CommitResult,
    Corrupt,
    Deleted,
    HasFeed,
    Key,
    Record,
    Replaced,
    Replacement,
    ReplaceResult,
    Store,
)
from sessile.wire import system
from sessile.wire.feed.follower import NEVER, Epoch, Follower, OpenFeed
from sessile.wire.feed.probe import Probe

R = TypeVar("R")

LARGEST: Final = 1 << 14
"""Bytes of the values of the largest record that is kept."""

OLDEST: Final[Seconds] = 30.0
"""How long ago a copy may have been read, whatever the feed says: it may lie, as one behind a proxy
that swallows its notices."""

_ABILITIES: Final = (
    "diagnose", "key_path", "make_table", "path", "placement", "server_time", "size", "table",
    "table_statements",
)  # fmt: skip
"""What ``stores.abilities`` has: from Python 3.12 on ``isinstance`` asks no ``__getattr__``."""


class _Copy(msgspec.Struct, frozen=True):
    """A record as it was read, the epoch of the feed it was read in, and until when it counts."""

    record: Record
    epoch: Epoch
    until: Seconds


class NearStore:
    """A store, and before it copies of the records that were read from it.

    Args:
        store: one with a feed.
        most: how many copies are kept; beyond, the least used go.
        timer: seconds by a clock that never runs backwards.
        tell: called with each error of the feed, and with None when all is well again.
        open_feed: connects the feed; None for the store's own.

    Attributes:
        store: behind the copies.
        most: how many copies are kept.
        follower: of its feed.
        hits: requests that were served from a copy; ``service.near`` counts them.
        misses: requests for which the store was asked.

    Raises:
        ConfigError: the store has no feed, or has copies itself.
    """

    def __init__(
        self,
        store: Store,
        most: int,
        *,
        timer: Callable[[], Seconds] = system.timer,
        tell: Callable[[StoreUnavailable | None], object] = bool,
        open_feed: OpenFeed | None = None,
    ) -> None:
        if Capability.COPIES in store.capabilities:
            raise ConfigError(f"near={most}: {store.name} has copies in each process already")
        if Capability.FEED not in store.capabilities or not isinstance(store, HasFeed):
            raise ConfigError(
                f"near={most}: {store.name} does not tell what changed, so copies of its sessions "
                "would be old and nobody would know: leave near out, or take redis://, valkey://, "
                "redis+cluster:// or postgresql://...?feed=yes"
            )
        self.store, self.name = store, store.name
        self.capabilities = store.capabilities | Capability.COPIES
        for name in _ABILITIES:
            if hasattr(store, name):
                setattr(self, name, getattr(store, name))
        self.hits = self.misses = 0
        self.most = most
        self._timer = timer
        self._copies: dict[str, _Copy] = {}  # of keys that are wanted
        self._reading: dict[str, object] = {}  # by key, a mark that is gone once the feed named it
        self._wanted: OrderedDict[Key, None] = OrderedDict()  # keys that were read, newest use last
        opens = open_feed or partial(store.open_feed, timer)
        self.follower = Follower(opens, timer=timer, tell=tell)
        self.follower.listen(self._forget, self._keys)

    def __getattr__(self, name: str) -> Any:
        """Return a method or attribute of the store that this leaves alone."""
        return getattr(self.store, name)

    @property
    def copies(self) -> int:
        """How many copies are kept, good or not."""
        return len(self._copies)

    @property
    def beat_age(self) -> Seconds | None:
        """How many seconds ago the feed's last heartbeat was; None while it is not followed."""
        epoch = self.follower.epoch
        return None if epoch is NEVER else self._timer() - epoch.as_of

    def probe_outages(self) -> None:
        """Find out, from now on, that the store fails, so that no reader has to.

        Not where it is several, each with sessions of its own: that one fails says nothing of the
        others, and who ended there has to be seen.
        """
        if not getattr(self.store, "has_shards", False):
            self.follower.probe = Probe(partial(_ping, self.store), timer=self._timer)

    def peek(self, key: Key, at_least: int) -> Record | None:
        """Return the copy of a record, if it is good; None says nothing about the record.

        Args:
            key: whose.
            at_least: its version, or a newer one, is needed.
        """
        copy, follower, now = self._copies.get(key), self.follower, self._timer()
        if (
            copy is None
            or copy.epoch is not follower.epoch
            or copy.record.version < at_least
            or now > copy.until
            or not follower.is_fresh(now)
        ):
            return None
        with suppress(KeyError):  # it is wanted no more, from this very moment on
            self._wanted.move_to_end(key)
        return copy.record

    def peek_last(self, key: Key, at_least: int, within: Seconds) -> Record | None:
        """Return the copy of a record as it was when the store was last heard of.

        Args:
            key: whose.
            at_least: its version, or a newer one, is needed.
            within: so long ago at most, in seconds.
        """
        copy = self._copies.get(key)
        if copy is None or copy.record.version < at_least:
            return None
        return copy.record if self._timer() - copy.epoch.as_of <= within else None

    async def read(self, key: Key) -> Record | Corrupt | None:
        """Return the record as the store has it, and keep a copy."""
        follower = self.follower
        follower.start()
        epoch, mark, began = follower.epoch, object(), self._timer()
        with follower.guard:
            self._want(key)
            self._reading[key] = mark
        try:
            found = await self.store.read(key)
        except BaseException:
            with follower.guard:
                self._end_reading(key, mark)
            raise
        with follower.guard:
            was_named = not self._end_reading(key, mark)
            self._copies.pop(key, None)  # whatever it was, this is newer
            if not was_named:
                is_followed = epoch is follower.epoch is not NEVER
                self._keep(found, epoch if is_followed else Epoch(began), began + OLDEST)
            if key not in self._copies and not was_named:
                self._wanted.pop(key, None)  # a key that somebody made up is in nobody's way
        return found

    def _end_reading(self, key: Key, mark: object) -> bool:
        """Return whether the feed has not named a key since its read began."""
        if self._reading.get(key) is not mark:
            return False
        del self._reading[key]
        return True

    async def commit(self, change: Change) -> CommitResult:
        """Replace the record."""
        keys = (Key(change.record.key),)
        result = await self._perform(self.store.commit(change), keys)
        self._drop(keys)
        return result

    async def replace(self, replacement: Replacement) -> ReplaceResult:
        """Store a new record in the place of an old one."""
        old = () if replacement.old is None else (Key(replacement.old.key),)
        result = await self._perform(self.store.replace(replacement), old)
        ended = result.ended if isinstance(result, Replaced) else ()
        self._drop((*old, *ended))
        return result

    async def delete(
        self, key: Key, owner: str | None = None, *, leaving: Record | None = None
    ) -> Record | Corrupt | None:
        """Remove the record."""
        last = await self._perform(self.store.delete(key, owner, leaving=leaving), (key,))
        self._drop((key,))
        return last

    async def delete_owned(
        self,
        owner: str,
        *,
        keep: Collection[str] = (),
        before: Key | None = None,
        batch: int = 250,
    ) -> Deleted:
        """Remove some of the owner's sessions."""
        act = self.store.delete_owned(owner, keep=keep, before=before, batch=batch)
        deleted = await self._perform(act, None)
        self._drop(deleted.keys)
        return deleted

    async def end_everybody(self) -> str | None:
        """End every session."""
        risk = await self._perform(self.store.end_everybody(), None)
        self._drop(None)
        return risk

    async def close(self) -> None:
        """Follow no longer, and close the store."""
        self.follower.close()
        self._drop(None)
        await self.store.close()

    def _keep(self, found: Record | Corrupt | None, epoch: Epoch, until: Seconds) -> None:
        if not isinstance(found, Record) or found.kind is not SESSION:
            return
        if sum(map(len, found.data.values())) > LARGEST:
            return
        self._copies[found.key] = _Copy(found, epoch, until)

    async def _perform(self, act: Flow[R], keys: Collection[Key] | None) -> R:
        """Perform an act. Of one that fails nobody knows whether it was carried out."""
        try:
            return await act
        except BaseException:
            with self.follower.guard:
                self._doubt(keys)
            raise

    def _doubt(self, keys: Collection[Key] | None) -> None:
        """Have copies be good for an outage alone; all of them where it is not known which."""
        for key in list(self._copies) if keys is None else keys:
            self._reading.pop(key, None)
            copy = self._copies.get(key)
            if copy is not None:
                self._copies[key] = _Copy(copy.record, Epoch(copy.epoch.as_of), copy.until)

    def _drop(self, keys: Collection[Key] | None) -> None:
        """Drop copies, as ``_forget`` does, for an act of this process."""
        with self.follower.guard:
            self._forget(keys)

    def _forget(self, keys: Collection[Key] | None) -> None:
        """Forget copies, and those on their way; all of them where it is not known which."""
        if keys is None:
            self._reading.clear()
            self._copies.clear()
            return
        for key in keys:
            self._reading.pop(key, None)
            self._copies.pop(key, None)

    def _want(self, key: Key) -> None:
        """Have a feed that looks for itself look at this one, before its record is read.

        It tells a key that is new to it, whatever the record; so keys stay when copies are dropped.
        What it looks at no longer is no copy either.
        """
        self._wanted[key] = None
        self._wanted.move_to_end(key)
        if len(self._wanted) > self.most:
            oldest, _ = self._wanted.popitem(last=False)
            self._reading.pop(oldest, None)
            self._copies.pop(oldest, None)

    def _keys(self) -> list[Key]:
        return list(self._wanted)


def _ping(store: Store) -> None:
    run(store.ping())


def near_cache(store: Store) -> NearStore | None:
    """Return the near cache in front of a store, or of the one that it moves sessions to."""
    inner = getattr(store, "store", None)
    if isinstance(store, NearStore):
        return store
    return inner if isinstance(inner, NearStore) else None
