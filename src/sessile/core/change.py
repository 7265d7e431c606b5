"""What travels between the service and a store: a change, and the three answers to it."""

from enum import Enum, Flag, auto
from typing import Final, TypeAlias

import msgspec

from sessile.core.record import Record
from sessile.core.ticket import Key


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
    """The session ended; nothing was written and nothing came back to life."""


COMMITTED: Final = Committed()
GONE: Final = Gone()

Answer: TypeAlias = Committed | Conflict | Gone


class Excess(Enum):
    """What happens when an owner has as many sessions as allowed."""

    END_OLDEST = "end oldest"  # the newest login wins; a thief with the password throws you out
    END_OTHERS = "end others"  # the newest login alone stays
    REFUSE = "refuse"  # the oldest wins; whoever forgot to log out waits for the idle clock


class Claimed(msgspec.Struct, frozen=True):
    """The record is stored and stands in its owner's index.

    Attributes:
        excess: the owner's sessions over the limit, oldest first; the service ends them.
    """

    excess: tuple[Key, ...] = ()


class Full(msgspec.Struct, frozen=True):
    """The owner has as many sessions as allowed; nothing was written."""


class Capability(Flag):
    """What a store can do. The contract suite asks for what a promise needs."""

    OWNERS = auto()  # keeps the index of a user's sessions, with atomic limits
    SCAN = auto()  # lists every session, page by page
    NATIVE_EXPIRY = auto()  # the server removes what is past its deadlines; no sweep
    SHARED = auto()  # several processes see the same sessions
    NETWORK = auto()  # reached over a network: secrets must be given
    DURABLE = auto()  # sessions survive a restart of the store
    STALE_READS = auto()  # a read may miss the newest commit: freshness hints are sent


class Page(msgspec.Struct, frozen=True):
    """One page of a scan.

    Attributes:
        records: live records.
        cursor: where to go on; None at the end.
    """

    records: list[Record]
    cursor: str | None
