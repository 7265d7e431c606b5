"""What is stored in a stream, as one thread hears it. ``stores.nats_feed`` says what it means.

An ordered consumer for each stream, in the memory of one server, tells each message; without its
data unless that is asked for. Each has a number, so that none is missed without a word. A consumer
that is gone says nothing. The server waits for us now and then (flow control), so that many
messages do not fill our memory.
"""

import asyncio
import math
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error

from sessile.core.value import Instant, Seconds
from sessile.wire.nats.connection import NatsConnection, NoResponders, end_opening
from sessile.wire.nats.endpoint import NatsEndpoint
from sessile.wire.nats.loop import NatsLoop
from sessile.wire.nats.messages import TTL, Answer

R = TypeVar("R")

_AT_ONCE: Final = 1000
_CONTROL: Final = "100"
"""The status of a message of the server's own, which stands for nothing that was stored."""

_HEARTBEAT: Final = 5_000_000_000  # nanoseconds; flow control takes one

_INACTIVE: Final = 5_000_000_000
"""Nanoseconds after which the server forgets a consumer to which nobody listens."""


class Told(NamedTuple):
    """A message that was stored.

    Attributes:
        subject: its subject.
        data: its bytes; none where they are not asked for.
        is_last: whether nothing stood behind it when the server sent it.
        seq: its sequence in the stream.
        stored: when, by the server's clock.
        until: when the server removes it, by that clock; it tells nobody then.
    """

    subject: str
    data: bytes
    is_last: bool
    seq: int
    stored: Instant
    until: Instant


class NatsListener:
    """Hears of what is stored from when it was opened on, in a stream or several. For one thread.

    Args:
        endpoint: the servers.
        loop: on which they are spoken to.
    """

    def __init__(self, endpoint: NatsEndpoint, loop: NatsLoop) -> None:
        self._endpoint = endpoint
        self._loop = loop
        self._told: SimpleQueue[Told | Exception] = SimpleQueue()
        self._counts: dict[str, int] = {}  # by stream, how many messages of it were told
        self._connection: NatsConnection | None = None
        self._opening: asyncio.Task[Any] | None = None
        self._closing: asyncio.Task[None] | None = None  # so that it is not collected while it runs

    def open(self, subjects: Mapping[str, Sequence[str]], *, after: int | None = None) -> None:
        """Connect.

        Args:
            subjects: those to hear of, by the name of their stream; they have no overlap.
            after: a sequence, behind which to hear of all that is there already, with its data;
                None where that is known, and no data is asked for.

        Raises:
            OSError: no server is there, or there is no such stream.
            StoreClosed: the store was closed.
        """
        self._perform(self._open(subjects, after=after))

    def receive(self, seconds: Seconds) -> list[Told]:
        """Return the messages that were stored, in their order; wait for one, so long at most.

        Raises:
            OSError: something may have been missed.
        """
        found: list[Told] = []
        while len(found) < _AT_ONCE:
            try:
                told = self._told.get_nowait() if found else self._told.get(timeout=seconds)
            except Empty:
                break
            if isinstance(told, Exception):
                raise told
            found.append(told)
        return found

    def send(self, subject: str, headers: dict[str, str]) -> None:
        """Store an empty message, and wait for no answer.

        Raises:
            OSError: the connection broke.
        """
        self._perform(self._send(subject, headers))

    async def _send(self, subject: str, headers: dict[str, str]) -> None:
        if self._connection is None:
            raise ConnectionError("the connection was closed")
        await self._connection.tell(subject, b"", headers)

    def close(self) -> None:
        """Close the connection, from any thread. Harmless when repeated."""
        self._loop.post(self._begin_close)

    async def aclose(self) -> None:
        """Close the connection, on its own loop."""
        if self._opening is not None:
            await end_opening(self._opening)
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _begin_close(self) -> None:
        if self._connection is not None:
            self._closing = asyncio.get_running_loop().create_task(self.aclose())

    def _perform(self, act: Coroutine[Any, Any, R]) -> R:
        try:
            return self._loop.perform(act, self._endpoint.timeout + self._endpoint.connect_timeout)
        except Error as error:
            why = str(error)
        except NoResponders:
            why = "the stream is not there, or has no leader"
        raise ConnectionError(why)

    async def _open(self, subjects: Mapping[str, Sequence[str]], *, after: int | None) -> None:
        self._opening = asyncio.current_task()
        hosts = deque(self._endpoint.hosts)
        connection = await NatsConnection.open_any(self._endpoint, hosts)
        self._connection = connection
        try:
            connection.on_loss = self._told.put
            make = partial(self._make_consumer, connection, after=after)
            await _all_of([make(stream, some) for stream, some in subjects.items()])
        except BaseException:
            await connection.close()
            raise

    async def _make_consumer(
        self,
        connection: NatsConnection,
        stream: str,
        subjects: Sequence[str],
        *,
        after: int | None,
    ) -> None:
        inbox = await connection.listen(partial(self._hear, stream))
        config = {
            "deliver_subject": inbox,
            **_where_from(after),
            "ack_policy": "none",
            "max_deliver": 1,
            "filter_subjects": list(subjects),
            "headers_only": after is None,
            "flow_control": True,
            "idle_heartbeat": _HEARTBEAT,
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": _INACTIVE,
        }
        question = msgspec.json.encode({"stream_name": stream, "config": config})
        subject = f"$JS.API.CONSUMER.CREATE.{stream}"
        told = await connection.ask(subject, question, None, self._endpoint.timeout)
        error = msgspec.json.decode(told.data, type=Answer).error
        if error is not None:
            raise ConnectionError(f"no consumer of the stream {stream}: {error.description}")

    async def _hear(self, stream: str, message: Msg) -> None:
        headers = message.headers or {}
        if headers.get("Status") == _CONTROL:
            answer = message.reply or headers.get("Nats-Consumer-Stalled")
            if answer and self._connection is not None:
                await self._connection.tell(answer, b"", None)
            return
        if not message.reply:  # it says that the consumer is gone
            return
        count = self._counts[stream] = self._counts.get(stream, 0) + 1
        place = message.metadata
        if place.sequence.consumer != count:
            self._told.put(ConnectionError("some of what was stored was not told"))
        is_last = place.num_pending == 0
        stored = place.timestamp.timestamp()
        until = stored + _lifetime(headers.get(TTL, ""))
        seq = place.sequence.stream
        self._told.put(Told(message.subject, message.data, is_last, seq, stored, until))


def _lifetime(text: str) -> Seconds:
    """Return how long a message is kept, by its header."""
    number = text.removesuffix("s")
    return int(number) if number.isdecimal() else math.inf


def _where_from(after: int | None) -> dict[str, str | int]:
    """Return how a consumer is told where to begin."""
    if after is None:
        return {"deliver_policy": "new"}
    if not after:
        return {"deliver_policy": "last_per_subject"}
    return {"deliver_policy": "by_start_sequence", "opt_start_seq": after + 1}


async def _all_of(acts: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Finish acts, all at once; none is under way when the first failure of theirs is raised."""
    for error in await asyncio.gather(*acts, return_exceptions=True):
        if error is not None:
            raise error
