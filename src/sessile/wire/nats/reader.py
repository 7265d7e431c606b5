"""Reads of a stream over one connection, none of which is older than when it was asked for.

While ``wire.nats.lease`` believes the leader, it is asked: one question. Else a beat is stored
before, and what is taken as the answer is what a server shows together with that beat, or a later
one. Whichever server that is, it has what the beat's leader had before it; and that is all that
was acknowledged when the beat was sent.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from nats.aio.msg import Msg

from sessile.core.value import Seconds
from sessile.wire.nats.connection import NatsConnection, NoResponders
from sessile.wire.nats.endpoint import StreamAddress
from sessile.wire.nats.lease import NatsLease
from sessile.wire.nats.messages import ACT, NOT_NOW, SEQUENCE, SUBJECT, GetAnswer, StoredMessage

LAST: Final = "last_by_subj"
"""The question for the message of a subject; each has one."""

_ATTEMPT: Final[tuple[Seconds, Seconds]] = 0.005, 0.05
"""How long one of several servers is waited for at first, at least and at most, before another one
is asked: one that hangs is asked like all others, and answers nobody."""

_PAUSE: Final[Seconds] = 0.002
"""How long one that lacks a beat gets to have it, at first: it follows a moment later."""

_SLOWER: Final = 1.5
"""Each time it gets so much longer."""

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

    async def read(self, question: Mapping[str, str | int], limit: Seconds) -> GetAnswer:
        """Ask for a message.

        A question that is not for a subject's message is put to the leader, or to what takes itself
        for it.

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
            began = self._timer()
        seq = await self.lease.beat(until - began)
        if not seq:
            return await self._ask(question, until)
        return await self._ask_anybody(subject, seq, until, self._timer() - began)

    async def _ask(self, question: Mapping[str, str | int], until: Seconds) -> GetAnswer:
        """Ask the leader."""
        subject = f"$JS.API.STREAM.MSG.GET.{self._stream.name}"
        data, limit = msgspec.json.encode(question), until - self._timer()
        answer = _decode((await self._connection.ask(subject, data, None, limit)).data)
        if answer.error is not None and answer.error.err_code in NOT_NOW:
            raise NoResponders(str(answer.error))
        return answer

    async def _ask_anybody(
        self, subject: str, seq: int, until: Seconds, usual: Seconds
    ) -> GetAnswer:
        """Ask one server after the other, until one has a beat; it tells both as of one moment.

        Args:
            subject: of the message.
            seq: of the beat.
            until: when there has to be an answer.
            usual: how long the beat took: an answer takes no longer where all is well.
        """
        beat = self.lease.beat_subject
        data = msgspec.json.encode({"multi_last": [subject, beat]})
        least, most = _ATTEMPT
        attempt, pause = min(max(usual, least), most), _PAUSE
        while (limit := until - self._timer()) > 0:
            try:
                told = await self._connection.ask_all(
                    f"$JS.API.DIRECT.GET.{self._stream.name}", data, min(attempt, limit)
                )
            except TimeoutError:
                attempt *= 2
                continue
            found = _sort(told)
            if beat in found and found[beat].seq >= seq:
                return GetAnswer(message=found.get(subject))
            await asyncio.sleep(pause)
            pause *= _SLOWER
        raise TimeoutError


def _sort(told: Sequence[Msg]) -> dict[str, StoredMessage]:
    """Return messages by their subjects."""
    found = {}
    for each in told:
        headers = each.headers or {}
        subject, act = headers.get(SUBJECT, ""), headers.get(ACT, "")
        seq = int(headers.get(SEQUENCE, 0))
        found[subject] = StoredMessage(subject, seq, each.data, act.encode())
    return found
