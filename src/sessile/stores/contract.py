"""What every store promises, and every type it speaks: a store imports from here and ``errors``.

Methods are flows (see ``core.flow``). A store keeps whole records and decides nothing about
sessions: it returns what is there, expired or not, and the service judges deadlines. A server's TTL
is only garbage collection. A row that is no record is an answer like any other, ``Corrupt``. A
store that cannot be reached raises ``StoreUnavailable`` within its time limit.

``sessile.testing.conformance`` asks each promise of each store.
"""

from collections.abc import Collection
from enum import Flag, auto
from typing import ClassVar, Final, Protocol, TypeAlias, runtime_checkable

import msgspec

from sessile.core.flow import Ask
from sessile.core.limit import Limit, OnLimit
from sessile.core.record import (
    HEAD_BYTES,
    LATE_TTL,
    UNCLAIMED_TTL,
    Corrupt,
    Head,
    Record,
    head_of,
    pack,
    unpack,
)
from sessile.core.ticket import Key, is_key
from sessile.core.value import Instant, Seconds
from sessile.stores.abilities import (
    FileBacked,
    HasDiagnosis,
    HasFeed,
    HasKeyFile,
    HasPlacement,
    HasServerTime,
    HasSize,
    HasTable,
)
from sessile.stores.finding import Finding
from sessile.stores.size import Extent, StoreSize

__all__ = [
    "COMMITTED",
    "GONE",
    "HEAD_BYTES",
    "LATE_TTL",
    "MOST_ENDED",
    "PAGE_BYTES",
    "UNCLAIMED_TTL",
    "Ask",
    "Capability",
    "Change",
    "CommitResult",
    "Committed",
    "Conflict",
    "Corrupt",
    "Deleted",
    "Extent",
    "FileBacked",
    "Finding",
    "Full",
    "Gone",
    "HasDiagnosis",
    "HasFeed",
    "HasKeyFile",
    "HasPlacement",
    "HasServerTime",
    "HasSize",
    "HasTable",
    "Head",
    "Instant",
    "Key",
    "Limit",
    "OnLimit",
    "Page",
    "Record",
    "ReplaceResult",
    "Replaced",
    "Replacement",
    "Seconds",
    "Store",
    "StoreSize",
    "head_of",
    "is_key",
    "pack",
    "unpack",
]


class Capability(Flag):
    """What a store can do. The contract suite asks for what a promise needs."""

    OWNERS = auto()  # keeps the index of a user's sessions, with atomic limits
    SCAN = auto()  # lists and counts every session, page by page
    NATIVE_EXPIRY = auto()  # the server removes what is past its deadlines; no sweep
    SHARED = auto()  # several processes see the same sessions
    NETWORK = auto()  # reached over a network: secrets must be given
    DURABLE = auto()  # sessions survive a restart of the store
    COPIES = auto()  # requests may be served from copies in this process: ``stores.near``
    FEED = auto()  # tells of every commit and every end: ``HasFeed``


class Change(msgspec.Struct, frozen=True):
    """A commit: the whole new record for stores that compare and set, the delta for the others.

    Attributes:
        record: the record as it shall be; its version is ``expected + 1``.
        expected: the version this change was made from.
        set: the values that changed, encoded.
        removed: the keys that went.
    """

    record: Record
    expected: int
    set: dict[str, bytes] = {}
    removed: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<Change of {self.record.key} from version {self.expected}>"


class Committed(msgspec.Struct, frozen=True):
    """The store holds the change's record."""


class Conflict(msgspec.Struct, frozen=True):
    """Somebody else committed first; nothing was written.

    Attributes:
        current: the record as the store holds it.
    """

    current: Record


class Gone(msgspec.Struct, frozen=True):
    """There is no such record; nothing was written and nothing came back to life."""


PAGE_BYTES: Final = 1 << 20
"""What an act of many records reads or removes: no more of them, once they have so many bytes."""

MOST_ENDED: Final = 32
"""Sessions that a login ends by itself, where more than one is over its owner's limit."""

COMMITTED: Final = Committed()
GONE: Final = Gone()

CommitResult: TypeAlias = Committed | Conflict | Gone | Corrupt
"""What ``commit`` answers."""


class Replacement(msgspec.Struct, frozen=True):
    """A login: a new record, and the one whose place it takes.

    Attributes:
        new: the record to store, and to enter into its owner's index if it has one.
        now: which entries of the index have expired.
        limit: how many sessions its owner may have; None is no limit.
        old: the record it takes the place of, as it was read; None for none.
        tombstone: stays under the key of the old one, which leaves its owner's index.
    """

    new: Record
    now: Instant
    limit: Limit | None = None
    old: Record | None = None
    tombstone: Record | None = None

    def __repr__(self) -> str:
        return f"<Replacement of {self.old and self.old.key} by {self.new.key}>"


class Replaced(msgspec.Struct, frozen=True):
    """The new record is stored, the old one is gone, and so is what was over the limit.

    Attributes:
        ended: the owner's sessions that were over the limit, oldest first; ``MOST_ENDED`` of them
            at most.
        rest: the oldest session that stays, if older ones than that are left, because they were
            more than one act may end: ``delete_owned(owner, before=rest)`` ends them.
    """

    ended: tuple[Key, ...] = ()
    rest: Key | None = None


