"""Which of a user's sessions a login ends, however many there are. For ``memory`` and ``sqlite``.

``redis_scripts`` says the same in Lua. A login looks at the newest sessions first, and no further
than it takes: as many as are allowed stay, and what logged in before those is over the limit,
whether it was looked at or not. So the work of a login is bounded, though an index may be longer
than a limit: from the time before there was one.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Final

import msgspec

from sessile.stores.contract import MOST_ENDED, Full, Head, Instant, Key, Limit, Replaced

MOST_DEAD: Final = 1000
"""Sessions whose time is over that one act looks at, on the way to those that live."""


class Crowded(msgspec.Struct, frozen=True):
    """Too many dead sessions stood in the way to tell. Without them the login goes on.

    Attributes:
        dead: their keys.
    """

    dead: tuple[Key, ...]


def choose(
    limit: Limit,
    entries: Iterable[tuple[Key, Head | None]],
    size: int,
    now: Instant,
    *,
    new: str,
    old: str | None,
) -> Replaced | Full | Crowded:
    """Say which sessions a login ends: what is over the limit, and what is nobody's by now.

    Args:
        limit: how many sessions the owner may have.
        entries: the keys of the owner's sessions, newest login first, and how their records begin;
            they are looked at one by one.
        size: how many there are.
        now: the time of the login.
        new: the key of the new session.
        old: that of the session whose place it takes.
    """
    held: list[Key] = []
    nobodys: list[Key] = []
    dead: list[Key] = []
    looked_at = 0
    for key, head in islice(entries, limit.number + MOST_DEAD):
        looked_at += 1
        if key != old:
            lives = head is not None and head.live_at(now)
            unclaimed = lives and head is not None and head.is_unclaimed(now)
            (nobodys if unclaimed else held if lives else dead).append(key)
        if len(held) == limit.number + MOST_ENDED:
            break
    is_cut = looked_at < size
    if is_cut and len(held) < limit.number:
        return Crowded((*dead, *nobodys))
    excess = limit.excess(held[::-1])
    if excess is None:
        return Full()
    stay = len(held) - len(excess)
    oldest = held[stay - 1] if stay else Key(new)
    ended = (*excess, *nobodys)[:MOST_ENDED]
    return Replaced(ended, oldest if is_cut or len(excess) > MOST_ENDED else None)
