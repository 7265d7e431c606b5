"""Reads of a stream over one connection, none of which is older than when it was asked for.

Whoever takes itself for the stream's leader answers. While ``wire.nats.lease`` believes it, that
is all. Else a beat is stored behind, on the condition that what was read stands there still: what
stores that is the leader, and it has all that was acknowledged before. (A server that follows is
not asked, whatever it has: one that catches up has the newest messages before some older ones.)
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from sessile.core.value import Seconds
from sessile.wire.nats.connection import NatsConnection, NoResponders
from sessile.wire.nats.endpoint import StreamAddress
from sessile.wire.nats.lease import NatsLease, take_error
from sessile.wire.nats.messages import NO_MESSAGE, NOT_NOW, GetAnswer

LAST: Final = "last_by_subj"
"""The question for the message of a subject; each has one."""

_PAUSE: Final[Seconds] = 0.002
"""How long it is waited, at first, where somebody else changes or confirms the same message."""

_SLOWER: Final = 1.5
"""Each time so much longer."""

_decode = msgspec.json.Decoder(GetAnswer).decode


class NatsReader:
    """Reads a stream.

    Args:
        connection: to one of its servers.
        stream: that.
        timer: seconds by a clock that never runs backwards.
        is_alone: whether there is no other server: then nobody else leads.

    Attributes:
        lease: what is known of the leader.
    """

    def __init__(
        self,
        connection: NatsConnection,
        stream: StreamAddress,
        timer: Callable[[], Seconds],
        *,
        is_alone: bool,
    ) -> None:
        self._connection, self._stream, self._timer = connection, stream, timer
        self._is_alone = is_alone
        self.lease = NatsLease(connection, stream, timer)
        self._reads: dict[str, asyncio.Task[GetAnswer]] = {}  # by subject, while not believed

    async def read(self, question: Mapping[str, str | int], limit: Seconds) -> GetAnswer:
        """Ask for a message.

        The answer to a question that is not for a subject's message is that of the leader, or of
        what takes itself for it.

        Raises:
            NoResponders: there is no leader.
            ConnectionError: the connection broke.
            TimeoutError: no answer in time that is good.
        """
        until = self._timer() + limit
        subject = question.get(LAST)
        if self._is_alone:
            return await self._ask(question, until)
        if not isinstance(subject, str):
            await self.lease.hold(limit)
            return await self._ask(question, until)
        began = self._timer()
        if self.lease.is_good():
            answer = await self._ask(question, until)
            if self.lease.was_good(began):
                return answer
        async with asyncio.timeout(until - self._timer()):
            if subject in self._reads:  # it may have been stored since that was confirmed
                await asyncio.wait((self._reads[subject],))
            return await asyncio.shield(self._read_together(subject, until))

    def _read_together(self, subject: str, until: Seconds) -> "asyncio.Task[GetAnswer]":
        """Read for all who wait for the same message: two that confirm it would disturb."""
        if subject not in self._reads:
            task = asyncio.get_running_loop().create_task(self._read_surely(subject, until))
            self._reads[subject] = task
            task.add_done_callback(lambda _: self._reads.pop(subject))
            task.add_done_callback(take_error)
        return self._reads[subject]

    async def _read_surely(self, subject: str, until: Seconds) -> GetAnswer:
        """Read until what was read is confirmed."""
        pause = _PAUSE
        while True:
            answer = await self._ask({LAST: subject}, until)
            if answer.error is not None and answer.error.err_code != NO_MESSAGE:
                return answer
            seq = 0 if answer.message is None else answer.message.seq
            if await self.lease.confirm(subject, seq, until - self._timer()):
                return answer
            await asyncio.sleep(pause)
            pause *= _SLOWER

    async def _ask(self, question: Mapping[str, str | int], until: Seconds) -> GetAnswer:
        """Ask the leader."""
        subject = f"$JS.API.STREAM.MSG.GET.{self._stream.name}"
        data, limit = msgspec.json.encode(question), until - self._timer()
        answer = _decode((await self._connection.ask(subject, data, None, limit)).data)
        if answer.error is not None and answer.error.err_code in NOT_NOW:
            raise NoResponders(str(answer.error))
        return answer
