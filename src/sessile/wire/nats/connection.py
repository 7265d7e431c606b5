"""A connection to one NATS server: questions, and the answers to each.

nats-py has the protocol, and the socket. It is told neither to come back after a broken connection
nor to keep what was not sent: ``wire.nats.lane`` opens another one, and whoever waits is told.
"""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error, MaxPayloadError

from sessile.core.value import Seconds
from sessile.wire.nats.endpoint import NatsEndpoint
from sessile.wire.nats.messages import ServerInfo
from sessile.wire.nats.transport import NatsTransport
from sessile.wire.nats.version import too_old

_PING_INTERVAL: Final = 20  # seconds; twice without an answer ends a connection at rest
_NO_RESPONDERS: Final = "503"
_DOUBT: Final[Seconds] = 0.5
"""How long an answer is waited for before the server is asked whether it is there at all."""

_CLOSE_TIMEOUT: Final[Seconds] = 1.0


class NoResponders(Exception):  # noqa: N818
    """Nobody listens to what was asked: nothing has happened."""


class _Client(Client):
    """nats-py's client, which drops what it has not sent when it ends.

    Else it writes that to a socket that is closed, which is an error under uvloop: then it says to
    nobody that it has ended.
    """

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        self._pending, self._pending_data_size = [], 0
        await super()._close(status, do_cbs)


