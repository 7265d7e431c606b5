"""An event loop's way to NATS: one connection, opened anew where it broke. ``wire.nats.client``."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error

from sessile.core.value import Seconds
from sessile.wire import system
from sessile.wire.nats.connection import NatsConnection, NoResponders, end_opening
from sessile.wire.nats.endpoint import NatsEndpoint, StreamAddress
from sessile.wire.nats.messages import (
    ACT,
    BATCH,
    BATCH_COMMIT,
    BATCH_SEQUENCE,
    FULL,
    NOT_LEADER,
    NOT_NOW,
    WRONG_SEQUENCE,
    Answer,
    ApiError,
    GetAnswer,
    PublishAnswer,
    ServerInfo,
    StreamMessage,
)
from sessile.wire.nats.reader import LAST, NatsReader

_PAUSE: Final[Seconds] = 0.05
_NO_LEADER: Final = (
    "the stream had no leader, as while its servers elect one, or when too few of them are there"
)
_ONE_BY_ONE: Final = (
    "the server that leads the stream is older than 2.12, and has stored one by one what is one "
    "act: update it"
)
_ATTEMPT: Final[Seconds] = 2.0
"""How long an answer is waited for before it is asked again: a leader that dies answers nobody.

Half of a short time limit: one that steps down answers nobody either, and its successor is there
within a tenth of a second.
"""

_NAME: Final = 12  # bytes
_AGAIN: Final = -1  # no sequence

A = TypeVar("A", bound=Answer)
R = TypeVar("R")

_closing: Final[set["asyncio.Task[None]"]] = set()  # so that none is collected while it runs

_decode = msgspec.json.Decoder(PublishAnswer).decode


class _LaneAct(NamedTuple):
    """What is stored, under the name by which it is known again, and until when that is tried."""

    stream: StreamAddress
    messages: Sequence[StreamMessage]
    name: str
    deadline: Seconds


class NatsLane:
    """The connection of one loop.

    Args:
        endpoint: the servers.
        timer: seconds by a clock that never runs backwards.
    """

    def __init__(self, endpoint: NatsEndpoint, timer: Callable[[], Seconds]) -> None:
        self._endpoint = endpoint
        self._timer = timer
        self._attempt = min(_ATTEMPT, endpoint.timeout / 2)
        self._loop = asyncio.get_running_loop()
        self._hosts = deque(endpoint.hosts)
        self._connection: NatsConnection | None = None
        self._opening: asyncio.Task[NatsConnection] | None = None
        self._readers: dict[StreamAddress, NatsReader] = {}  # over that connection
        self._is_alone = False  # the server: then nobody else stores, or answers for it
        self._left: set[NatsConnection] = set()

    async def ask(
        self,
        subject: str,
        data: bytes,
        kind: type[A],
        *,
        is_harmless: bool = True,
    ) -> A:
        """Ask JetStream something; return its answer, whatever it says.

        Args:
            subject: of the question.
            data: its bytes.
            kind: of the answer.
            is_harmless: whether it is asked once more where nobody knows what became of it.

        Raises:
            StoreUnavailable: there is no answer in time.
        """
        deadline = self._timer() + self._endpoint.timeout
        try:
            while True:
                message = await self._ask(subject, data, deadline, is_harmless=is_harmless)
                answer = msgspec.json.decode(message.data, type=kind)
                if answer.error is None or answer.error.err_code not in NOT_NOW:
                    return answer
                await self._pause(deadline, str(answer.error))
        except (OSError, Error) as error:
            failure = self._endpoint.failure(error)
        raise failure  # out here it has no other context than its cause

    async def read(self, stream: StreamAddress, question: Mapping[str, str | int]) -> GetAnswer:
        """Ask for a message; the answer has all that was acknowledged before.

        Raises:
            StoreUnavailable: there is no answer in time.
        """
        deadline = self._timer() + self._endpoint.timeout
        try:
            return await self._read(stream, question, deadline)
        except (OSError, Error) as error:
            failure = self._endpoint.failure(error)
        raise failure

    async def ask_directly(self, subject: str, data: bytes) -> dict[str, str]:
        """Ask any of the servers that hold a stream for a message; return the answer's headers.

        It may be one that follows, or lags: what it says may be old.

        Raises:
            StoreUnavailable: there is no answer in time.
        """
        deadline = self._timer() + self._endpoint.timeout
        try:
            return (await self._ask(subject, data, deadline)).headers or {}
        except (OSError, Error) as error:
            failure = self._endpoint.failure(error)
        raise failure

    async def store(self, stream: StreamAddress, messages: Sequence[StreamMessage]) -> int | None:
        """Store messages in a stream as one act; return the sequence of the last one.

        None where a condition of theirs does not hold: nothing has happened. Where nobody knows
        what became of them they are sent once more. They are not stored twice, for then their
        conditions do not hold any more; and what is stored is known by the name of its act.

        Raises:
            StoreUnavailable: the server refuses them, or nobody knows whether they are stored.
        """
        deadline = self._timer() + self._endpoint.timeout
        act = _LaneAct(stream, messages, system.entropy(_NAME).hex(), deadline)
        is_doubtful = is_again = False
        try:
            while True:
                try:
                    told = await self._publish(act)
                except (ConnectionError, TimeoutError):
                    if self._timer() >= deadline:
                        raise
                    is_doubtful = True
                    continue
                error = told.error
                if error is None:
                    return told.seq
                if error.err_code in WRONG_SEQUENCE:
                    seq = await self._judge(act, error, (is_doubtful, is_again))
                    if seq != _AGAIN:
                        return seq
                    is_again = True
                elif not self._may_pass(error):
                    failure = self._endpoint.refusal(error.description)
                    break
                await self._pause(deadline, str(error))
        except (OSError, Error) as error:
            failure = self._endpoint.failure(error)
        raise failure

    async def _judge(
        self, act: "_LaneAct", error: ApiError, doubts: tuple[bool, bool]
    ) -> int | None:
        """Return the sequence of a message that was stored though a leader refused it.

        A leader that was cut off, and does not know yet that there is another, gets what that one
        gets, and refuses by what it has. None where the message was not stored; ``_AGAIN`` where
        that may be known when it is sent once more.
        """
        is_doubtful, is_again = doubts
        message = act.messages[-1]
        if not any(doubts) and (self._is_alone or error.is_newer_than(message.expected)):
            return None
        found = (await self._read(act.stream, {LAST: message.subject}, act.deadline)).message
        if found is not None and act.name.encode() in found.hdrs:
            return found.seq
        is_same = message.expected == (0 if found is None else found.seq)
        if is_doubtful and is_same:  # it is on its way, or has been lost
            return _AGAIN
        if is_doubtful:
            raise ConnectionError("its connection broke, and nobody knows whether it was stored")
        return _AGAIN if is_same and not is_again else None

    async def _read(
        self, stream: StreamAddress, question: Mapping[str, str | int], deadline: Seconds
    ) -> GetAnswer:
        return await self._try(
            lambda connection, limit: self._reader(connection, stream).read(question, limit),
            deadline,
        )

    async def _ask(
        self, subject: str, data: bytes, deadline: Seconds, *, is_harmless: bool = True
    ) -> Msg:
        return await self._try(
            lambda connection, limit: connection.ask(subject, data, None, limit),
            deadline,
            is_harmless=is_harmless,
        )

    async def _try(
        self,
        act: Callable[[NatsConnection, Seconds], Awaitable[R]],
        deadline: Seconds,
        *,
        is_harmless: bool = True,
    ) -> R:
        """Ask somebody who answers."""
        while True:
            connection = await self._connect(deadline)
            limit = self._limit(deadline) if is_harmless else deadline - self._timer()
            try:
                return await act(connection, limit)
            except NoResponders as none:
                await self._pause(deadline, str(none) or _NO_LEADER)
            except (ConnectionError, TimeoutError) as error:
                self._doubt(connection, error)
                if not is_harmless or self._timer() >= deadline:
                    raise

    def _may_pass(self, error: ApiError) -> bool:
        """Tell whether what is refused now may be stored a moment later."""
        if error.err_code == FULL:
            return not self._is_alone
        return error.err_code in NOT_NOW or error.description == NOT_LEADER

    def _limit(self, deadline: Seconds) -> Seconds:
        return min(deadline - self._timer(), self._attempt)

    def _doubt(self, connection: NatsConnection | None, error: Exception) -> None:
        """Go to another server from now on: one that is cut off from the others is no good."""
        if isinstance(error, TimeoutError) and len(self._hosts) > 1 and connection is not None:
            self._left.add(connection)  # those who wait still have a while
            self._loop.call_later(_ATTEMPT, self._close_left, connection)
            if self._connection is connection:
                self._forget(connection)

    def _close_left(self, connection: NatsConnection) -> None:
        self._left.discard(connection)
        self._hold(connection.close())

    def _forget(self, connection: NatsConnection) -> None:
        self._connection, self._readers = None, {}
        if self._hosts[0] == connection.host:
            self._hosts.rotate(-1)

    async def server(self) -> ServerInfo:
        """Ask the server about itself.

        Raises:
            StoreUnavailable: none is there.
        """
        try:
            return (await self._connect(self._timer() + self._endpoint.timeout)).server
        except (OSError, Error) as error:
            failure = self._endpoint.failure(error)
        raise failure

    async def servers(self) -> list[ServerInfo]:
        """Ask that one and all others about themselves; those that are away are left out.

        Raises:
            StoreUnavailable: none is there that serves us.
        """
        own = await self.server()
        found = await asyncio.gather(*map(self._look, self._endpoint.hosts))
        others = {each.server_name: each for each in found if each is not None}
        return [own, *(others[name] for name in sorted(others.keys() - {own.server_name}))]

    async def _look(self, host: tuple[str, int]) -> ServerInfo | None:
        try:
            async with asyncio.timeout(self._endpoint.connect_timeout):
                connection = await NatsConnection.open(self._endpoint, host)
        except OSError:
            return None
        await connection.close()
        return connection.server

    async def close(self) -> None:
        """Close the connection."""
        if self._opening is not None:
            await end_opening(self._opening)
        for each in (self._connection, *self._left):
            if each is not None:
                await each.close()

    def close_soon(self) -> None:
        """Have it closed by its own loop, from any thread, if that runs still."""
        with contextlib.suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(self._begin_close)

    def _begin_close(self) -> None:
        self._hold(self.close())

    def _hold(self, closing: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(closing)
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    async def _publish(self, act: "_LaneAct") -> PublishAnswer:
        """Send messages, the last one's answer being that of all."""
        *others, last = act.messages
        while True:
            connection = await self._connect(act.deadline)
            headers = last.headers() | {ACT: act.name}
            if others:
                batch = system.entropy(_NAME).hex()
                for number, each in enumerate(others, 1):
                    place = {BATCH: batch, BATCH_SEQUENCE: str(number)}
                    await connection.tell(each.subject, each.data, each.headers() | place)
                headers |= {BATCH: batch, BATCH_SEQUENCE: str(len(act.messages)), BATCH_COMMIT: "1"}
            lease, sent = self._reader(connection, act.stream).lease, self._timer()
            try:
                answer = await connection.ask(
                    last.subject, last.data, headers, self._limit(act.deadline)
                )
            except NoResponders:
                await self._pause(act.deadline)
                continue
            except TimeoutError as error:
                self._doubt(connection, error)
                raise
            told = _decode(answer.data)
            if told.error is None:
                if others and not told.batch:
                    raise Error(_ONE_BY_ONE)
                lease.note(sent, told.seq)
            return told

    async def _pause(self, deadline: Seconds, why: str = _NO_LEADER) -> None:
        """Wait a little: nothing has happened, and it will go better."""
        if self._timer() + _PAUSE >= deadline:
            error = TimeoutError(f"for {self._endpoint.timeout:g} s {why}")
            self._doubt(self._connection, error)
            raise error
        await asyncio.sleep(_PAUSE)

    async def _connect(self, deadline: Seconds) -> NatsConnection:
        """Return a connection; open one for all who wait for it."""
        connection = self._connection
        if connection is not None:
            if connection.is_open:
                return connection
            self._forget(connection)  # what broke may break again
        if self._opening is None:
            self._opening = self._loop.create_task(
                NatsConnection.open_any(self._endpoint, self._hosts)
            )
            self._opening.add_done_callback(self._note_opened)
        try:
            async with asyncio.timeout(max(deadline - self._timer(), 0.0)):
                return await asyncio.shield(self._opening)
        except TimeoutError:
            raise TimeoutError(f"no connection within {self._endpoint.timeout:g} s") from None

    def _note_opened(self, task: "asyncio.Task[NatsConnection]") -> None:
        self._opening = None
        if not task.cancelled() and task.exception() is None:
            connection = self._connection = task.result()
            self._is_alone = not connection.server.cluster

    def _reader(self, connection: NatsConnection, stream: StreamAddress) -> NatsReader:
        """Return the reader of a stream, over one connection."""
        new = partial(NatsReader, connection, stream, self._timer, is_alone=self._is_alone)
        if connection is not self._connection:  # it was left meanwhile
            return new()
        reader = self._readers.get(stream)
        if reader is None:
            reader = self._readers[stream] = new()
        return reader
