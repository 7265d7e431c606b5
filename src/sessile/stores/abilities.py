"""What a store may be able to do besides. ``stores.contract`` says what every store does.

Whoever needs one asks for it by ``isinstance``; ``Capability`` has those that promises need.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol, runtime_checkable

from sessile.core.ticket import Key
from sessile.core.value import Instant, Seconds
from sessile.stores.finding import Finding
from sessile.stores.placement import Placement
from sessile.stores.size import StoreSize
from sessile.wire.feed.connection import FeedConnection


@runtime_checkable
class FileBacked(Protocol):
    """A store in one file, which tools look for before they open, and so make, it.

    Attributes:
        path: the file, absolute.
    """

    path: Path


@runtime_checkable
class HasKeyFile(Protocol):
    """A store whose secret is in a file, where none is given.

    Attributes:
        key_path: the file, absolute; made when the secret is first needed.
    """

    key_path: Path


@runtime_checkable
class HasServerTime(Protocol):
    """A store whose server has a clock; ``sessile doctor`` compares it with this machine's."""

    async def server_time(self) -> Instant:
        """Return the server's time."""
        ...


@runtime_checkable
class HasTable(Protocol):
    """A store in a table of a database; ``sessile init`` makes it.

    Attributes:
        table: its name.
    """

    table: str

    def table_statements(self) -> tuple[str, ...]:
        """Return the statements that make the table; nothing is connected for that."""
        ...

    async def make_table(self) -> str | None:
        """Make the table; return in words what was made, None where it was there as it should be.

        Raises:
            StoreUnavailable: it cannot be made, or is another one; says what to write.
        """
        ...


@runtime_checkable
class HasDiagnosis(Protocol):
    """A store that can say what ends its sessions, or lets people in; for ``sessile doctor``."""

    async def diagnose(self) -> list[Finding]:
        """Look at the store, in the state it is in; show no secret.

        Raises:
            StoreUnavailable: it did not answer.
        """
        ...


@runtime_checkable
class HasSize(Protocol):
    """A store that can say how large it is, for ``sessile stat`` and for gauges."""

    async def size(self) -> StoreSize:
        """Return how large it is, at the cost of a few commands, however many sessions there are.

        Raises:
            StoreUnavailable: it did not answer.
        """
        ...


@runtime_checkable
class HasPlacement(Protocol):
    """A store that keeps a session on some of its servers, and can say on which."""

    async def placement(self, key: Key) -> Placement:
        """Return where the session of that key is, or would be.

        Raises:
            StoreUnavailable: it did not answer.
        """
        ...


@runtime_checkable
class HasFeed(Protocol):
    """A store with ``Capability.FEED``: it tells of every commit and every end, soon after.

    Nobody trusts a copy whose heartbeat is late: see ``wire.feed.follower``.
    """

    def open_feed(
        self, timer: Callable[[], Seconds], wanted: Callable[[], Collection[Key]]
    ) -> FeedConnection:
        """Connect, on this thread; what is changed from now on is told.

        Args:
            timer: seconds by a clock that never runs backwards; heartbeats are on it.
            wanted: the keys of which somebody wants to hear, for stores that have to be asked.

        Raises:
            StoreUnavailable: it cannot be reached.
        """
        ...
