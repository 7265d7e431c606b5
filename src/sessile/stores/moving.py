"""A store that takes over from a former one: each session moves when it is first asked for.

``Sessions(url, former=...)`` and ``sessile copy`` make one. Records move as they are, sealed, so it
takes no secret. Once a session has moved it is the new store's alone, and the former one has
nothing of it.

Two stores make no transaction, so a move takes four acts. Whoever crashes between two of them
leaves what the next one who asks can go on from:

1. A *placeholder* is created in the new store, under the session's key and in its owner's index.
2. The row in the former store is *marked*, by compare-and-set: it keeps all it has, and no server
   that still goes by the former store can change or open it.
3. The placeholder becomes the session, by compare-and-set.
4. The marked row goes.

Who ends a session does so in the former store first, then in the new one. A move that is under way
then finds its row, or its placeholder, gone, and brings nothing back.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from sessile.core.record import RecordKind, evolve
from sessile.errors import ConfigError, KeyTaken, LostRace
from sessile.stores.contract import (
    Capability,
    Change,
    CommitResult,
    Committed,
    Conflict,
    Corrupt,
    Deleted,
    FileBacked,
    Instant,
    Key,
    Page,
    Record,
    Replacement,
    ReplaceResult,
    Seconds,
    Store,
)
from sessile.stores.location import redact
from sessile.wire import system

ATTEMPTS: Final = 8
PLACEHOLDER_TTL: Final[Seconds] = 30.0
"""How long a place is kept for a session whose move was given up; then another may begin it."""

_PLACE: Final = 1
"""The version of a placeholder: a store takes a row of a version below for what an end has left."""

_FORMER: Final = "former "
_HERE: Final = "here "


class MovingStore:
    """The new store, to which sessions move from the former one.

    Args:
        store: where sessions are kept from now on.
        former: where they were; it is asked for what the new one does not have.
        clock: seconds since 1970.

    Raises:
        ConfigError: the two are one; or the former one could not say whose its sessions are, or
            which there are.
    """

    def __init__(
        self, store: Store, former: Store, *, clock: Callable[[], Instant] = system.clock
    ) -> None:
        if store.name == former.name or _file(store) == _file(former) is not None:
            raise ConfigError(f"former={former.name} is the store itself: leave former out")
        for need in (Capability.OWNERS, Capability.SCAN):
            if need in store.capabilities and need not in former.capabilities:
                raise ConfigError(
                    f"former={former.name} has no Capability.{need.name}, so sessions in it could "
                    "not be listed or ended with the others; leave former out"
                )
        self.store, self.former = store, former
        self.name = store.name
        self.capabilities = store.capabilities & ~Capability.FEED  # two would have to be heard
        self._clock = clock

    @classmethod
    def from_url(cls, url: str) -> "MovingStore":
        """Refuse: no URL names two stores.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{redact(url)} names one store: write Sessions(url, former=...)")

    async def read(self, key: Key) -> Record | Corrupt | None:
        """Return the record of that key; move it here where the former store has it."""
        found = await self.store.read(key)
        if found is None or _is_moving(found):
            return await self._fetch(key)
        return found

    async def create(self, record: Record) -> None:
        """Store a new record here."""
        await self.store.create(record)

    async def commit(self, change: Change) -> CommitResult:
        """Replace the record; whoever read it had it moved here."""
        return await self.store.commit(change)

    async def replace(self, replacement: Replacement) -> ReplaceResult:
        """Store a new record in the place of an old one, and beside all others of its owner."""
        old, owner = replacement.old, replacement.new.owner
        if owner is not None and replacement.limit is not None:
            await self._fetch_owned(owner)
        if old is not None:
            await self.former.delete(Key(old.key), old.owner)
        return await self.store.replace(replacement)

    async def delete(
        self, key: Key, owner: str | None = None, *, leaving: Record | None = None
    ) -> Record | Corrupt | None:
        """Remove the record from both stores."""
        before = await self.former.delete(key, owner)
        last = await self.store.delete(key, owner, leaving=leaving)
        if last is not None and not _is_moving(last):
            return last
        if last is None and before is not None and leaving is not None:
            with suppress(KeyTaken):  # by what another one left
                await self.store.create(leaving)
        return _restore(before) if isinstance(before, Record) else before

    async def end_everybody(self) -> str | None:
        """End every session in both stores."""
        before = await self.former.end_everybody()
        return await self.store.end_everybody() or before

    async def owned_by(self, owner: str, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of the owner's records, which are all moved here first."""
        if cursor is None:
            await self._fetch_owned(owner)
        page = await self.store.owned_by(owner, cursor, batch)
        return Page([one for one in page.records if not _is_moving(one)], page.cursor)

    async def delete_owned(
        self,
        owner: str,
        *,
        keep: Collection[str] = (),
        before: Key | None = None,
        batch: int = 250,
    ) -> Deleted:
        """Remove some of the owner's sessions, which are all moved here first."""
        await self._fetch_owned(owner)
        return await self.store.delete_owned(owner, keep=keep, before=before, batch=batch)

    async def scan(self, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of the records of the former store, then of those of this one.

        In this order, because they move from there to here.
        """
        if cursor is None or cursor.startswith(_FORMER):
            within = None if cursor is None else cursor.removeprefix(_FORMER)
            page = await self.former.scan(within or None, batch)
            found = [one if isinstance(one, Corrupt) else _restore(one) for one in page.records]
            if page.cursor or found:
                return Page(found, f"{_FORMER}{page.cursor}" if page.cursor else _HERE)
            cursor = _HERE
        page = await self.store.scan(cursor.removeprefix(_HERE) or None, batch)
        here = [one for one in page.records if not _is_moving(one)]
        return Page(here, page.cursor and f"{_HERE}{page.cursor}")

    async def count(self) -> int:
        """Return about how many records there are in both."""
        return await self.former.count() + await self.store.count()

    async def sweep(self, now: Instant, batch: int = 1000) -> int:
        """Remove expired records from both."""
        return await self.former.sweep(now, batch) or await self.store.sweep(now, batch)

    async def ping(self) -> None:
        """Return when both answer."""
        await self.former.ping()
        await self.store.ping()

    async def close(self) -> None:
        """Close both."""
        await self.former.close()
        await self.store.close()

    def keep_secret(self, fresh: bytes) -> bytes | None:
        """Keep the secret of the former store, which its sessions were sealed under."""
        return self.store.keep_secret(self.former.keep_secret(fresh) or fresh)

    async def move(self, key: Key) -> None:
        """Move what the former store has under a key, if it lives, and leave nothing of it there.

        Raises:
            LostRace: it is in use just now, or somebody else is moving it.
        """
        found = await self.store.read(key)
        if found is None or _is_moving(found):
            await self._fetch(key)
        else:  # it was moved, and whoever did crashed before the last act
            await self.former.delete(key, found.owner if isinstance(found, Record) else None)

    async def _fetch_owned(self, owner: str) -> None:
        """Move all sessions of an owner."""
        cursor: str | None = None
        while True:
            page = await self.former.owned_by(owner, cursor)
            for record in page.records:
                await self.move(Key(record.key))
            cursor = page.cursor
            if cursor is None:
                return

    async def _fetch(self, key: Key) -> Record | Corrupt | None:
        """Move a session here, or go on with a move that somebody began."""
        found = await self.former.read(key)
        if not isinstance(found, Record):
            return await self._find_moved(key, found)
        now = self._clock()
        if not found.live_at(now):
            return _restore(found)
        if found.kind not in _SESSIONS:
            return await self._carry(found)
        await self._place(found, now)
        marked = await self._mark(key)
        if not isinstance(marked, Record) or marked.kind is not RecordKind.MOVING:
            return await self._find_moved(key, marked)
        session = _restore(marked)
        result = await self.store.commit(Change(session, _PLACE))
        if not isinstance(result, Committed):
            return await self._find_settled(key)
        await self.former.delete(key, session.owner)
        return session

    async def _find_moved(
        self, key: Key, found: Record | Corrupt | None
    ) -> Record | Corrupt | None:
        """Return the session where somebody has moved it meanwhile, else what was found instead."""
        here = await self.store.read(key)
        return found if here is None or _is_moving(here) else here

    async def _place(self, record: Record, now: Instant) -> None:
        """Keep a place for a session in the new store, unless there is one already."""
        end = min(record.until, now + PLACEHOLDER_TTL)
        place = evolve(
            record, kind=RecordKind.MOVING, version=_PLACE, data={}, past=b"",
            seen=now, idle_until=end, until=end, confirmed=now,
        )  # fmt: skip
        with suppress(KeyTaken):
            if record.owner is None:
                await self.store.create(place)
            else:
                await self.store.replace(Replacement(place, now))

    async def _mark(self, key: Key) -> Record | Corrupt | None:
        """Take a row out of the hands of those who still go by the former store."""
        found = await self.former.read(key)
        for _ in range(ATTEMPTS):
            if not isinstance(found, Record) or found.kind not in _SESSIONS:
                return found
            if found.kind is RecordKind.MOVING:
                return found
            marked = evolve(found, kind=RecordKind.MOVING, version=found.version + 1)
            result = await self.former.commit(Change(marked, found.version))
            if isinstance(result, Committed):
                return marked
            if isinstance(result, Corrupt):
                return result
            found = result.current if isinstance(result, Conflict) else None
        raise LostRace(key, attempts=ATTEMPTS)

    async def _carry(self, record: Record) -> Record | Corrupt | None:
        """Move what is no session, as the list of an owner's devices: as it is, in one act."""
        try:
            await self.store.create(record)
        except KeyTaken:
            return await self._find_settled(Key(record.key))
        await self.former.delete(Key(record.key))
        return record

    async def _find_settled(self, key: Key) -> Record | Corrupt | None:
        """Return the session as another server has moved it meanwhile.

        Raises:
            LostRace: nothing yet.
        """
        found = await self.store.read(key)
        if _is_moving(found):
            raise LostRace(key, attempts=1)  # of one that crashed, or is about to be done
        return found


_SESSIONS: Final = frozenset((RecordKind.SESSION, RecordKind.MOVING))


def _file(store: Store) -> Path | None:
    return store.path.resolve() if isinstance(store, FileBacked) else None


def _is_moving(record: Record | Corrupt | None) -> bool:
    return isinstance(record, Record) and record.kind is RecordKind.MOVING


def _restore(marked: Record) -> Record:
    """Return a marked row as it was before, to the last bit."""
    if marked.kind is not RecordKind.MOVING:
        return marked
    return evolve(marked, kind=RecordKind.SESSION, version=marked.version - 1)
