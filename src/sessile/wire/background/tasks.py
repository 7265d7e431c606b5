"""Errands: async hooks, started within a request and finished on their own.

Under a running event loop an errand is a task of that loop. Without one, under WSGI, it runs on a
loop in the background (``wire.background.loop``). ``service.parts`` hands errands over and goes on.

Nothing is lost in silence: an errand that fails is reported by whoever handed it over, one that
could not start or was cut short is counted (``wire.background.drops``).
"""

import asyncio
import atexit
import contextlib
import inspect
import os
import sys
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from sessile.wire import log
from sessile.wire.background.drops import Losses
from sessile.wire.background.loop import Background

LIMIT: Final = 10_000
PATIENCE: Final = 5.0
_CANCELLING: Final = 1.0
"""Seconds for errands on the background loop to heed their cancellation."""


class Errand:
    """One awaitable under way: on which loop, as which task (None: not begun), and who hears."""

    __slots__ = ("awaitable", "failed", "loop", "task")

    def __init__(
        self,
        awaitable: Awaitable[Any],
        failed: Callable[[BaseException], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.awaitable = awaitable
        self.failed = failed
        self.loop = loop
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Finish the awaitable. What it raises harms nobody, not even an exit."""
        try:
            await self.awaitable
        except (Exception, SystemExit) as error:  # noqa: BLE001  (whatever a listener does wrong)
            self.failed(error)

    def give_up(self) -> None:
        """End without warnings what no loop will ever go on with."""
        if self.task is not None:
            _close(self.task.get_coro())
            _tasks.discard(self.task)
            # as asyncio does in its own gather: it must not complain of a task thrown away
            self.task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
        _close(self.awaitable)  # its task may not have begun


class Errands:
    """What was started and is not finished, of one ``Sessions``.

    Args:
        limit: how many may be under way; what comes on top is dropped.
        patience: seconds that closing waits for them.
        lost: told, once in a while, how many were dropped or cut short.
        clock: seconds that never run backwards.
    """

    __slots__ = (
        "__weakref__", "_background", "_changed", "_closed", "_closing", "_leaving", "_limit",
        "_losses", "_patience", "_under_way",
    )  # fmt: skip

    def __init__(
        self,
        *,
        limit: int = LIMIT,
        patience: float = PATIENCE,
        lost: Callable[[int], None] = log.errands_lost,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._patience = patience
        self._losses = Losses(lost, clock)
        self._closing = self._closed = False
        self._changed = threading.Condition()
        self._under_way: set[Errand] = set()
        self._background: Background | None = None
        self._leaving: weakref.finalize[..., Errands] | None = None
        _every.add(self)

    def start(self, awaitable: Awaitable[Any], failed: Callable[[BaseException], None]) -> None:
        """Start an errand, in the caller's context; or drop it where too many are under way.

        Args:
            awaitable: what to finish.
            failed: told what it raised.
        """
        if len(self._under_way) < self._limit and not self._closed:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self._send(awaitable, failed)
            else:
                self._begin(self._noted(awaitable, failed, loop))
        else:
            self._refuse(awaitable)

    def close(self) -> None:
        """Wait for what is under way, then stop the background thread; harmless when repeated.

        What runs on the caller's own loop goes on there: a loop cannot be waited for on its thread.
        """
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        self._settle(here, time.monotonic() + self._patience)

    async def aclose(self) -> None:
        """Wait for what is under way, also on this loop, then stop the background thread."""
        here, end = asyncio.get_running_loop(), time.monotonic() + self._patience
        while (own := self._own(here)) and (left := end - time.monotonic()) > 0:
            await asyncio.wait(own, timeout=left)
        if self._background is not None or self._elsewhere(here):
            await asyncio.to_thread(self._settle, here, end)
        else:
            self._settle(here, end)

    def _own(self, here: asyncio.AbstractEventLoop) -> list[asyncio.Task[None]]:
        """Return the tasks of this loop, but for the one that asks."""
        found = (errand.task for errand in self._under_way.copy() if errand.loop is here)
        return [task for task in found if task not in (None, asyncio.current_task())]

    def _refuse(self, awaitable: Awaitable[Any]) -> None:
        _close(awaitable)
        if self._losses.add():  # now and then: it looks at every one
            self._prune()

    def _noted(
        self,
        awaitable: Awaitable[Any],
        failed: Callable[[BaseException], None],
        loop: asyncio.AbstractEventLoop,
    ) -> Errand:
        errand = Errand(awaitable, failed, loop)
        self._under_way.add(errand)
        return errand

    def _begin(self, errand: Errand) -> None:
        """Make it a task, on the thread of its loop."""
        task = errand.task = errand.loop.create_task(errand.run())
        _tasks.add(task)  # a loop itself keeps its tasks by weak references alone
        task.add_done_callback(partial(self._done, errand))

    def _send(self, awaitable: Awaitable[Any], failed: Callable[[BaseException], None]) -> None:
        """Begin it on the background loop."""
        with self._changed:
            background = None if self._closed else self._background or self._new_background()
            if background is not None:
                errand = self._noted(awaitable, failed, background.loop)
                background.call(partial(self._begin, errand))
                return
        self._refuse(awaitable)

    def _new_background(self) -> Background | None:
        try:
            background = self._background = Background("sessile errands")
        except RuntimeError:  # no more threads, or the interpreter is ending
            return None
        self._leaving = weakref.finalize(self, background.leave)  # for those who never close
        self._leaving.atexit = False
        return background

    def _done(self, errand: Errand, task: asyncio.Task[None]) -> None:
        _tasks.discard(task)
        if task.cancelled():
            _close(errand.awaitable)  # it may not have begun
            self._lose(errand)
        elif (error := task.exception()) is not None:  # neither an error nor an exit
            errand.failed(error)
        self._under_way.discard(errand)
        if not self._under_way:
            self._losses.flush()
        if self._closing:
            with self._changed:
                self._changed.notify_all()

    def _lose(self, errand: Errand) -> None:
        """Count an errand that does not finish, once."""
        if errand in self._under_way:
            self._under_way.discard(errand)
            self._losses.add()

    def _prune(self) -> None:
        """Give up what belongs to loops that were closed under it."""
        for errand in self._under_way.copy():
            if errand.loop.is_closed():
                errand.give_up()
                self._lose(errand)

    def _settle(self, here: asyncio.AbstractEventLoop | None, end: float) -> None:
        with self._changed:
            self._closing = True  # they may start others until the last one is done
            left = max(0.0, end - time.monotonic())
            self._changed.wait_for(lambda: not self._elsewhere(here), left)
            self._closed = True
            background, self._background = self._background, None
        if background is not None:
            background.stop(_CANCELLING)
            self._forsake(background)
        self._prune()
        self._losses.flush()

    def _elsewhere(self, here: asyncio.AbstractEventLoop | None) -> bool:
        """Tell whether an errand is under way that another thread's loop will finish."""
        loops = {errand.loop for errand in self._under_way.copy()} - {here}
        background = self._background  # its thread may not have come to run the loop yet
        return any(loop is getattr(background, "loop", None) or loop.is_running() for loop in loops)

    def _forsake(self, background: Background) -> None:
        """Count what a thread that somebody blocks will not come to."""
        for errand in self._under_way.copy():
            if errand.loop is background.loop:
                self._lose(errand)

    def arrive(self) -> None:
        """Begin anew in a forked child: what is under way stays the parent's, untouched."""
        if self._leaving is not None:
            self._leaving.detach()
        _abandoned.append((self._background, self._under_way))
        self._background, self._leaving, self._under_way = None, None, set()
        self._changed = threading.Condition()
        self._losses.renew()


def _close(awaitable: object) -> None:
    """Close a coroutine that will not be finished; harmless where it was."""
    if inspect.iscoroutine(awaitable):
        with contextlib.suppress(Exception):  # what its own ``finally`` does wrong
            awaitable.close()


_every: Final[weakref.WeakSet[Errands]] = weakref.WeakSet()
_tasks: Final[set[asyncio.Task[None]]] = set()
_abandoned: Final[list[tuple[object, object]]] = []
"""What a child inherits and must not even close: its descriptors are shared with the parent."""


def _at_exit() -> None:
    for errands in list(_every):
        errands.close()


def _after_fork_in_child() -> None:
    for errands in list(_every):
        errands.arrive()


atexit.register(_at_exit)
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)
