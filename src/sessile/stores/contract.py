"""What every store promises. ``sessile.testing.conformance`` asks each promise of each store.

Methods are flows (see ``core.flow``). A store keeps whole records and decides nothing about
sessions: ``now`` is passed in, deadlines stand in the record, a server's TTL is only garbage
collection. A store that cannot be reached raises ``StoreUnavailable`` within its time limit.
"""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from sessile.core.change import Answer, Capability, Change, Claimed, Excess, Full, Page
from sessile.core.record import Record
from sessile.core.ticket import Key
from sessile.core.value import Instant


@runtime_checkable
class Store(Protocol):
    """Records under keys, with optimistic versions and an index by owner.

    Attributes:
        capabilities: what this store can do.
        name: what it is and where, without credentials: ``"redis://cache:6379/0"``.
        malformed: called with the key of a row that is no record; the service sets it.
    """

    capabilities: ClassVar[Capability]
    name: str
    malformed: Callable[[Key], None]

    @classmethod
    def from_url(cls, url: str) -> "Store":
        """Return the store of that URL. ``stores.open`` calls it; nothing is connected yet.

        Raises:
            ConfigError: the URL is wrong; says what to write, and shows no credentials.
        """
        ...

    async def read(self, key: Key, now: Instant) -> Record | None:
        """Return the live record. Missing, expired and malformed are None, never raised."""
        ...

    async def create(self, record: Record) -> None:
        """Store a new record that has no owner.

        Raises:
            KeyTaken: one exists; it stays as it is.
        """
        ...

    async def claim(
        self, record: Record, now: Instant, *, limit: int | None = None,
        excess: Excess = Excess.END_OLDEST,
        replacing: Key | None = None,
    ) -> Claimed | Full:  # fmt: skip
        """Store a new record and enter it into its owner's index, as one act.

        Of N claims at once under a limit, each sees all that came before it: with ``END_OLDEST``
        whoever ends the excess that is returned leaves exactly ``limit`` sessions; with ``REFUSE``
        at most ``limit`` are admitted. The new record is never part of its own excess. Expired
        entries do not count, nor does the one it replaces, which the caller ends next.

        Raises:
            KeyTaken: a record of that key exists; nothing was changed.
        """
        ...

    async def commit(self, change: Change) -> Answer:
        """Replace the record if its version is still the expected one. Never creates."""
        ...

    async def delete(
        self, key: Key, owner: str | None = None, *, leaving: Record | None = None
    ) -> Record | None:
        """Remove the record, and its entry in that owner's index. Return what was removed.

        Deleting what is not there, or is malformed, is None and no error.

        Args:
            key: whose.
            owner: in whose index it stands.
            leaving: put in its place, as one act, if there was a record.
        """
        ...

    async def end_everybody(self, now: Instant) -> None:
        """End every session there is, as one act, however many there are.

        Once it has returned, what was created or claimed before it is as if it were deleted, for
        every act of every process: a commit that was under way is ``Gone``, a limit does not count
        it, its key is free. What is created after it lives, whatever the clocks of two servers say.
        It costs the other acts no command of their own.

        Raises:
            StoreUnavailable: nobody knows whether they ended; ask again.
        """
        ...

    async def owned_by(self, owner: str, now: Instant) -> list[Record]:
        """Return the owner's live records, oldest claim first."""
        ...

    async def scan(self, now: Instant, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of live records, about ``batch`` of them.

        Every record that lives through the whole scan is on at least one page.
        """
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


@runtime_checkable
class InFile(Protocol):
    """A store in one file, which tools look for before they open, and so make, it.

    Attributes:
        path: the file, absolute.
    """

    path: Path


@runtime_checkable
class Dated(Protocol):
    """A store whose server has a clock; ``sessile doctor`` compares it with this machine's."""

    async def server_time(self) -> Instant:
        """Return the server's time."""
        ...


def unheeded(key: Key) -> None:
    """Ignore a malformed row: what ``malformed`` is until the service listens."""
