"""Who watches which session on one event loop, and whom the store is asked about next.

The store's answer alone ends a watch. What makes it worth asking:

- A word of the store's feed. It is a hint, and one that lies ends nothing.
- A deadline of the session itself.
- Where the store has no feed, or its heartbeat is late: that it was not asked for a while.

A few are asked at once, so that the end of everybody does not trample the store down. One who
cannot be asked stays, and is asked again. ``wire.ticker`` keeps the time; ``service.watch`` has the
watchers of an application.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final, Protocol

from sessile.core.flow import Flow
from sessile.core.life import Life, OpenSession
from sessile.core.ticket import Key
from sessile.core.value import Instant, Seconds
from sessile.wire import system
from sessile.wire.together import together

AT_ONCE: Final = 64
"""Sessions that the store is asked about at once; after so many failures in a row it has a rest."""

REST: Final[Seconds] = 1.0
"""Seconds after which the clocks are looked at, and a store that did not answer is asked again."""

_EARLY: Final = 0.1
"""By what part of the time between two looks one may come too early, beside those who are due."""


class Waker(Protocol):
    """Has the next round gone; see ``wire.ticker``."""

    def wake(self) -> None:
        """Go one soon. Called on the loop's thread."""
        ...

    def wake_from_thread(self) -> None:
        """Go one soon. Called on any thread."""
        ...

    def close(self) -> None:
        """Have no more of them gone. Called on any thread."""
        ...

    async def aclose(self) -> None:
        """Return when none is under way any more. Called on the loop's thread."""
        ...


class Watch:
    """Somebody who is told of the end of a session, once.

    Args:
        watchers: among whom.
        tell: called on the event loop.
        leave: called there instead, where the server drains; None for who stays.

    Attributes:
        watched: the session; None once it has ended, or nobody watches any longer.
    """

    __slots__ = ("_watchers", "leave", "tell", "watched")

    def __init__(
        self,
        watchers: "Watchers",
        tell: Callable[[], object],
        leave: Callable[[], object] | None = None,
    ) -> None:
        self._watchers = watchers
        self.tell, self.leave = tell, leave
        self.watched: _Watched | None = None

    def stop(self) -> None:
        """Watch no longer. Harmless when repeated. Call it on the loop's thread."""
        self._watchers.remove(self)


class _Watched:
    """A session, and those who watch it."""

    __slots__ = ("asked", "due", "is_next", "session", "until", "watches")

    def __init__(self, life: Life, asked: Seconds) -> None:
        self.session, self.until = life.session, life.until
        self.asked = asked  # the store, by the timer
        self.watches: list[Watch] = []
        self.is_next = False  # whether it is in the queue, or will be
        self.due: Instant | None = None  # as the agenda has it


