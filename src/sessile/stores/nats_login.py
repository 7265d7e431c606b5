"""A login in a stream: which messages are stored as one act. ``excess`` chooses what it ends.

What was read decides, and each message is stored on the condition that what was read is there
still. So is the index of the owner, which every login changes: rivals come in turn.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from sessile.errors import KeyTaken
from sessile.stores.contract import (
    GONE,
    MOST_ENDED,
    Conflict,
    Corrupt,
    Full,
    Gone,
    Head,
    Key,
    Limit,
    Record,
    Replaced,
    Replacement,
    ReplaceResult,
    head_of,
    pack,
    unpack,
)
from sessile.stores.excess import MOST_DEAD, Crowded, choose
from sessile.stores.nats_rows import NatsRow, NatsRows, StreamIndex, entry_of
from sessile.stores.row import version_start
from sessile.wire.nats.messages import StreamMessage

_DEAD_AT_ONCE: Final = 900
"""Sessions whose time is over that one act removes: a batch has a thousand messages at most."""


class NatsLogin:
    """One attempt of a login.

    Args:
        rows: of the store.
        replacement: what the login does.

    Attributes:
        messages: what is stored as one act; none where the login is not done.
        result: what the login has done then; None where the messages only make room for it.
    """

    def __init__(self, rows: NatsRows, replacement: Replacement) -> None:
        self._rows = rows
        self._replacement = replacement
        self.messages: list[StreamMessage] = []
        self.result: ReplaceResult | None = Replaced()

    async def plan(self) -> None:
        """Look at what is there, and say what to do.

        Raises:
            KeyTaken: there is a record of the new key.
        """
        new, old, grave = (
            self._replacement.new, self._replacement.old, self._replacement.tombstone,
        )  # fmt: skip
        owners = {one.owner for one in (old, new) if one is not None and one.owner is not None}
        keys = [Key(one.key) for one in (new, old) if one is not None]
        (free, *last), indexes = await self._rows.look(keys, owners)
        if free.value is not None:
            raise KeyTaken(new.key)
        refusal = None if old is None else _check(last[0], old)
        if refusal is not None:
            self.result = refusal
            return
        for owner, (index, seq) in indexes.items():
            changed: StreamIndex | None = index.without(set(keys[1:]))
            if owner == new.owner and changed is not None:
                changed = await self._enter(owner, changed, seq)
            if changed is None:
                return
            if changed != index:
                self.messages.append(self._rows.index(owner, seq, changed))
        if old is not None:
            self.messages.append(self._rows.session(old.key, last[0].seq, grave))
        self.messages.append(self._rows.session(new.key, free.seq, new))

    async def _enter(self, owner: str, index: StreamIndex, seq: int) -> StreamIndex | None:
        """Return the index with the new session, and without those that end for it.

        None where the login is refused, or many dead sessions have to be out of the way first.
        """
        new, limit = self._replacement.new, self._replacement.limit
        index = index.alive(self._replacement.now)
        entry = entry_of(new, index)
        if limit is None or len(index.entries) < limit.number:
            return index.with_entry(entry)
        excess, rows = await self._choose(limit, index)
        if isinstance(excess, Replaced):
            self.result = excess
            gone = {key for key, row in rows.items() if row.value is None}
            self._end(excess.ended, rows)
            return index.without({*excess.ended, *gone}).with_entry(entry)
        if isinstance(excess, Full):
            self.result = excess
        else:
            self.result, dead = None, excess.dead[:_DEAD_AT_ONCE]
            self._end(dead, rows)
            self.messages.append(self._rows.index(owner, seq, index.without(set(dead))))
        return None

    async def _choose(
        self, limit: Limit, index: StreamIndex
    ) -> tuple[Replaced | Full | Crowded, dict[Key, NatsRow]]:
        """Say which sessions end, by the newest ones first; and return what was looked at."""
        newest = [entry.key for entry in reversed(index.entries)]
        rows: dict[Key, NatsRow] = {}
        excess: Replaced | Full | Crowded = Full()
        for number in (limit.number + MOST_ENDED, limit.number + MOST_DEAD):
            more = newest[len(rows) : number]
            rows |= dict(zip(more, await self._rows.get_all(more), strict=True))
            heads = ((key, _head(key, row)) for key, row in rows.items())
            new, now = self._replacement.new.key, self._replacement.now
            excess = choose(limit, heads, len(newest), now, new=new, old=None)
            if not isinstance(excess, Crowded):
                break
        return excess, rows

    def _end(self, keys: Iterable[Key], rows: Mapping[Key, NatsRow]) -> None:
        for key in keys:
            if rows[key].value is not None:
                self.messages.append(self._rows.session(key, rows[key].seq, None))


def _head(key: Key, row: NatsRow) -> Head | None:
    return None if row.value is None else head_of(row.value, key)


def _check(row: NatsRow, old: Record) -> Gone | Conflict | Corrupt | None:
    """Return why the place of a session cannot be taken, if it is another one by now."""
    if row.value is None:
        return GONE
    if row.value.startswith(version_start(pack(old), old.key, old.version)):
        return None
    current = unpack(row.value, Key(old.key))
    return current if isinstance(current, Corrupt) else Conflict(current)
