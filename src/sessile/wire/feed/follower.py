"""One thread for each store and process that follows the store's feed, and tells the listeners.

Nobody trusts a copy whose heartbeat is late. An ``Epoch`` is a time through which nothing was
missed: a copy that was read in it and has not been named since is as the store has it, as of the
last heartbeat. When the connection breaks, or anything at all may have changed, the epoch is over.
"""

import os
import sys
import threading
import weakref
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Final, TypeAlias

from sessile.core.ticket import Key
from sessile.core.value import Seconds
from sessile.errors import StoreClosed, StoreUnavailable
from sessile.wire import system
from sessile.wire.feed.connection import BEAT, FeedConnection, Heard
from sessile.wire.feed.probe import Probe

MOST_LATE: Final[Seconds] = 1.0
"""How old the last heartbeat may be for the feed to be trusted."""

_SILENT: Final[Seconds] = 2.5 * BEAT
"""How old the last heartbeat is when the store itself is asked: so that a time limit of half a
second, which a URL has by itself, is over when copies are too old (``MOST_LATE``)."""

_PAUSES: Final = (0.05, 0.1, 0.2, 0.5)
"""Seconds between attempts to connect; the last one from then on."""

FeedListener: TypeAlias = Callable[[Collection[Key] | None], object]
"""Called on the follower's thread with the keys that changed; None is that any may have."""


class Epoch:
    """A time through which nothing that changed was missed.

    Attributes:
        as_of: on the timer; whatever changed before then has been told.
    """

    __slots__ = ("as_of",)

    def __init__(self, as_of: Seconds) -> None:
        self.as_of = as_of


NEVER: Final = Epoch(-float("inf"))
"""The epoch of a feed that is not followed: nothing is known."""


OpenFeed: TypeAlias = Callable[[Callable[[], Collection[Key]]], FeedConnection]
"""Connects a feed, for whoever wants to hear of certain keys."""