class NatsConnection:
    """One connection, for the tasks of one loop.

    Args:
        endpoint: whose it is.
        host: name and port of the server.

    Attributes:
        host: that.
        server: what it says of itself.
        on_loss: called when it broke.
    """

    def __init__(self, endpoint: NatsEndpoint, host: tuple[str, int]) -> None:
        self._endpoint = endpoint
        self._loop = asyncio.get_running_loop()
        self.host = host
        self._transport = NatsTransport()
        self._client = _Client()
        self._client._transport = self._transport  # noqa: SLF001  (it has no argument)
        self._waiting: dict[str, asyncio.Future[Msg]] = {}
        self._subjects: dict[str, str] = {}
        self._numbers = itertools.count()
        self._inbox = ""
        self._error: Exception | None = None
        self.on_loss: Callable[[Exception], object] = bool
        self._probe: asyncio.Task[None] | None = None
        self._guard: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self.server = ServerInfo()

    @classmethod
    async def open(cls, endpoint: NatsEndpoint, host: tuple[str, int]) -> "NatsConnection":
        """Connect to a server.

        Raises:
            ConnectionError: it is not there, or refused us.
        """
        connection = cls(endpoint, host)
        try:
            await connection._connect()
            _check_cancelled()
        except (OSError, Error, RuntimeError) as error:
            why = str(connection._error or error) or type(error).__name__
        except BaseException:
            await connection.close()
            raise
        else:
            return connection
        await connection.close()
        raise ConnectionError(why)  # without what led to it: its frames hold the password

    @classmethod
    async def open_any(
        cls, endpoint: NatsEndpoint, hosts: deque[tuple[str, int]]
    ) -> "NatsConnection":
        """Connect to the first server that is there.

        Args:
            endpoint: the servers.
            hosts: theirs; those that are not there come to stand behind.

        Raises:
            OSError: none of them serves us.
        """
        limit = endpoint.connect_timeout / len(hosts)
        failure: OSError = ConnectionError("no server is there")
        for _ in range(len(hosts)):
            try:
                async with asyncio.timeout(limit):
                    connection = await cls.open(endpoint, hosts[0])
            except TimeoutError:
                failure = TimeoutError(f"no connection within {limit:g} s")
            except OSError as error:
                failure = error
            else:
                why = too_old(connection.server.version, has_batches=endpoint.has_batches)
                if why is None:
                    return connection
                await connection.close()
                failure = ConnectionError(why)
            hosts.rotate(-1)
        raise failure

    @property
    def is_open(self) -> bool:
        """Whether it can be asked."""
        return self._client.is_connected

    async def ask(
        self, subject: str, data: bytes, headers: dict[str, str] | None, limit: Seconds
    ) -> Msg:
        """Publish a message, and return the answer to it.

        Raises:
            NoResponders: nobody listens.
            ConnectionError: the connection broke; nobody knows what became of it.
            TimeoutError: no answer in time; nobody knows either.
        """
        token = format(next(self._numbers), "x")
        waiter: asyncio.Future[Msg] = self._loop.create_future()
        self._waiting[token] = waiter
        self._subjects[token] = subject
        doubt = self._loop.call_later(min(limit / 4, _DOUBT), self.probe)
        end = self._loop.call_later(limit, _fail, waiter)
        try:
            await self._publish(subject, data, headers, self._inbox + token)
            answer = await waiter
        finally:
            doubt.cancel()
            end.cancel()
            del self._waiting[token], self._subjects[token]
        if answer.headers and answer.headers.get("Status") == _NO_RESPONDERS:
            raise NoResponders
        return answer

    async def tell(self, subject: str, data: bytes, headers: dict[str, str] | None) -> None:
        """Publish a message, and wait for no answer."""
        await self._publish(subject, data, headers, "")

    async def listen(self, hear: Callable[[Msg], Awaitable[None]]) -> str:
        """Have a function called with each message to a subject of our own; return that.

        Messages that come faster than they are taken are dropped.
        """
        subject = self._client.new_inbox()
        await self._client.subscribe(subject, cb=hear)
        return subject

    def probe(self) -> None:
        """Close the connection soon unless its server answers."""
        if self._probe is None and self.is_open:
            self._probe = self._loop.create_task(self._ping())

    async def close(self) -> None:
        """Close it; harmless when repeated. Whoever waits is told."""
        self._fail_all(ConnectionError("the connection was closed"))
        try:
            with contextlib.suppress(Exception):  # a socket that is broken already
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await self._client.close()
        finally:
            self._let_go()

    async def _connect(self) -> None:
        endpoint, client = self._endpoint, self._client
        self._guard = self._loop.create_task(self._hold())
        name, port = self.host
        place = f"[{name}]" if ":" in name else name
        await client.connect(
            [f"nats://{place}:{port}"],
            name="sessile",
            user=endpoint.username,
            password=endpoint.show_password,  # which no traceback shows
            user_credentials=endpoint.credentials,
            tls=None if endpoint.tls is None else endpoint.tls.context,
            tls_hostname=None if endpoint.tls is None else name,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=endpoint.connect_timeout,  # type: ignore[arg-type]
            ping_interval=_PING_INTERVAL,
            pending_size=0,
            error_cb=self._note,
            closed_cb=self._lose,
        )
        told = client._server_info  # noqa: SLF001  (its public parts are not enough)
        self.server = msgspec.convert(told, ServerInfo)
        reading: Any = client._reading_task  # noqa: SLF001  (some errors end it and nothing else)
        reading.add_done_callback(self._end)
        self._inbox = f"{client.new_inbox()}."
        await client.subscribe(f"{self._inbox}*", cb=self._hear)

    async def _hold(self) -> None:
        """Close the socket when the loop ends, which cancels whatever is still there."""
        try:
            await asyncio.Event().wait()
        finally:
            self._transport.abort()

    def _let_go(self) -> None:
        """Close the socket, if nats-py has not."""
        if self._guard is not None:
            self._guard.cancel()
        self._transport.abort()

    async def _publish(
        self, subject: str, data: bytes, headers: dict[str, str] | None, reply: str
    ) -> None:
        try:
            await self._client.publish(subject, data, reply=reply, headers=headers)
        except MaxPayloadError:
            raise Error(
                f"a message of {len(data):,} bytes is larger than the server takes: raise "
                "max_payload in its configuration, or keep less in a session"
            ) from None
        except Error as error:
            if self.is_open:  # the message cannot be sent, over whatever connection
                raise
            raise ConnectionError(str(error)) from error
        except RuntimeError as error:  # uvloop's word for a socket that is closed
            self._end()
            raise ConnectionError("the connection broke") from error

    def _end(self, _reading: object = None) -> None:
        """Close it soon: nobody reads any more, or nothing can be written."""
        if self.is_open and self._ending is None:
            self._ending = self._loop.create_task(self.close())

    async def _hear(self, message: Msg) -> None:
        waiter = self._waiting.get(message.subject[len(self._inbox) :])
        if waiter is not None and not waiter.done():
            waiter.set_result(message)

    async def _note(self, error: Exception) -> None:
        """Tell those whose subject the server does not let us use: it does not answer them."""
        self._error = error
        text = str(error).lower()  # as nats-py has it already
        if "permissions violation" in text:
            for token, subject in list(self._subjects.items()):
                if f'"{subject}"'.lower() in text:
                    _fail(self._waiting[token], PermissionError(text))

    async def _lose(self) -> None:
        self._let_go()
        error = ConnectionError(str(self._error or "the connection broke"))
        self._fail_all(error)
        self.on_loss(error)

    async def _ping(self) -> None:
        try:
            await self._client.flush(min(self._endpoint.timeout / 4, _DOUBT))  # type: ignore[arg-type]
        except (Error, OSError, RuntimeError):
            self._fail_all(ConnectionError("its connection was given up: it answered nobody"))
            await self.close()
        finally:
            self._probe = None

    def _fail_all(self, error: Exception) -> None:
        for waiter in list(self._waiting.values()):
            _fail(waiter, type(error)(str(error)))


async def end_opening(task: "asyncio.Task[Any]") -> None:
    """Let a connection be opened no further; one that is open already can be closed then."""
    task.cancel()
    await asyncio.wait((task,), timeout=_CLOSE_TIMEOUT)


def _check_cancelled() -> None:
    """Heed a cancellation that ``asyncio.wait_for`` has lost, as it may before Python 3.12.

    Raises:
        CancelledError: there was one.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _fail(waiter: "asyncio.Future[Msg]", error: Exception | None = None) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError() if error is None else error)
