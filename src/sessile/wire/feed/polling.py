"""The feed of a store that tells nobody: it is looked at. ``stores.sqlite_feed`` says how.

Whoever writes pays nothing for it. A look asks first whether anything was written, by anybody, and
only then for the versions of the keys that somebody wants to hear of. What it sees for the first
time it tells as well: whoever wants a key may have read its record before, at another version.
"""

import contextlib
import math
import time
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Final, NamedTuple, Protocol

from sessile.core.ticket import Key
from sessile.core.value import Seconds
from sessile.errors import StoreClosed
from sessile.wire.feed.connection import Heard

LOOK_INTERVAL: Final[Seconds] = 0.05
"""Seconds between two looks, where they are quick."""

_REST: Final = 10  # times as long as a look has worked: a tenth of a core, at most, goes to looks

_CHUNK: Final = 512  # keys that are asked for at once: about a thousandth of a second

_UNSEEN: Final = object()


class Glance(NamedTuple):
    """What there is to see without a look at any row.

    Attributes:
        era: another one than before where every record may have changed, as in another file.
        is_written: whether anything may have been written since the glance before.
    """

    era: Hashable
    is_written: bool


class VersionSource(Protocol):
    """What can be looked at. Its methods fail as acts of the store do."""

    def glance(self) -> Glance:
        """Look whether there may be anything new. To be called by one thread."""
        ...

    def find_versions(self, keys: Collection[Key]) -> Mapping[Key, Hashable]:
        """Return the versions of those rows that are there: another one where the row is."""
        ...


class PollingConnection:
    """A feed that looks at its store now and then. Want a key before you read its record.

    Args:
        source: what is looked at.
        timer: seconds by a clock that never runs backwards.
        wanted: the keys of which somebody wants to hear.
        sleep: waits for so many seconds.
        work: seconds that this thread has worked. What it waited for others does not count: else
            a busy process would look seldom, its heartbeat be late, and all ask the store.

    Raises:
        StoreUnavailable: it cannot be reached.
    """

    def __init__(
        self,
        source: VersionSource,
        timer: Callable[[], Seconds],
        wanted: Callable[[], Collection[Key]],
        *,
        sleep: Callable[[Seconds], object] = time.sleep,
        work: Callable[[], Seconds] = time.thread_time,
    ) -> None:
        self._source = source
        self._timer = timer
        self._wanted = wanted
        self._sleep = sleep
        self._work = work
        self._seen: dict[Key, Hashable] = {}  # None is that there is no such row
        self._next_look = -math.inf
        self._era: Hashable = None
        with contextlib.suppress(StoreClosed):  # then the first look finds out
            self._era = source.glance().era

    def wait(self, seconds: Seconds) -> Heard:
        """Look for something new, so long at most. One that was closed has no news."""
        end = self._timer() + seconds
        heard = Heard()
        while True:
            if self._timer() >= self._next_look:
                heard = self._look()
            left = end - self._timer()
            if heard.keys or heard.anything or left <= 0:
                return heard
            self._sleep(max(0.0, min(left, self._next_look - self._timer())))

    def close(self) -> None:
        """Look no more."""
        self._next_look = math.inf
        self._seen = {}

    def _look(self) -> Heard:
        """Look once, and say when to look again."""
        began = self._work()
        as_of = self._timer()  # before the look: what changes while it goes on may be missed
        try:
            keys, anything = self._compare()
        except StoreClosed:
            self.close()
            return Heard()
        if self._next_look < math.inf:  # else it was closed meanwhile
            pause = max(LOOK_INTERVAL, _REST * (self._work() - began))
            self._next_look = self._timer() + pause
        return Heard(keys, anything, as_of)

    def _compare(self) -> tuple[tuple[Key, ...], bool]:
        """Return the keys whose rows are others than was seen, and whether any may be."""
        wanted = list(self._wanted())
        glance = self._source.glance()
        anything = glance.era != self._era
        seen = {} if anything else self._seen
        asked = wanted if glance.is_written else [key for key in wanted if key not in seen]
        changed = []
        for at in range(0, len(asked), _CHUNK):
            chunk = asked[at : at + _CHUNK]
            found = self._source.find_versions(chunk)
            for key in chunk:
                version = found.get(key)
                if seen.get(key, _UNSEEN) != version:
                    seen[key] = version
                    changed.append(key)
        if len(seen) != len(wanted):  # else a key that is wanted again would count as seen
            seen = {key: seen[key] for key in wanted}
        self._era, self._seen = glance.era, seen
        return () if anything else tuple(changed), anything
