"""Background tasks: async hooks, started within a request and finished on their own.

Under a running event loop a background task is a task of that loop. Without one, under WSGI, it
runs on the loop of a daemon thread (``wire.background.loop``). ``service.context`` starts tasks and
goes on.

Nothing is lost silently: a task that fails is reported by whoever started it, one that could not
start or was cut short is counted (``wire.background.drops``).
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
from sessile.wire.background.drops import DropCount
from sessile.wire.background.loop import LoopThread
from sessile.wire.event_loop import green_threads

LIMIT: Final = 10_000
CLOSE_TIMEOUT: Final = 5.0
_CANCEL_TIMEOUT: Final = 1.0
"""Seconds for tasks on the thread's loop to heed their cancellation."""


class BackgroundTask:
    """One awaitable, its loop, and the task that it runs as.

    Attributes:
        on_error: called with what it raised.
        task: None until the loop's thread has created it.
    """

    __slots__ = ("awaitable", "loop", "on_error", "task")

    def __init__(
        self,
        awaitable: Awaitable[Any],
        on_error: Callable[[BaseException], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.awaitable = awaitable
        self.on_error = on_error
        self.loop = loop
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Finish the awaitable. What it raises harms nobody, not even an exit."""
        try:
            await self.awaitable
        except (Exception, SystemExit) as error:  # noqa: BLE001  (whatever a listener does wrong)
            self.on_error(error)

    def discard(self) -> None:
        """End without warnings what no loop will ever go on with."""
        if self.task is not None:
            _close(self.task.get_coro())
            _tasks.discard(self.task)
            # Private, and set by asyncio's own gather() for the same reason. Its loop is closed, so
            # the task can be neither awaited nor cancelled, and asyncio has no public way to keep
            # it from logging "Task was destroyed but it is pending!". Losing it is counted instead.
            self.task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
        _close(self.awaitable)  # its task may not have begun


class BackgroundTasks:
    """The pending tasks of one ``Sessions``.

    Args:
        limit: how many may be pending; what comes on top is dropped.
        close_timeout: seconds that closing waits for them.
        report_drops: called, now and then, with how many were dropped or cut short.
        clock: seconds that never run backwards.
    """

    __slots__ = (
        "__weakref__", "_changed", "_close_timeout", "_closed", "_closing", "_drops", "_finalizer",
        "_limit", "_pending", "_thread",
    )  # fmt: skip

    def __init__(
        self,
        *,
        limit: int = LIMIT,
        close_timeout: float = CLOSE_TIMEOUT,
        report_drops: Callable[[int], None] = log.log_dropped_hooks,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._close_timeout = close_timeout
        self._drops = DropCount(report_drops, clock)
        self._closing = self._closed = False
        self._changed = threading.Condition()
        self._pending: set[BackgroundTask] = set()
        self._thread: LoopThread | None = None
        self._finalizer: weakref.finalize[..., BackgroundTasks] | None = None
        _instances.add(self)

    def start(self, awaitable: Awaitable[Any], on_error: Callable[[BaseException], None]) -> None:
        """Start a task, in the caller's context; or drop it where too many are pending.

        Args:
            awaitable: what to finish.
            on_error: called with what it raised.
        """
        if len(self._pending) < self._limit and not self._closed:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self._start_on_thread(awaitable, on_error)
            else:
                self._create_task(self._add(awaitable, on_error, loop))
        else:
            self._drop(awaitable)

    def close(self) -> None:
        """Wait for what is pending, then stop the thread; harmless when repeated.

        What runs on the caller's own loop goes on there: a loop cannot be waited for on its thread.
        """
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        self._wait_and_stop(here, time.monotonic() + self._close_timeout)

    async def aclose(self) -> None:
        """Wait for what is pending, also on this loop, then stop the thread."""
        here, deadline = asyncio.get_running_loop(), time.monotonic() + self._close_timeout
        while (own := self._tasks_of(here)) and (left := deadline - time.monotonic()) > 0:
            await asyncio.wait(own, timeout=left)
        # what waits for other threads must not block this loop: their tasks may need it
        if self._thread is not None or self._is_pending_elsewhere(here):
            await asyncio.to_thread(self._wait_and_stop, here, deadline)
        else:
            self._wait_and_stop(here, deadline)

    def _tasks_of(self, here: asyncio.AbstractEventLoop) -> list[asyncio.Task[None]]:
        """Return the tasks of this loop, but for the one that asks."""
        found = (pending.task for pending in self._pending.copy() if pending.loop is here)
        return [task for task in found if task not in (None, asyncio.current_task())]

    def _drop(self, awaitable: Awaitable[Any]) -> None:
        _close(awaitable)
        if self._drops.add():  # only with a report: it looks at every pending task
            self._prune()

    def _add(
        self,
        awaitable: Awaitable[Any],
        on_error: Callable[[BaseException], None],
        loop: asyncio.AbstractEventLoop,
    ) -> BackgroundTask:
        pending = BackgroundTask(awaitable, on_error, loop)
        self._pending.add(pending)
        return pending

    def _create_task(self, pending: BackgroundTask) -> None:
        """Create its task, on the thread of its loop."""
        task = pending.task = pending.loop.create_task(pending.run())
        _tasks.add(task)  # a loop itself keeps its tasks by weak references alone
        task.add_done_callback(partial(self._finish, pending))

    def _start_on_thread(
        self, awaitable: Awaitable[Any], on_error: Callable[[BaseException], None]
    ) -> None:
        green = green_threads()
        if green is not None:  # its thread would be this very one, and stand still with the loop
            log.log_green_hooks(green)
            _close(awaitable)
            return
        # under the lock, so that no other caller starts a second thread or closes this one
        with self._changed:
            thread = None if self._closed else self._thread or self._start_thread()
            if thread is not None:
                pending = self._add(awaitable, on_error, thread.loop)
                thread.call_soon(partial(self._create_task, pending))
                return
        self._drop(awaitable)

    def _start_thread(self) -> LoopThread | None:
        try:
            thread = self._thread = LoopThread("sessile tasks")
        except RuntimeError:  # no more threads, or the interpreter is ending
            return None
        self._finalizer = weakref.finalize(self, thread.stop_soon)  # for those who never close
        self._finalizer.atexit = False  # at exit _close_all waits for the tasks
        return thread

    def _finish(self, pending: BackgroundTask, task: asyncio.Task[None]) -> None:
        """Take a done task off the books. Called by its loop."""
        _tasks.discard(task)
        if task.cancelled():
            _close(pending.awaitable)  # it may not have begun
            self._count_drop(pending)
        elif (error := task.exception()) is not None:  # a BaseException that ``run`` let through
            pending.on_error(error)
        self._pending.discard(pending)
        if not self._pending:
            self._drops.flush()
        if self._closing:
            with self._changed:
                self._changed.notify_all()

    def _count_drop(self, pending: BackgroundTask) -> None:
        """Count a task that does not finish, once."""
        if pending in self._pending:
            self._pending.discard(pending)
            self._drops.add()

    def _prune(self) -> None:
        """Discard tasks whose loop was closed before they were done."""
        for pending in self._pending.copy():
            if pending.loop.is_closed():
                pending.discard()
                self._count_drop(pending)

    def _wait_and_stop(self, here: asyncio.AbstractEventLoop | None, deadline: float) -> None:
        """Wait for other threads' tasks until the deadline, then stop our own thread."""
        with self._changed:
            self._closing = True  # tasks may start others until the last one is done
            left = max(0.0, deadline - time.monotonic())
            self._changed.wait_for(lambda: not self._is_pending_elsewhere(here), left)
            self._closed = True
            thread, self._thread = self._thread, None
        # without the lock: the tasks that are cancelled now take it in ``_finish``
        if thread is not None:
            thread.stop(_CANCEL_TIMEOUT)
            self._count_drops_of(thread)
        self._prune()
        self._drops.flush()

    def _is_pending_elsewhere(self, here: asyncio.AbstractEventLoop | None) -> bool:
        """Tell whether a task is pending that another thread's loop will finish."""
        loops = {pending.loop for pending in self._pending.copy()} - {here}
        thread = self._thread  # it may not have come to run its loop yet
        return any(loop is getattr(thread, "loop", None) or loop.is_running() for loop in loops)

    def _count_drops_of(self, thread: LoopThread) -> None:
        """Count what is still pending because a hook blocks the thread."""
        for pending in self._pending.copy():
            if pending.loop is thread.loop:
                self._count_drop(pending)

    def reset_after_fork(self) -> None:
        """Start empty in a forked child: what is pending stays the parent's, untouched."""
        if self._finalizer is not None:
            self._finalizer.detach()
        _inherited.append((self._thread, self._pending))
        self._thread, self._finalizer, self._pending = None, None, set()
        self._changed = threading.Condition()  # a thread left behind may hold the old one's lock
        self._drops.reset_after_fork()


def _close(awaitable: object) -> None:
    """Close a coroutine that will not be finished; harmless where it was."""
    if inspect.iscoroutine(awaitable):
        with contextlib.suppress(Exception):  # what its own ``finally`` does wrong
            awaitable.close()


_instances: Final[weakref.WeakSet[BackgroundTasks]] = weakref.WeakSet()
_tasks: Final[set[asyncio.Task[None]]] = set()
_inherited: Final[list[tuple[object, object]]] = []
"""What a child inherits and must not even close: its descriptors are shared with the parent."""


def _close_all() -> None:
    for tasks in list(_instances):
        tasks.close()


def _after_fork_in_child() -> None:
    for tasks in list(_instances):
        tasks.reset_after_fork()


atexit.register(_close_all)  # the thread is a daemon: the interpreter would not wait for its tasks
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)