class Follower:
    """Follows the feed of one store, from the first ``start`` on; a forked process begins anew.

    Args:
        open_feed: connects, for whoever wants to hear of certain keys; fails as the store does.
        tell: called with each error, and with None when all is well again.
        timer: seconds by a clock that never runs backwards; ``Heard.as_of`` is on it.

    Attributes:
        epoch: the one that goes on now; ``NEVER`` for none.
        connection: to the feed; None for none.
        probe: asks the store itself while nothing is heard of it; None where nobody has to know.
        guard: held while listeners are told; whoever keeps copies holds it to keep one.
    """

    def __init__(
        self,
        open_feed: OpenFeed,
        *,
        tell: Callable[[StoreUnavailable | None], object] = bool,
        timer: Callable[[], Seconds] = system.timer,
    ) -> None:
        self._open_feed = open_feed
        self._tell = tell
        self._timer = timer
        self._listeners: tuple[FeedListener, ...] = ()
        self._wishes: tuple[Callable[[], Collection[Key]], ...] = ()
        self._closed = threading.Event()
        self.probe: Probe | None = None
        self.reset()
        _followers.add(self)

    def reset(self) -> None:
        """Forget, in a forked child, the thread that it does not have."""
        self.epoch = NEVER
        was_closed = self._closed.is_set()
        self._closed = threading.Event()  # a thread that the child does not have may hold its lock
        if was_closed:
            self._closed.set()
        self.guard = threading.Lock()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.connection: FeedConnection | None = None
        self._failures = 0  # since it last went well
        if self.probe is not None:
            self.probe.reset()

    def listen(self, listener: FeedListener, wanted: Callable[[], Collection[Key]] = tuple) -> None:
        """Call a listener from now on, under ``guard``. It must be quick, and raise nothing.

        Args:
            listener: is called.
            wanted: returns the keys that it wants to hear of, for stores that have to be asked.
        """
        self._listeners = (*self._listeners, listener)
        self._wishes = (*self._wishes, wanted)

    def list_wanted(self) -> list[Key]:
        """Return the keys that any of the listeners wants to hear of."""
        return [key for wanted in self._wishes for key in wanted()]

    def start(self) -> None:
        """Begin to follow; harmless when repeated."""
        if self._thread is None:
            with self._lock:
                self._start()

    def _start(self) -> None:
        if self._thread is None and not self._closed.is_set():
            args = (weakref.ref(self), self._closed)
            thread = threading.Thread(target=_follow, args=args, name="sessile-feed", daemon=True)
            with suppress(RuntimeError):  # there can be no more threads: without it then
                thread.start()
                self._thread = thread

    def is_fresh(self, now: Seconds | None = None) -> bool:
        """Tell whether the last heartbeat is not late.

        Args:
            now: on the timer, where that was looked at already.
        """
        return (self._timer() if now is None else now) - self.epoch.as_of <= MOST_LATE

    def is_store_away(self) -> bool:
        """Tell whether nothing is heard of the store, and it has failed a probe as well."""
        probe = self.probe
        return probe is not None and not self.is_fresh() and probe.has_failed(self.epoch.as_of)

    def close(self) -> None:
        """End the thread, soon. Nothing is fresh from now on."""
        self._closed.set()
        self.epoch = NEVER

    def step(self) -> Seconds:
        """Connect, or pass on what is told next; return how long to wait before the next step."""
        connection = self.connection
        return self.connect() if connection is None else self.take(hear(connection))

    def connect(self) -> Seconds:
        """Connect; return how long to wait before what comes next."""
        try:
            self.connection = self._open_feed(partial(_list_wanted, weakref.ref(self)))
        except (StoreClosed, StoreUnavailable) as error:
            return self.take(error)
        self._begin(self._timer())
        return 0.0

    def take(self, heard: Heard | StoreClosed | StoreUnavailable) -> Seconds:
        """Pass on what was heard, or note why nothing was; return how long to wait."""
        pause = self._take(heard)
        silent = self._timer() - self.epoch.as_of > _SILENT
        if self.probe is not None and silent and not self._closed.is_set():
            self.probe.start()
        return pause

    def _take(self, heard: Heard | StoreClosed | StoreUnavailable) -> Seconds:
        if isinstance(heard, Heard):
            self._pass_on(heard)
            return 0.0
        self.disconnect()
        if isinstance(heard, StoreClosed):
            self.close()
            return 0.0
        if self._closed.is_set():  # and so its connection may have been
            return 0.0
        self._tell(heard)
        self._failures += 1
        return _PAUSES[min(self._failures, len(_PAUSES)) - 1]

    def disconnect(self) -> None:
        """Let go of the connection; what is known is no longer kept up."""
        self.epoch = NEVER
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def _pass_on(self, heard: Heard) -> None:
        """Tell the listeners; then, and not before, the heartbeat counts."""
        if heard.anything:
            self._begin(self.epoch.as_of)
        elif heard.keys:
            self._call_listeners(heard.keys)
        epoch = self.epoch
        if heard.as_of is not None and epoch is not NEVER:  # which nothing may vouch for, ever
            epoch.as_of = heard.as_of
            if self.probe is not None:
                self.probe.forget()
            if self._failures:
                self._failures = 0
                self._tell(None)

    def _begin(self, as_of: Seconds) -> None:
        self.epoch = NEVER if self._closed.is_set() else Epoch(as_of)
        self._call_listeners(None)

    def _call_listeners(self, keys: Collection[Key] | None) -> None:
        with self.guard:
            for listener in self._listeners:
                listener(keys)


def _list_wanted(ref: "weakref.ref[Follower]") -> Collection[Key]:
    """Return the keys that a follower's listeners want to hear of; its thread holds the asker."""
    follower = ref()
    return () if follower is None else follower.list_wanted()


def hear(connection: FeedConnection) -> Heard | StoreClosed | StoreUnavailable:
    """Wait for what a feed tells next; an error is returned."""
    try:
        return connection.wait(BEAT)
    except (StoreClosed, StoreUnavailable) as error:
        return error


def _follow(ref: "weakref.ref[Follower]", closed: threading.Event) -> None:
    """Take steps for as long as anybody holds the follower, and it is not closed.

    While it waits the thread holds no more than the connection: nothing is to live because of it.
    """
    pause = 0.0
    connection: FeedConnection | None = None
    while not closed.wait(pause):
        heard = None if connection is None else hear(connection)
        follower = ref()
        if follower is None:
            break
        pause = follower.connect() if heard is None else follower.take(heard)
        connection = follower.connection
        del follower, heard
    if connection is not None:
        connection.close()


_followers: Final[weakref.WeakSet[Follower]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for follower in list(_followers):
        follower.reset()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)
