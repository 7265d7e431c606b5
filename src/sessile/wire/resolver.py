"""Where a server is, looked up apart: its name's addresses. Drivers connect to them.

A silent name server holds ``getaddrinfo`` for twenty seconds, and nothing can call it back. So a
thread of its own asks it, one for a name however many wait, and no pool of anybody's is held.

What was found is used for some seconds, then looked up anew. Where that fails, or takes more than
half of the time there is, the old addresses are used: a server is likelier there than nowhere. Not
so of a primary that Sentinels name: where they named one before there may be a replica now, or what
takes itself for the primary still.
"""

import asyncio
import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, Final

from sessile.core.value import Seconds
from sessile.wire import system

FRESH: Final[Seconds] = 5.0
"""How long addresses are used without another look. A failover by name is seen after it."""


class Addresses(tuple[tuple[str, int], ...]):  # noqa: SLOT001  (a tuple's can only be empty)
    """IP addresses as text, and ports, in the order in which they are to be tried.

    Attributes:
        name: what they are the addresses of: under TLS the server has to prove to be that.
    """

    name: str

    @classmethod
    def of(cls, name: str, places: Iterable[tuple[str, int]]) -> "Addresses":
        """Return the addresses of a name, each once."""
        found = cls(dict.fromkeys(places))
        found.name = name
        return found


class Resolver:
    """The addresses of one server.

    Args:
        host: a name or an address.
        port: behind it.
        target: what errors call it.
        asked: who is asked, in the words of an error.
        keeps: whether what was found is used again.
        lookup: ``socket.getaddrinfo``, or what answers as it does; a canonical name in its answer
            is the one of the server.
        timer: seconds by a clock that never runs backwards.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        target: str,
        asked: str = "the name server",
        keeps: bool = True,
        lookup: Callable[..., Any] = socket.getaddrinfo,
        timer: Callable[[], Seconds] = system.timer,
    ) -> None:
        self._place = (host, port)
        self._target, self._asked = target, asked
        self._lookup = lookup
        self._timer = timer
        self._keeps = keeps
        self._is_fixed = keeps and _is_address(host)
        self._known = Addresses.of(host, (self._place,) if self._is_fixed else ())
        self._fresh_until = float("inf") if self._is_fixed else 0.0
        self._begin_process()

    def resolve(self, within: Seconds) -> Addresses:
        """Return the addresses; for threads.

        Raises:
            OSError: the name leads nowhere, or nobody told within that time.
        """
        if self._is_fresh():
            return self._known
        try:
            return self._start().result(self._patience(within))
        except (OSError, UnicodeError) as error:
            return self._fall_back(error)

    async def resolve_on_loop(self, within: Seconds) -> Addresses:
        """Return the addresses, as ``resolve`` does; for event loops."""
        if self._is_fresh():
            return self._known
        try:
            async with asyncio.timeout(self._patience(within)):
                return await asyncio.wrap_future(self._start())
        except (OSError, UnicodeError) as error:
            return self._fall_back(error)

    def expire(self) -> None:
        """Look again before the next connection: the server there did not serve us."""
        if not self._is_fixed:
            self._fresh_until = 0.0

    def _is_fresh(self) -> bool:
        return self._timer() < self._fresh_until

    def _patience(self, within: Seconds) -> Seconds:
        """Return how long to wait; not to the end, so that the error can name what was late."""
        return within * (0.5 if self._known else 0.9)

    def _fall_back(self, error: OSError | UnicodeError) -> Addresses:
        """Return the old addresses; raise an error of this caller's own where there are none."""
        if self._known:
            return self._known
        why = str(error) or f"{self._asked} did not answer in time"
        raise ConnectionError(f"{self._target} leads nowhere: {why}") from error

    def _begin_process(self) -> None:
        """Forget the look-up under way: after a fork its thread is the parent's alone."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._running: Future[Addresses] | None = None

    def _start(self) -> Future[Addresses]:
        """Return the look-up under way; start one if there is none."""
        if self._pid != os.getpid():
            self._begin_process()
        with self._lock:
            if self._running is None:
                self._running = future = Future[Addresses]()
                future.set_running_or_notify_cancel()  # so that no waiter can cancel the others'
                name = f"sessile looks up {self._target}"
                threading.Thread(target=self._look, args=(future,), name=name, daemon=True).start()
            return self._running

    def _look(self, future: "Future[Addresses]") -> None:
        try:
            found = self._lookup(*self._place, type=socket.SOCK_STREAM)
            name = next((name for *_, name, _ in found if name), self._place[0])
            addresses = Addresses.of(name, ((place[0], place[1]) for *_, place in found))
        except Exception as error:  # noqa: BLE001  (whoever waits is told)
            self._finish()
            future.set_exception(error)
        else:
            if self._keeps:
                self._known, self._fresh_until = addresses, self._timer() + FRESH
            self._finish()
            future.set_result(addresses)

    def _finish(self) -> None:
        with self._lock:
            self._running = None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
