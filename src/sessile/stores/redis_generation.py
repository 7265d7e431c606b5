"""What a process knows of the generation of its Redis store, and that it never goes back.

A server that crashed may bring back an older data set: the generation before the last
``end_everybody``, and with it every session that it ended. A generation begins with a count, so
whoever has seen the newer one knows: the rows of the old one are refused, and a generation that is
newer than both is begun, for every process. All have to log in again. ``redis_scripts`` decides on
the server whether it went back, so that an answer that is late is no alarm.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from sessile.errors import StoreUnavailable
from sessile.stores.redis_scripts import BEGIN, END, Script
from sessile.wire import system
from sessile.wire.commands.repeat import Repeat
from sessile.wire.log import log_lost_generation
from sessile.wire.redis.endpoint import ErrorReply
from sessile.wire.throttle import Throttle

_COUNT: Final = 4
_REST: Final = 5
"""Bytes. Of two servers that count alike, as after a fail-over, none begins the other's."""

NONE: Final = bytes(_COUNT)
"""The one before the first."""

Run = Callable[[Script, tuple[str, ...], tuple[bytes, ...]], Awaitable[Any]]
Asking = Callable[..., Awaitable[Any]]  # as ``RedisClient.ask``


class SeenGeneration:
    """The newest generation that this process has seen.

    Args:
        name: of the store.
        key: where the current one stands.
        run: runs a script of the store.
        losses: lets the line about a loss through; of all generations that one server may lose.

    Attributes:
        newest: ``NONE`` before the first was seen.
    """

    __slots__ = ("_key", "_losses", "_name", "_run", "newest")

    def __init__(self, name: str, key: str, run: Run, losses: Throttle | None = None) -> None:
        self._name, self._key, self._run = name, key, run
        self._losses = Throttle(system.clock) if losses is None else losses
        self.newest = NONE

    async def follow(self, found: bytes | None) -> bytes | None:
        """Return the generation whose rows live, for what was found; None where there is none."""
        if found == self.newest or (found is None and self.newest == NONE):
            return found
        if found is None or not self._is_newer(found):
            answer = await self._run(BEGIN, (self._key, self._key), (fresh(),))
            if isinstance(answer, ErrorReply):  # a key of another type; whoever writes is told
                return None
            found, was_lost = answer
            if was_lost and self._losses.admit(self._name) is not None:
                log_lost_generation(self._name)
        if self._is_newer(found):
            self.newest = found
        return self.newest

    async def end(self, ask: Asking) -> None:
        """End everybody with a new generation, newer than any that was seen."""
        words = (1, self._key, fresh(), self.newest)
        self.newest = await ask("redis end everybody", "EVAL", END.text, *words)

    async def check(self, ask: Asking) -> None:
        """Do nothing if the server has kept the newest generation.

        Raises:
            StoreUnavailable: it crashed meanwhile, and lost it.
        """
        found = await ask("redis GET", "GET", self._key, repeat=Repeat.HARMLESS)
        if found != self.newest and not self._is_newer(found or NONE):
            raise StoreUnavailable(self._name, "it has lost what it just acknowledged; ask again")

    def _is_newer(self, found: bytes) -> bool:
        return len(found) >= _COUNT and found[:_COUNT] > self.newest[:_COUNT]


def fresh() -> bytes:
    """Return the rest of a generation that never was."""
    return system.entropy(_REST)


def strip(row: bytes | None, generation: bytes | None) -> bytes | None:
    """Return a row without its generation; None where it is none of this generation."""
    if row is None or generation is None or not row.startswith(generation):
        return None
    return row[len(generation) :]