class Full(msgspec.Struct, frozen=True):
    """The owner has as many sessions as allowed, and may have no more; nothing was written."""


ReplaceResult: TypeAlias = Replaced | Full | Conflict | Gone | Corrupt
"""What ``replace`` answers. The last three speak of the old record, and then nothing was
written."""


class Page(msgspec.Struct, frozen=True):
    """Some of the records that were asked for.

    Attributes:
        records: whatever is there, expired or not.
        cursor: where to go on; None at the end.
    """

    records: list[Record | Corrupt]
    cursor: str | None


class Deleted(msgspec.Struct, frozen=True):
    """Some of an owner's sessions were removed.

    Attributes:
        keys: theirs, oldest login first.
        more: whether there may be others.
    """

    keys: tuple[Key, ...] = ()
    more: bool = False


@runtime_checkable
class Store(Protocol):
    """Records under keys, with optimistic versions and an index by owner.

    Attributes:
        capabilities: what this store can do.
        name: what it is and where, without credentials: ``"redis://cache:6379/0"``.
    """

    capabilities: ClassVar[Capability]
    name: str

    @classmethod
    def from_url(cls, url: str) -> "Store":
        """Return the store of that URL. ``stores.open`` calls it; nothing is connected yet.

        Raises:
            ConfigError: the URL is wrong; says what to write, and shows no credentials.
        """
        ...

    async def read(self, key: Key) -> Record | Corrupt | None:
        """Return the record of that key, expired or not; None where there is none."""
        ...

    async def create(self, record: Record) -> None:
        """Store a new record that has no owner.

        Raises:
            KeyTaken: one exists; it stays as it is.
        """
        ...

    async def commit(self, change: Change) -> CommitResult:
        """Replace the record if its version is still the expected one. Never creates."""
        ...

    async def replace(self, replacement: Replacement) -> ReplaceResult:
        """Store a new record in the place of an old one, within its owner's limit, as one act.

        Whoever looks at any time finds the old session or the new one, never both and never none.
        The old record must still have the version that ``old`` has: else ``Conflict`` with what is
        there, ``Gone`` where there is none.

        ``Limit.excess`` chooses, of the owner's other sessions, those that end for the new one;
        they are removed in the same act, unless they are more than one act may remove: then
        ``Replaced`` says so. Expired ones do not count, nor does the old one. Of N logins at once
        each sees all that came before it, so that the limit holds.

        Raises:
            KeyTaken: a record of the new key exists; nothing was changed.
        """
        ...

    async def delete(
        self, key: Key, owner: str | None = None, *, leaving: Record | None = None
    ) -> Record | Corrupt | None:
        """Remove the record, and its entry in that owner's index. Return what was removed.

        Deleting what is not there is None and no error.

        Args:
            key: whose.
            owner: in whose index it stands.
            leaving: put in its place, as one act, if there was a record.
        """
        ...

    async def end_everybody(self) -> str | None:
        """End every session there is, as one act, however many there are.

        Return None where a crash of the store cannot bring them back; else why it may, as a clause
        for an operator. A store that would have to wait for its disk does so for some seconds.

        Once it has returned, what was stored before it is as if it were deleted, for every act of
        every process: a commit that was under way is ``Gone``, a limit does not count it, its key
        is free. What is stored after it lives, whatever the clocks of two servers say. It costs the
        other acts no command of their own.

        Raises:
            StoreUnavailable: nobody knows whether they ended; ask again.
        """
        ...

    async def owned_by(self, owner: str, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of an owner's records, oldest login first, ``batch`` of them at most.

        Every record that is in the index all the while is on exactly one page. With the record that
        brings it to ``PAGE_BYTES`` a page ends.
        """
        ...

    async def delete_owned(
        self,
        owner: str,
        *,
        keep: Collection[str] = (),
        before: Key | None = None,
        batch: int = 250,
    ) -> Deleted:
        """Remove some of an owner's sessions as one act, oldest login first.

        Where nothing more is left to remove, that is so at one instant: a login that came before it
        has ended, one that comes later stands. What is in no index, as a tombstone, stays.

        Args:
            owner: whose.
            keep: the keys of sessions that stay.
            before: those alone that logged in earlier than this one; where it is gone, none.
            batch: how many, at most; or fewer, that have ``PAGE_BYTES`` together.
        """
        ...

    async def scan(self, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of all records, about ``batch`` of them.

        Every record that is there through the whole scan is on at least one page. With the record
        that brings it to ``PAGE_BYTES`` a page ends.
        """
        ...

    async def count(self) -> int:
        """Return about how many records there are, expired ones that are still there included."""
        ...

    async def sweep(self, now: Instant, batch: int = 1000) -> int:
        """Remove up to ``batch`` expired records; return how many. 0 means none are left.

        With ``NATIVE_EXPIRY`` the server does it and the answer is 0.
        """
        ...

    async def ping(self) -> None:
        """Return when the store answers; raise ``StoreUnavailable`` when it does not."""
        ...

    async def close(self) -> None:
        """Give everything back. Closing twice is no error; use after it is ``StoreClosed``."""
        ...

    def keep_secret(self, fresh: bytes) -> bytes | None:
        """Keep a secret drawn for this store, and return the one it keeps from now on.

        For stores on one host, where no secret has to be configured. None refuses: a store on the
        network is shared with servers that would each draw their own.
        """
        ...
