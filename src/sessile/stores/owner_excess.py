"""Which of an owner's sessions a login ends, where the index and the rows are read one by one.

``excess.choose`` decides; this reads what it takes, and no more.
"""

from typing import Final

import msgspec

from sessile.core.value import Seconds
from sessile.stores.contract import (
    MOST_ENDED,
    Corrupt,
    Full,
    Limit,
    Record,
    Replaced,
    Replacement,
    head_of,
)
from sessile.stores.excess import MOST_DEAD, Crowded, choose
from sessile.stores.intents import is_unsettled, record_start
from sessile.stores.key_value import IndexEntry, OwnerIndex, RowServer
from sessile.stores.settling import Patience, free, remove_if

_SAMPLE: Final = 4
_SMALL: Final = 16
"""Entries that an index may have before a login looks for ghosts in it."""


class Choice(msgspec.Struct, frozen=True):
    """What a login does to the others of its owner.

    Attributes:
        excess: which end, or that it is refused.
        newest: the mark that the newest has to have still when the login is entered; None for any.
        ghosts: entries whose session is gone.
    """

    excess: Replaced | Full = Replaced()
    newest: str | None = None
    ghosts: tuple[IndexEntry, ...] = ()


async def choose_excess(
    rows: RowServer,
    index: OwnerIndex,
    limit: Limit,
    replacement: Replacement,
    patience: Seconds,
) -> Choice:
    """Say what a login within a limit ends, once no other login of its owner is half done."""
    owner = replacement.new.owner or ""
    old = None if replacement.old is None else replacement.old.key
    left, number = Patience(patience), limit.number + MOST_ENDED
    while True:
        newest = await index.newest(owner, 1)
        if newest.size < limit.number:
            return Choice(newest=newest.mark)
        newest = await index.newest(owner, number)
        keys = [entry.key for entry in newest.entries]
        starts = dict(zip(newest.entries, await rows.starts(keys), strict=True))
        heads = (
            (entry.key, None if start is None else head_of(record_start(start), entry.key))
            for entry, start in starts.items()
        )
        excess = choose(
            limit, heads, newest.size, replacement.now, new=replacement.new.key, old=old
        )
        unsettled = [entry.key for entry, start in starts.items() if start and is_unsettled(start)]
        if isinstance(excess, Crowded):
            if number < limit.number + MOST_DEAD:
                number = limit.number + MOST_DEAD
            else:
                dead = [entry for entry in newest.entries if entry.key in excess.dead]
                await _remove_dead(rows, index, replacement, dead, patience)
        elif not unsettled or excess == Replaced():
            ghosts = tuple(entry for entry, start in starts.items() if start is None)
            return Choice(excess, newest.mark, ghosts)
        elif not await left.wait():
            for key in unsettled:
                await free(rows, key, 0.0)


async def _remove_dead(
    rows: RowServer,
    index: OwnerIndex,
    replacement: Replacement,
    dead: list[IndexEntry],
    patience: Seconds,
) -> None:
    """Remove sessions whose time is over, with their entries."""

    def is_dead(record: Record | Corrupt) -> bool:
        now = replacement.now
        return (
            isinstance(record, Corrupt)
            or record.version < 1
            or not record.live_at(now)
            or record.is_unclaimed(now)
        )

    gone = []
    for entry in dead:
        removal = await remove_if(rows, entry.key, patience, is_dead)
        gone += [] if removal.stays else [entry]
    await index.drop(replacement.new.owner or "", gone)


async def drop_ghosts(rows: RowServer, index: OwnerIndex, owner: str, size: int) -> None:
    """Look at some entries of a large index, and take out those whose session is gone.

    With each login one entry comes, so that no more than a few have to be looked at.
    """
    if size > _SMALL:
        some = await index.sample(owner, _SAMPLE)
        starts = await rows.starts([entry.key for entry in some])
        gone = [entry for entry, start in zip(some, starts, strict=True) if start is None]
        if gone:
            await index.drop(owner, gone)
