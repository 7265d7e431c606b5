"""What a store may be able to do besides. ``stores.contract`` says what every store does.

Whoever needs one asks for it by ``isinstance``; ``Capability`` has those that promises need.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from sessile.core.ticket import Key
from sessile.core.value import Instant
from sessile.stores.finding import Finding


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

    async def make_table(self) -> bool:
        """Make the table; return False where it was there, and is of this version.

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


class FeedNotice(msgspec.Struct, frozen=True):
    """Word from a store's feed: a record was committed, or is gone.

    Attributes:
        key: whose; None is the heartbeat, or, with ``ended``, everybody.
        version: of the record as it is now; None where it ended.
        ended: whether the session ended.
    """

    key: Key | None
    version: int | None = None
    ended: bool = False


@runtime_checkable
class HasFeed(Protocol):
    """A store with ``Capability.FEED``: it tells its listeners of every commit and every end.

    No store of this package has one yet. Nobody trusts a copy whose heartbeat is late.
    """

    async def subscribe(self, listener: Callable[[FeedNotice], None]) -> None:
        """Call a listener with each notice from now on, until the store is closed."""
        ...
