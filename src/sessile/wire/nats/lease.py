"""Whether what a server says of a stream can be believed. ``wire.nats.lane`` asks before it reads.

A leader that is cut off from the other servers does not know it for some ten seconds, and goes on
answering those who still reach it, with what was there before. What it cannot do is store: a
majority has to have what is acknowledged. So a message that was acknowledged says that there was no
other leader when it was sent; nor is there one for some seconds more, because those that have it
elect none before they have heard nothing of their leader for four (and who has it not is not
elected by those that do). Where nothing was stored lately over a connection, a beat is.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Final

import msgspec

from sessile.core.value import Seconds
from sessile.wire import system
from sessile.wire.nats.connection import NatsConnection, NoResponders
from sessile.wire.nats.messages import BEAT_TTL, NOT_NOW, TTL, PublishAnswer

LEASE: Final[Seconds] = 2.5
"""How long after a message was sent, and then stored, its leader is the leader for sure."""

_ATTEMPT: Final[Seconds] = 2.0
"""How long a beat's acknowledgement is waited for."""

_NAME: Final = 8  # bytes

_decode = msgspec.json.Decoder(PublishAnswer).decode


class NatsLease:
    """What is known of the leader that one connection leads to.

    Args:
        connection: that.
        beats: what the subjects of beats begin with.
        timer: seconds by a clock that never runs backwards.
    """

    def __init__(
        self, connection: NatsConnection, beats: str, timer: Callable[[], Seconds]
    ) -> None:
        self._connection, self._timer = connection, timer
        self._subject = f"{beats}{system.entropy(_NAME).hex()}"
        self._sent = -math.inf
        self._beat: asyncio.Task[None] | None = None

    def note(self, sent: Seconds) -> None:
        """Note when something was sent that is stored now."""
        self._sent = max(self._sent, sent)

    async def hold(self, limit: Seconds) -> None:
        """Return once the leader is the leader for sure; renew that in time for those who follow.

        Raises:
            NoResponders: there is none.
            ConnectionError: the connection broke.
            TimeoutError: it stores nothing.
        """
        until = self._timer() + limit
        while (age := self._timer() - self._sent) >= LEASE:
            async with asyncio.timeout(until - self._timer()):
                await asyncio.shield(self._renew())
        if age >= LEASE / 2:
            self._renew()

    def _renew(self) -> "asyncio.Task[None]":
        if self._beat is None:
            self._beat = asyncio.get_running_loop().create_task(self._store_beat())
            self._beat.add_done_callback(self._note_end)
        return self._beat

    def _note_end(self, task: "asyncio.Task[None]") -> None:
        self._beat = None
        if not task.cancelled():
            task.exception()  # whoever waits has it

    async def _store_beat(self) -> None:
        sent = self._timer()
        told = await self._connection.ask(self._subject, b"", {TTL: f"{BEAT_TTL}s"}, _ATTEMPT)
        error = _decode(told.data).error
        if error is not None and error.err_code in NOT_NOW:
            raise NoResponders
        self.note(sent)  # where a stream is full, too: it refuses beats, and readers are served
