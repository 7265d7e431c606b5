"""One object for each event loop of this process, as the watchers of ``service.watch``."""

import asyncio
import os
import sys
import weakref
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")


def forget_closed(by_loop: dict[asyncio.AbstractEventLoop, T]) -> None:
    """Forget what belongs to closed loops: whoever adds one does, so that none is kept for ever."""
    for old in [old for old in list(by_loop) if old.is_closed()]:
        by_loop.pop(old, None)


class PerLoop(Generic[T]):
    """The objects of all event loops. A forked child, where none of them runs, begins with none."""

    __slots__ = ("__weakref__", "_by_loop")

    def __init__(self) -> None:
        self.reset()
        _instances.add(self)

    def reset(self) -> None:
        """Forget them all."""
        self._by_loop: dict[asyncio.AbstractEventLoop, T] = {}

    def find(self) -> T | None:
        """Return that of the running loop; None where none was made."""
        return self._by_loop.get(asyncio.get_running_loop())

    def get(self, make: Callable[[], T]) -> T:
        """Return that of the running loop, which is made when it is first asked for."""
        found = self.find()
        if found is None:
            forget_closed(self._by_loop)
            found = self._by_loop[asyncio.get_running_loop()] = make()
        return found

    def all(self) -> list[T]:
        """Return them all, on any thread."""
        return list(self._by_loop.values())


_instances: Final[weakref.WeakSet[PerLoop[Any]]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for instance in list(_instances):
        instance.reset()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)
