"""What all records of a store add up to, one after another, in memory that does not grow.

``service.size`` asks the store instead, which looks at none of them.
"""

from collections import Counter
from typing import Final

import msgspec

from sessile.core.record import Record, RecordKind
from sessile.core.ticket import Key
from sessile.core.value import Instant, Seconds
from sessile.service.context import Context
from sessile.service.distinct import DistinctCount
from sessile.stores.contract import Corrupt, pack

AGES: Final[tuple[tuple[str, Seconds], ...]] = (
    ("hour", 3_600.0),
    ("day", 86_400.0),
    ("week", 7 * 86_400.0),
    ("month", 30 * 86_400.0),
)
"""How old the sessions are at most that are counted together; older ones are the rest."""


class RecordSizes(msgspec.Struct):
    """The sizes of some records, as they are stored; keys and indexes of the store not included.

    Attributes:
        number: of the records.
        bytes: their sum.
        largest: the bytes of the largest one.
        largest_key: its key.
    """

    number: int = 0
    bytes: int = 0
    largest: int = 0
    largest_key: Key | None = None

    @property
    def mean(self) -> int:
        """The mean size in bytes."""
        return round(self.bytes / self.number) if self.number else 0

    def add(self, record: Record) -> None:
        """Add one."""
        size = len(pack(record))
        self.number += 1
        self.bytes += size
        if size > self.largest:
            self.largest, self.largest_key = size, Key(record.key)


class Statistics:
    """Counts sessions, and what else is stored.

    Args:
        context: judges which of them live.

    Attributes:
        now: the time when it began, by which all are judged.
        users: the different users who have a live session.
        of_users: how many live sessions are a user's.
        of_visitors: how many are nobody's, or of somebody who has given a first factor.
        expired: sessions whose time is over, and which are still there.
        others: what is no session: tombstones, evidence, lists of devices, rows of servers,
            sessions that move to another store just now.
        malformed: rows that are no record, or one that is not genuine.
        live: the sizes of the live sessions.
        all: the sizes of all records.
        ages: how many live sessions are younger than each of ``AGES``, and not than the one before;
            under "older" the rest.
        oldest: when the oldest live session was made; None where there is none.
        newest: when the newest one was.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self.now = context.clock()
        self.users = DistinctCount()
        self.of_users = self.of_visitors = self.expired = self.others = self.malformed = 0
        self.live, self.all = RecordSizes(), RecordSizes()
        self.ages: Counter[str] = Counter()
        self.oldest: Instant | None = None
        self.newest: Instant | None = None

    def add(self, found: Record | Corrupt) -> None:
        """Count one row."""
        record = self._context.intact(found)
        if record is None:
            self.malformed += 1
            return
        self.all.add(record)
        if record.kind is not RecordKind.SESSION:
            self.others += 1
        elif self._context.policy.lives(record, self.now):
            self._add_live(record)
        else:
            self.expired += 1

    def _add_live(self, record: Record) -> None:
        if record.owner is None:
            self.of_visitors += 1
        else:
            self.of_users += 1
            self.users.add(record.owner)
        self.live.add(record)
        self.ages[age_of(self.now - record.created)] += 1
        self.oldest = record.created if self.oldest is None else min(self.oldest, record.created)
        self.newest = record.created if self.newest is None else max(self.newest, record.created)


def age_of(age: Seconds) -> str:
    """Return which of the ages that are counted together this one is."""
    return next((name for name, most in AGES if age < most), "older")


async def count_page(statistics: Statistics, context: Context, cursor: str | None) -> str | None:
    """Add a page of the store's records; return where to go on, None at the end."""
    page = await context.store.scan(cursor)
    for found in page.records:
        statistics.add(found)
    return page.cursor
