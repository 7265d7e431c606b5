"""A server that changes one row at a time, by compare-and-set: what ``key_value_store`` builds on.

Redis Cluster is one, whose transactions end at a slot, and so is Memcached. A store is made of it
by telling how each of these acts is performed there.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import msgspec

from sessile.core.ticket import Key

Token: TypeAlias = Any
"""What a row is compared by: each write makes another one. Never None, and opaque to a store."""

Milliseconds: TypeAlias = int


SETTLE: Final = "settle"


class StoredRow(msgspec.Struct, frozen=True):
    """A row as it was found.

    Attributes:
        value: its bytes.
        token: of the write that made it.
    """

    value: bytes
    token: Token

    def __repr__(self) -> str:
        return "<StoredRow>"


class RowServer(Protocol):
    """The rows of sessions, each under its key. Every method is one act, and a flow.

    ``what`` is the act's name in traces. One that is called ``settle`` cleans up behind an act that
    stands already: should it fail, whoever meets what was left behind settles it.
    """

    async def get(self, key: Key) -> StoredRow | None:
        """Return a row."""
        ...

    async def values(self, keys: Sequence[Key]) -> list[bytes | None]:
        """Return the bytes of some rows, in one trip; each is read by itself."""
        ...

    async def starts(self, keys: Sequence[Key]) -> list[bytes | None]:
        """Return the first ``intents.START_BYTES`` of some rows, or more, likewise."""
        ...

    async def add(self, key: Key, value: bytes, lasts: Milliseconds, *, what: str) -> Token | None:
        """Make a row; return its token, or None where there is one."""
        ...

    async def swap(
        self, key: Key, token: Token, value: bytes, lasts: Milliseconds, *, what: str
    ) -> Token | None:
        """Write a row that has that token; return its new one, or None where it has not."""
        ...

    async def advance(
        self, key: Key, head: bytes, value: bytes, lasts: Milliseconds, *, what: str
    ) -> tuple[Token | None, bytes | None]:
        """Write a row that begins so; return its token, or None and the row as it is, if any."""
        ...

    async def remove(self, key: Key, token: Token, *, what: str) -> bool:
        """Remove a row that has that token; tell whether it had."""
        ...

    async def take(
        self, key: Key, leaving: bytes | None = None, lasts: Milliseconds = 0
    ) -> bytes | None:
        """Remove a row, or leave another in its place; return what it was.

        One that has an intent is returned and stays as it is.
        """
        ...

    async def is_ending(self, old: Key, new: Key) -> bool:
        """Tell whether ``end_everybody`` is under way, which may take more than one act.

        A login that carries a session over from where it would have ended to where all have ended
        already has to wait until it is over.

        Args:
            old: the key of the session that is carried over.
            new: the key of the row that was made for it, before this is asked.
        """
        ...


class IndexEntry(NamedTuple):
    """A session in an index.

    Attributes:
        key: the session's.
        mark: of the login that entered it; no other entry ever has it. A page goes on behind it.
    """

    key: Key
    mark: str


class Newest(msgspec.Struct, frozen=True):
    """The sessions of an owner that logged in last.

    Attributes:
        entries: newest first, as many as were asked for.
        size: how many there are.
    """

    entries: list[IndexEntry]
    size: int

    @property
    def mark(self) -> str:
        """That of the newest: another login makes another one. Empty where there is none."""
        return self.entries[0].mark if self.entries else ""


class OwnerIndex(Protocol):
    """The keys of each owner's sessions, in the order of their logins. Every method is one act.

    An entry without its session is a ghost, and harms nobody: ``drop`` is called ``settle``.
    """

    async def newest(self, owner: str, number: int) -> Newest:
        """Return the sessions that logged in last."""
        ...

    async def oldest(
        self, owner: str, after: str | None, before: Key | None, number: int
    ) -> list[IndexEntry]:
        """Return a page of the sessions, oldest first.

        Args:
            owner: whose.
            after: the mark to go on behind.
            before: those alone that logged in earlier than this one; where it is gone, none.
            number: how many, at most.
        """
        ...

    async def enter(self, owner: str, key: Key, lasts: Milliseconds, newest: str | None) -> int:
        """Enter a session as the newest; return how many there are then.

        Return 0, and do nothing, where the newest has another mark; None is any.
        """
        ...

    async def keep(self, owner: str, key: Key, lasts: Milliseconds) -> None:
        """Enter a session that is missing, as the newest."""
        ...

    async def drop(self, owner: str, entries: Collection[IndexEntry]) -> None:
        """Take out entries; one that was entered anew meanwhile stays. An empty mark is any."""
        ...

    async def sample(self, owner: str, number: int) -> list[IndexEntry]:
        """Return some entries at random."""
        ...
