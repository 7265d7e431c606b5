"""Calls on a file that many processes, threads and loops use at once, as flows.

``wire.sqlite.file`` and ``wire.lmdb.file`` say how one is performed. It takes microseconds, so it
runs on the caller's thread in both colours. Where another process holds the lock the flow pauses
and tries again until the time limit: a thread sleeps, an event loop is left to others. Nothing is
held over a pause, so a cancelled call leaves nothing behind, and a thousand waiting calls need no
thread. While the file system stalls (``wire.embedded.stall``) a call pauses likewise until it has
the thread for such times (``wire.embedded.helper``). An event loop that is not busy gives it every
call, and stands still for a moment until it is done: that it will be is likely, and a wait is
dearer.
"""

import asyncio
import contextlib
import math
import time
from asyncio import _get_running_loop
from collections.abc import Callable, Iterator
from functools import partial
from threading import get_ident
from typing import Any, Final, Generic, TypeVar

from sessile.core.flow import Ask
from sessile.errors import StoreUnavailable
from sessile.wire.embedded.helper import Errand, Helper, Occupied
from sessile.wire.embedded.stall import LOOP_PATIENCE, PATIENCE, WARMTH, Stall
from sessile.wire.log import log_stall
from sessile.wire.pause import pause
from sessile.wire.throttle import SELDOM

R = TypeVar("R")
H = TypeVar("H")
"""What a call is given: a cursor, a transaction."""

_MANY: Final = 100  # what a call of many rows counts as

_PAUSES: Final = (0.0, 0.0005, 0.001, 0.002, 0.005, 0.01)
"""Seconds between attempts. A writer is done in 20 µs, so the first only lets it run."""

_LAST_PAUSE: Final = 0.025
_NEVER: Final = -math.inf


