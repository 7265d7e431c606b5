"""An LMDB file that many processes, threads and loops use at once. ``stores.lmdb`` asks of it.

A read is made in place, whatever others do: it asks for no lock. ``wire.embedded.calls`` pauses
where another one writes, and goes to another thread where the file system stalls.
"""

import time
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeVar

import lmdb

from sessile.core.flow import Flow
from sessile.errors import StoreClosed, StoreUnavailable
from sessile.wire.embedded.calls import FileCalls, FileLocked
from sessile.wire.lmdb.environment import Environment, Transaction
from sessile.wire.lmdb.holder import Layout, hold_environment

R = TypeVar("R")

_READS: Final = frozenset(("lmdb read", "lmdb owned_by", "lmdb scan", "lmdb ping", "lmdb feed"))
"""Calls that write nothing."""

DAMAGE: Final = (
    lmdb.CorruptedError,
    lmdb.InvalidError,
    lmdb.PageNotFoundError,
    lmdb.CursorFullError,
    lmdb.BadTxnError,
)
"""What LMDB says of a file whose pages are not what they should be."""


class LMDBFile(FileCalls[Environment]):
    """Calls on one file as flows.

    Args:
        path: where the file is; it is made with mode 0600 when there is none.
        name: what errors call it.
        limit: seconds after which a file that somebody else writes is unavailable.
        size: bytes that the file may have at most.
        layout: how a file of ours looks.
        on_new_file: called when another file stands at the path than before, and was opened.
        clock: seconds that never run backwards, by which a call takes long.
    """

    __slots__ = ("__weakref__", "_closed", "_holder", "_suspect", "on_new_file")

    def __init__(
        self,
        path: str,
        *,
        name: str,
        limit: float,
        size: int,
        layout: Layout,
        on_new_file: Callable[[], object] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name=name, limit=limit, reads=_READS, clock=clock)
        self.on_new_file = on_new_file
        self._closed = False
        self._suspect: object = None  # the call that found the file damaged
        self._holder = hold_environment(path, name=name, size=size, layout=layout)
        self._holder.members.add(self)

    def read(self, what: str, act: Callable[[Transaction], R]) -> Flow[R]:
        """Read, all at one instant. ``what`` is one of the calls that write nothing."""
        return self.ask(what, lambda environment: environment.read(act))

    def read_in_thread(self, what: str, act: Callable[[Transaction], R]) -> Flow[R]:
        """Read many rows."""
        return self.ask_in_thread(what, lambda environment: environment.read(act))

    def write(self, what: str, act: Callable[[Transaction], R]) -> Flow[R]:
        """Make a quick change as one act, whole or not at all."""
        return self.ask(what, lambda environment: environment.write(act))

    def write_in_thread(self, what: str, act: Callable[[Transaction], R]) -> Flow[R]:
        """Change many rows as one act."""
        return self.ask_in_thread(what, lambda environment: environment.write(act))

    async def sync(self, what: str) -> None:
        """Wait until all that was written is on the disk."""
        await self.ask_in_thread(what, Environment.sync)

    def _attempt(self, what: str, call: Callable[[Environment], R]) -> R:
        if what in _READS and self._holder.is_open:
            return self._perform(call)
        return super()._attempt(what, call)

    def _perform(self, call: Callable[[Environment], R]) -> R:
        if self._closed:
            raise StoreClosed("LMDB store")
        try:
            environment = self._holder.acquire()
        except (lmdb.Error, OSError) as error:
            if isinstance(error, lmdb.MapResizedError):  # another process was faster
                raise FileLocked from error
            if isinstance(error, DAMAGE):
                self._holder.put_aside(None)
            raise StoreUnavailable(self._name, _why(error)) from error
        try:
            return call(environment)
        except (lmdb.Error, OSError) as error:
            self._fail(error, environment, call)
        finally:
            environment.leave()

    def _fail(
        self, error: lmdb.Error | OSError, environment: Environment, call: Callable[..., Any]
    ) -> NoReturn:
        """Translate an error, once. After most the environment may be unusable."""
        match error:
            case lmdb.MapResizedError():
                self._holder.grow(environment)
                raise FileLocked from error
            case lmdb.MapFullError() if environment.size < self._holder.size:
                self._holder.leave_file(environment)
                raise FileLocked from error
            case lmdb.MapFullError():
                raise StoreUnavailable(self._name, _FULL) from error
            case lmdb.ReadersFullError():
                environment.forget_dead_readers()
                raise FileLocked from error
            case OSError() if not isinstance(error, FileNotFoundError):
                raise StoreUnavailable(self._name, str(error)) from error
        self._holder.leave_file(environment)
        if isinstance(error, DAMAGE):
            if self._suspect is not call:  # perhaps the next opening sees it whole
                self._suspect = call
                raise FileLocked from error
            self._holder.put_aside(environment)
        raise StoreUnavailable(self._name, _why(error)) from error

    def _note_write(self, number: int) -> None:
        self._holder.syncer.note(number)

    def _close_file(self) -> None:
        self._closed = True
        self._holder.members.discard(self)
        if not self._holder.members:
            self._holder.close()


_FULL: Final = (
    "the file is as large as it may be: sweep, or let it grow, as with ?size=32768 (megabytes)"
)


def _why(error: lmdb.Error | OSError) -> str:
    if "already open in this process" in str(error):
        return (
            "other code of this process has it open, or had when the process was forked: let the "
            "workers open it themselves, as with uWSGI's lazy-apps"
        )
    if isinstance(error, lmdb.MemoryError):
        return f"there is no room for its map: write a smaller ?size= (megabytes) ({error})"
    return str(error)
