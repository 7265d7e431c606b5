"""Whether what a server says of a stream can be believed. ``wire.nats.reader`` asks, then reads.

A leader that is cut off from the other servers, or hangs, does not know that they have another one,
for some ten seconds or until it goes on; and as long it answers those who reach it, with what was
there before. What it cannot do is store: a majority has to have what is acknowledged. So:

- A message that was acknowledged says that somebody led when it was sent. Nobody else is elected
  for some seconds more, because those who have it elect none before they have heard nothing of
  their leader for four (and who has it not is not elected by those that do). Messages one after the
  other, with no room for an election between them, say that it has been the same leader all along.
- They do not say which one; and an older leader, which hung, may answer before the one that stores.
  So a leader is believed where it was seen, once since those began, that every other server has
  answered it, which none does that takes itself for the leader.

Where nothing was stored lately over a connection, a beat is.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Any, Final

import msgspec

from sessile.core.value import Seconds
from sessile.wire import system
from sessile.wire.nats.connection import NatsConnection, NoResponders
from sessile.wire.nats.endpoint import StreamAddress
from sessile.wire.nats.messages import (
    BEAT_TTL,
    EXPECTED,
    EXPECTED_SUBJECT,
    NOT_LEADER,
    NOT_NOW,
    TTL,
    WRONG_SEQUENCE,
    PublishAnswer,
    StreamInfo,
)

LEASE: Final[Seconds] = 2.5
"""How long after a message was sent, and then stored, its leader is asked as the leader."""

ELECTION: Final[Seconds] = 3.5
"""How long after that nobody else leads: four seconds by clocks that are not ours."""

_ATTEMPT: Final[Seconds] = 2.0
"""How long a beat's acknowledgement is waited for."""

_LOOK: Final[Seconds] = 2.0
"""How often it is looked who follows, at least, while somebody does not."""

_NAME: Final = 8  # bytes
_NANO: Final = 1e-9

_decode = msgspec.json.Decoder(PublishAnswer).decode
_decode_info = msgspec.json.Decoder(StreamInfo).decode


class NatsLease:
    """What is known of the leader that one connection leads to.

    Args:
        connection: that.
        stream: which it leads.
        timer: seconds by a clock that never runs backwards.
    """

    def __init__(
        self, connection: NatsConnection, stream: StreamAddress, timer: Callable[[], Seconds]
    ) -> None:
        self._connection, self._stream, self._timer = connection, stream, timer
        self._beat_subject = f"{stream.beats}{system.entropy(_NAME).hex()}"
        self._sent = -math.inf
        self._since, self._first = -math.inf, 0  # when it was first stored under this leader, what
        self._is_sole = False
        self._look_at = -math.inf
        self._beat: asyncio.Task[bool] | None = None
        self._look: asyncio.Task[None] | None = None

    def note(self, sent: Seconds, seq: int) -> None:
        """Note when something was sent that is stored now."""
        now = self._timer()
        if now - self._sent >= ELECTION:  # it may have been another leader that stored this
            self._since, self._first, self._is_sole = now, seq, False
            self._look_at = now
        self._sent = max(self._sent, sent)

    def is_good(self) -> bool:
        """Tell whether whoever answers is the leader for sure; see to it that it stays so."""
        age = self._timer() - self._sent
        if age >= LEASE:
            return False
        if age >= LEASE / 2:
            self._renew()
        if not self._is_sole:
            self._look_soon()
        return self._is_sole

    def was_good(self, asked: Seconds) -> bool:
        """Tell whether it stayed so since something was asked that has an answer now."""
        return self._since <= asked and self._timer() - self._sent < ELECTION

    async def hold(self, limit: Seconds) -> None:
        """Return once there is a leader for sure, though an older one may answer as well.

        Raises:
            NoResponders: there is none.
            ConnectionError: the connection broke.
            TimeoutError: it stores nothing.
        """
        if self._timer() - self._sent >= LEASE:
            async with asyncio.timeout(limit):
                await asyncio.shield(self._renew())
        self.is_good()

    async def confirm(self, subject: str, seq: int, limit: Seconds) -> bool:
        """Store a beat if the message of a subject has a certain sequence; tell whether it has.

        Whoever stores something is the leader, and was when it saw that. A stream that is full
        stores nothing, and its readers are served.

        Raises:
            NoResponders: there is no leader.
            ConnectionError: the connection broke.
            TimeoutError: it stores nothing.
        """
        condition = {EXPECTED: str(seq), EXPECTED_SUBJECT: subject}
        return await self._store_beat(condition, limit)

    def _renew(self) -> "asyncio.Task[bool]":
        if self._beat is None:
            self._beat = asyncio.get_running_loop().create_task(self._store_beat({}, _ATTEMPT))
            self._beat.add_done_callback(self._note_beat_end)
        return self._beat

    def _note_beat_end(self, task: "asyncio.Task[bool]") -> None:
        self._beat = None
        take_error(task)

    async def _store_beat(self, condition: dict[str, str], limit: Seconds) -> bool:
        sent = self._timer()
        headers = {TTL: f"{BEAT_TTL}s", **condition}
        told = await self._connection.ask(self._beat_subject, b"", headers, limit)
        answer = _decode(told.data)
        error = answer.error
        if error is None:
            self.note(sent, answer.seq)
        elif error.err_code in NOT_NOW or error.description == NOT_LEADER:
            raise NoResponders(str(error))
        return error is None or error.err_code not in WRONG_SEQUENCE

    def _look_soon(self) -> None:
        """Look who follows; and again, ever more seldom, while somebody does not."""
        now = self._timer()
        if self._look is None and now >= self._look_at:
            self._look_at = now + min(now - self._since, _LOOK)
            self._look = asyncio.get_running_loop().create_task(self._look_at_followers())
            self._look.add_done_callback(self._note_look_end)

    def _note_look_end(self, task: "asyncio.Task[None]") -> None:
        self._look = None
        take_error(task)

    async def _look_at_followers(self) -> None:
        """See whether all have answered the leader since it first stored something here.

        It is the one that did, for it has that: an older one has not.
        """
        asked, since, first = self._timer(), self._since, self._first
        subject = f"$JS.API.STREAM.INFO.{self._stream.name}"
        told = await self._connection.ask(subject, b"", None, _ATTEMPT)
        info = _decode_info(told.data)
        is_older = info.error is not None or info.state.last_seq < first
        is_another = since != self._since or self._timer() - self._sent >= ELECTION
        if not is_older and not is_another:
            ages = [each.active * _NANO for each in info.cluster.replicas]
            self._is_sole = all(0 < age < asked - since for age in ages)  # 0: never


def take_error(task: "asyncio.Task[Any]") -> None:
    """Take note of a task's error, so that asyncio logs none: whoever waits has it."""
    if not task.cancelled():
        task.exception()
