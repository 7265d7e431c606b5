"""A mirror: every session of a store in the memory of this host, kept up by the store's feed.

It is a near cache that holds what nobody here has read, too: a session that another server has made
is read here without a trip. Every write goes to the store. What is said of a near cache holds: a
copy is good only while the heartbeat is not late, ``peek`` alone looks here, and a client says what
version it has seen.

``memory_mirror`` has one for each process, ``host_mirror`` one for all processes of a host.

What this process has done itself it knows before the feed tells it: no older version is good, and
what has ended here is read from the store, until the feed vouches for a later time.
"""

import math
from collections.abc import Callable, Collection
from functools import partial
from typing import Final, Protocol

from sessile.core.record import SESSION
from sessile.core.value import Seconds
from sessile.errors import StoreUnavailable
from sessile.stores.contract import (
    Change,
    CommitResult,
    Committed,
    Corrupt,
    Key,
    Record,
    Store,
    unpack,
)
from sessile.stores.memory_mirror import MemoryMirror, Mirror
from sessile.stores.near import NearStore
from sessile.wire import system
from sessile.wire.feed.connection import FeedConnection
from sessile.wire.feed.follower import MOST_LATE

MOST_OPENED: Final = 10_000
"""Sessions of a mirror that a process keeps taken apart, as it has read them."""

MOST_OPENED_OF_HOST: Final = 1_000
"""The same of a mirror that spares each process the memory: one that is taken apart takes 2 KB."""


_NOTHING: Final = (-math.inf, -math.inf)


class HasMirror(Store, Protocol):
    """A store whose feed can tell whole records."""

    def open_mirror(self, timer: Callable[[], Seconds], mirror: Mirror) -> FeedConnection:
        """Connect a feed that keeps a mirror up: what it tells stands there before it tells it.

        Raises:
            StoreUnavailable: it cannot be reached; the mirror is as it was.
        """
        ...


class MirrorStore(NearStore):
    """A store, and before it all of its records.

    Args:
        store: one whose feed tells records.
        mirror: where they are; in the memory of this process, unless it is given.
        most: how many a process keeps taken apart.
        timer: seconds by a clock that never runs backwards.
        tell: called with each error of the feed, and with None when all is well again.

    Attributes:
        mirror: the records.
    """

    def __init__(
        self,
        store: HasMirror,
        mirror: Mirror | None = None,
        *,
        most: int = MOST_OPENED,
        timer: Callable[[], Seconds] = system.timer,
        tell: Callable[[StoreUnavailable | None], object] = bool,
    ) -> None:
        self.mirror: Mirror = MemoryMirror() if mirror is None else mirror
        self._opened: dict[Key, tuple[bytes, Record | Corrupt]] = {}  # by key, with their marks
        self._done: dict[Key, tuple[float, Seconds]] = {}  # by key, what was done here, and when
        self._all_ended: Seconds = -math.inf
        self._doubted: dict[Key, Seconds] = {}  # by key, when an act failed that may have been done
        self._all_doubted: Seconds = -math.inf
        opens = partial(_open_mirror, store, timer, self.mirror)
        super().__init__(store, most, timer=timer, tell=tell, open_feed=opens)

    @property
    def copies(self) -> int:
        """How many sessions are here."""
        return len(self.mirror)

    def peek(self, key: Key, at_least: int) -> Record | None:
        """Return a record, if it is good; None says nothing about it."""
        as_of, mark, row = self.mirror.look(key)
        now = self._timer()  # after the look, which may take its time on a busy machine
        doubted = max(self._doubted.get(key, -math.inf), self._all_doubted)
        is_of_now = 0.0 <= now - as_of <= MOST_LATE  # or another clock has written it
        if row is None or not is_of_now or as_of <= doubted or not self.follower.is_fresh(now):
            return None
        return self._judge(key, at_least, as_of, mark, row)

    def peek_last(self, key: Key, at_least: int, within: Seconds) -> Record | None:
        """Return a record as it was when the store was last heard of."""
        as_of, mark, row = self.mirror.look(key)
        if row is None or not 0.0 <= self._timer() - as_of <= within:
            return None
        return self._judge(key, at_least, as_of, mark, row)

    def _judge(
        self, key: Key, at_least: float, as_of: Seconds, mark: bytes, row: bytes
    ) -> Record | None:
        """Return the record of a row, if nothing newer was done here."""
        if as_of <= self._all_ended:
            return None
        needed, when = self._done.get(key, _NOTHING)
        if when >= as_of:  # else the feed has told of it
            at_least = max(at_least, needed)
        opened = self._opened.get(key)
        if opened is None or opened[0] != mark:
            if len(self._opened) >= self.most:
                self._opened = {}
            opened = self._opened[key] = mark, unpack(row, key)
        record = opened[1]
        if not isinstance(record, Record) or record.kind is not SESSION:
            return None
        return record if record.version >= at_least else None

    async def read(self, key: Key) -> Record | Corrupt | None:
        """Return the record as the store has it."""
        self.follower.start()
        return await self.store.read(key)

    async def commit(self, change: Change) -> CommitResult:
        """Replace the record. Until the feed has told of it, the store is read."""
        key = Key(change.record.key)
        result = await self._perform(self.store.commit(change), (key,))
        if isinstance(result, Committed):
            self._note((key,), change.record.version)
        return result

    async def close(self) -> None:
        """Follow no longer, and close the store and the mirror."""
        await super().close()
        self.mirror.close()

    def _doubt(self, keys: Collection[Key] | None) -> None:
        """Read from the store what an act that failed may have changed, while it can be read."""
        now, as_of = self._timer(), self.mirror.as_of
        if keys is None:
            self._all_doubted = now
            return
        for key, when in list(self._doubted.items()):
            if when < as_of:
                self._doubted.pop(key, None)
        self._doubted.update(dict.fromkeys(keys, now))

    def _drop(self, keys: Collection[Key] | None) -> None:
        """Read from the store what has ended here."""
        self._note(keys, math.inf)

    def _note(self, keys: Collection[Key] | None, version: float) -> None:
        """Have no older version of these be good, until the feed vouches for a later time."""
        now, as_of = self._timer(), self.mirror.as_of
        if keys is None:
            self._all_ended = now
            return
        for key, (_, when) in list(self._done.items()):
            if when < as_of:
                self._done.pop(key, None)
        for key in keys:
            self._done[key] = version, now

    def _forget(self, keys: Collection[Key] | None) -> None:
        """Leave it to the feed, which has put there what it tells."""


def _open_mirror(
    store: HasMirror,
    timer: Callable[[], Seconds],
    mirror: Mirror,
    wanted: Callable[[], Collection[Key]],  # noqa: ARG001  (all of them)
) -> FeedConnection:
    mirror.prepare()
    return store.open_mirror(timer, mirror)