class FileCalls(Generic[H]):
    """Calls on one file as flows. A kind of file says how one is performed.

    Args:
        name: what errors call it.
        limit: seconds after which a locked file is unavailable.
        reads: the calls that write nothing.
        clock: seconds that never run backwards, by which a call takes long.
    """

    __slots__ = (
        "_clock", "_helper", "_limit", "_log_next", "_long_helper", "_name", "_reads", "_stall",
    )  # fmt: skip

    def __init__(
        self,
        *,
        name: str,
        limit: float,
        reads: frozenset[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._limit = limit
        self._reads = reads
        self._clock = clock
        self._stall = Stall()
        self._helper = Helper()
        self._long_helper = Helper()  # who asks for many rows keeps nobody else waiting
        self._log_next = 0.0

    def _perform(self, call: Callable[[H], R]) -> R:
        """Make a call, here and now.

        Raises:
            FileLocked: another one holds the lock; nothing was changed.
            StoreUnavailable: it failed.
        """
        raise NotImplementedError

    def _note_write(self, number: int) -> None:
        """Hear that so many rows may have been written."""
        raise NotImplementedError

    def _close_file(self) -> None:
        """Close what is open, for good."""
        raise NotImplementedError

    async def ask(self, what: str, call: Callable[[H], R]) -> R:
        """Make a quick call: one statement, or one short transaction.

        It is made again after the file was locked, so until it has the lock it changes nothing.
        """
        try:
            return await Ask(what, partial(self._attempt, what, call))
        except _Obstacle as obstacle:
            return await self._retry(self._ask_again(what, call, obstacle.errand), obstacle)

    async def ask_in_thread(self, what: str, call: Callable[[H], R]) -> R:
        """Make a call of many rows, which an event loop gives to a thread."""
        deadline = time.monotonic() + self._limit
        here = partial(self._perform, call)

        async def wait() -> R:
            with self._as_obstacles():
                return await self._long_helper.start(here).await_(deadline - time.monotonic())

        ask = Ask(what, here, wait)
        try:
            return await ask
        except _Obstacle as obstacle:
            return await self._retry(ask, obstacle)
        finally:
            self._note_write(_MANY)

    def close(self) -> Ask[None]:
        """Close the file, for good."""
        return Ask("close", self._close, partial(asyncio.to_thread, self._close))

    def _close(self) -> None:
        self._close_file()
        self._helper.end()
        self._long_helper.end()

    async def _retry(self, ask: Ask[R], obstacle: "_Obstacle") -> R:
        """Try again after each pause."""
        for seconds in self._pauses(obstacle):
            await pause(seconds)
            with contextlib.suppress(_Obstacle):
                return await ask
        raise AssertionError  # the pauses end with an error

    def _pauses(self, obstacle: "_Obstacle") -> Iterator[float]:
        """Give the pauses between attempts; raise when the time limit has passed."""
        end = time.monotonic() + self._limit
        yield from _PAUSES
        while (left := end - time.monotonic()) > 0:
            yield min(_LAST_PAUSE, left)
        why = f"{obstacle.why}, for {self._limit:g} s so far"
        raise StoreUnavailable(self._name, why) from obstacle.__cause__ or obstacle

    def _attempt(self, what: str, call: Callable[[H], R]) -> R:
        """Make a call in place, unless the file system stalls or an event loop would find out."""
        stall, now = self._stall, self._clock()
        if (stall.is_slow or stall.running) and not stall.is_over(now):
            raise _Stalled
        if now - stall.quick.get(what, _NEVER) > WARMTH and _get_running_loop() is not None:
            return self._hand_over(what, call)
        return self._make(what, call, now)

    def _hand_over(self, what: str, call: Callable[[H], R]) -> R:
        """Let the thread make a call, and stand still for it, but not for long."""
        try:
            errand = self._helper.start(partial(self._make, what, call))
        except Occupied as error:
            raise _Stalled from error
        try:
            return errand.wait(LOOP_PATIENCE)
        except TimeoutError as error:
            raise _Stalled(errand) from error

    def _ask_again(self, what: str, call: Callable[[H], R], errand: "Errand[R] | None") -> Ask[R]:
        """Make a call in the thread if it is not sure to be quick.

        Args:
            what: its kind.
            call: what to do.
            errand: where it is under way already, and is only to be waited for.
        """
        deadline = time.monotonic() + self._limit
        begun = [] if errand is None else [errand]

        def time_left() -> float:
            return max(deadline - time.monotonic(), LOOP_PATIENCE)  # for the last attempt as well

        def begin() -> Errand[R]:
            return begun.pop() if begun else self._helper.start(partial(self._make, what, call))

        def block() -> R:
            if not begun and self._stall.is_over(self._clock()):
                return self._make(what, call)
            with self._as_obstacles():
                return begin().wait(time_left())

        async def wait() -> R:
            if not begun and self._stall.is_warm(what, self._clock()):
                return self._make(what, call)
            with self._as_obstacles():
                return await begin().await_(time_left())

        return Ask(what, block, wait)

    def _make(self, what: str, call: Callable[[H], R], now: float | None = None) -> R:
        """Make a call here, and keep in mind how long it took."""
        stall, clock, me = self._stall, self._clock, get_ident()
        stall.running[me] = began = clock() if now is None else now
        try:
            return self._perform(call)
        finally:
            if what not in self._reads:
                self._note_write(1)
            del stall.running[me]
            ended = clock()
            stall.is_slow = ended - began > PATIENCE
            if ended - began < LOOP_PATIENCE:
                stall.quick[what] = ended
            elif stall.is_slow and self._may_log():
                log_stall(self._name, ended - began)

    @contextlib.contextmanager
    def _as_obstacles(self) -> Iterator[None]:
        """Translate what a call in the thread runs into."""
        try:
            yield
        except Occupied as error:
            raise _Stalled from error
        except TimeoutError as error:
            why = f"{_Stalled.why}, for {self._limit:g} s so far"
            raise StoreUnavailable(self._name, why) from error

    def _may_log(self) -> bool:
        """Tell whether the log has no line of a stall yet, or an old one."""
        now = time.monotonic()
        if now < self._log_next:
            return False
        self._log_next = now + SELDOM
        return True


class _Obstacle(Exception):  # noqa: N818  (caught in this module)
    """The call was not made, or is not done, and can be asked for later."""

    why = ""

    def __init__(self, errand: Errand[Any] | None = None) -> None:
        self.errand = errand
        super().__init__()


class FileLocked(_Obstacle):
    """Somebody else holds the lock; nothing was changed."""

    why = "another process keeps it locked"


class _Stalled(_Obstacle):
    """This call or another takes too long."""

    why = "its file system does not answer"