class Watchers:
    """The watches of one event loop.

    All but ``hear``, ``has`` and ``list_keys`` is for its thread alone.

    Args:
        look: asks the store for a session; its flow returns None where that is over.
        is_fresh: tells whether the store's feed passes nothing over just now.
        every: how often the store is asked otherwise.
        clock: seconds since 1970.
        tell: called with what went wrong where the store could not be asked.
        timer: seconds by a clock that never runs backwards.

    Attributes:
        waker: has rounds gone.
    """

    waker: Waker

    def __init__(
        self,
        look: Callable[[OpenSession], Flow[Life | None]],
        *,
        is_fresh: Callable[[], bool],
        every: Seconds,
        clock: Callable[[], Instant],
        tell: Callable[[Exception], object] = bool,
        timer: Callable[[], Seconds] = system.timer,
    ) -> None:
        self._look = look
        self._is_fresh = is_fresh
        self._every = every
        self._clock = clock
        self._tell = tell
        self._timer = timer
        self._watched: OrderedDict[Key, _Watched] = OrderedDict()  # longest not asked first
        self._heard: deque[Key | None] = deque()  # from the feed's thread
        self._queue: deque[_Watched] = deque()
        self._agenda: list[tuple[Instant, int, _Watched]] = []  # a heap
        self._numbers = count()
        self._failed: list[_Watched] = []
        self._failures = 0  # in a row
        self._rests_until: Seconds = 0.0

    def add(
        self,
        life: Life,
        tell: Callable[[], object],
        leave: Callable[[], object] | None = None,
    ) -> Watch:
        """Begin to watch a session that was read before; ``tell`` is called once it is over."""
        watch = Watch(self, tell, leave)
        self._put(life, watch)
        self.waker.wake()
        return watch

    def remove(self, watch: Watch) -> None:
        """Watch no longer: see ``Watch.stop``."""
        watched, watch.watched = watch.watched, None
        if watched is not None:
            watched.watches.remove(watch)
            if not watched.watches:
                self._drop(watched)
                if not self._watched:
                    self.waker.wake()  # whose task has nothing left to wait for

    def send_away(self) -> None:
        """Have those leave who can; they watch no longer."""
        watches = [watch for watched in self._watched.values() for watch in watched.watches]
        for watch in watches:
            if watch.leave is not None:
                watch.stop()
                watch.leave()

    def hear(self, keys: Collection[Key] | None) -> None:
        """Take a word of the feed; None is that any session may have changed. On any thread."""
        if keys is not None:
            self._heard.extend(key for key in keys if key in self._watched)
        elif self._watched:
            self._heard.append(None)
        if self._heard:
            self.waker.wake_from_thread()

    def list_keys(self) -> list[Key]:
        """Return the keys of all that are watched. On any thread."""
        return list(self._watched)

    def has(self, key: Key) -> bool:
        """Tell whether anybody watches the session. On any thread."""
        return key in self._watched

    async def go(self) -> Seconds | None:
        """Go one round: ask the store about those whose turn it is, and tell whose time is over.

        Return how long to rest; None where nobody watches anything.
        """
        self._failures = 0
        self._take_heard()
        self._take_due()
        if self._queue:
            number = min(AT_ONCE, len(self._queue))
            await together("watch", [self._ask_next] * number)
        return self._rest()

    def _take_heard(self) -> None:
        while self._heard:
            key = self._heard.popleft()
            if key is None:
                for watched in self._watched.values():
                    self._note(watched)
            elif key in self._watched:
                self._note(self._watched[key])

    def _take_due(self) -> None:
        now, time = self._clock(), self._timer()
        for watched in self._over(now):
            self._note(watched)
        if time >= self._rests_until:
            self._queue.extend(self._failed)
            self._failed.clear()
        if not self._is_fresh():
            for watched in self._watched.values():
                if watched.asked + self._every * (1 - _EARLY) > time:
                    break
                self._note(watched)

    def _over(self, now: Instant) -> Iterator[_Watched]:
        """Yield the sessions whose time may be over by the clock."""
        while self._agenda and self._agenda[0][0] <= now:
            due, _, watched = heappop(self._agenda)
            if watched.due != due or not watched.watches:
                continue  # it has an earlier one, or nobody watches it
            watched.due = None
            if watched.until <= now:
                yield watched
            else:
                self._plan(watched)

    async def _ask_next(self) -> None:
        """Ask about one after the other until none is left, or the store answers nobody."""
        while self._queue and self._failures < AT_ONCE:
            watched = self._queue.popleft()
            watched.is_next = False
            if watched.watches:
                await self._ask(watched)
                self._take_heard()

    async def _ask(self, watched: _Watched) -> None:
        asked = self._timer()
        try:
            life = await self._look(watched.session)
        except Exception as error:  # noqa: BLE001  (whatever a store does wrong ends no session)
            self._tell(error)
            self._fail(watched, asked)
            return
        self._failures = 0
        if not watched.watches:
            return
        if life is None:
            self._end(watched)
        elif life.session.key != watched.session.key:
            self._move(watched, life)
        else:
            self._go_on(watched, asked, max(life.until, self._clock() + REST))

    def _go_on(self, watched: _Watched, asked: Seconds, until: Instant) -> None:
        watched.asked = asked
        self._watched.move_to_end(watched.session.key)
        watched.until = until
        self._plan(watched)

    def _fail(self, watched: _Watched, asked: Seconds) -> None:
        """Have the store asked again later, by when others had their turn."""
        self._failures += 1
        self._rests_until = asked + REST
        if watched.watches:
            watched.is_next = True
            self._failed.append(watched)
            watched.asked = asked
            self._watched.move_to_end(watched.session.key)

    def _end(self, watched: _Watched) -> None:
        self._drop(watched)
        watches, watched.watches = watched.watches, []
        for watch in watches:
            watch.watched = None
        for watch in watches:
            watch.tell()

    def _move(self, watched: _Watched, life: Life) -> None:
        """Watch a session under the key that it goes on under."""
        self._drop(watched)
        watches, watched.watches = watched.watches, []
        for watch in watches:
            self._put(life, watch)

    def _put(self, life: Life, watch: Watch) -> None:
        key = life.session.key
        watched = self._watched.get(key)
        if watched is None:
            watched = self._watched[key] = _Watched(life, self._timer())
        watched.watches.append(watch)
        watch.watched = watched
        self._plan(watched)
        # Only from now on a word of the feed is heard, and the session may have changed since it
        # was read. Where the feed is not fresh the store is asked in time, or when it is again.
        if self._is_fresh():
            self._note(watched)

    def _drop(self, watched: _Watched) -> None:
        self._watched.pop(watched.session.key, None)

    def _note(self, watched: _Watched) -> None:
        if not watched.is_next:
            watched.is_next = True
            self._queue.append(watched)

    def _plan(self, watched: _Watched) -> None:
        """Enter the end of its time into the agenda, unless an earlier time is there."""
        if watched.due is None or watched.until < watched.due:
            watched.due = watched.until
            heappush(self._agenda, (watched.until, next(self._numbers), watched))
        if len(self._agenda) > 2 * len(self._watched) + AT_ONCE:  # most of them are watched no more
            self._agenda = [one for one in self._agenda if one[2].watches and one[2].due == one[0]]
            heapify(self._agenda)

    def _rest(self) -> Seconds | None:
        if not self._watched:
            return None
        rest = REST
        if self._agenda:
            rest = min(rest, self._agenda[0][0] - self._clock())
        if not self._queue and not self._is_fresh():  # or else the store answers nobody
            first = next(iter(self._watched.values()))
            rest = min(rest, first.asked + self._every - self._timer())
        return max(rest, 0.0)
