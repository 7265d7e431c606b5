"""The link to a Redis server: commands as Asks. ``stores.redis`` says which commands.

Threads speak through redis-py's pool, with a connection for each command under way. Every event
loop has a pipeline of its own (``redis.pipeline``). Foreign errors become ``StoreUnavailable``
here.
"""

import asyncio
import contextlib
from functools import partial
from typing import Any, Final

from sessile.core.flow import Ask
from sessile.errors import MissingExtra, StoreClosed
from sessile.wire.redis.endpoint import ANSWERS, DEMOTED, Endpoint, Told, unwelcome

try:
    import redis
    from redis import exceptions as foreign

    from sessile.wire.redis.connection import Waiter, pack
    from sessile.wire.redis.pipeline import Line
except ImportError as error:
    raise MissingExtra("RedisStore", "redis") from error

_STRANGER: Final = (foreign.AuthenticationError, foreign.NoPermissionError)
_DEMOTED: Final = (foreign.ReadOnlyError, foreign.MasterDownError)


class Link:
    """Everything that this process asks of one Redis server.

    Args:
        endpoint: the server.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._pool = _pool(endpoint)
        self._lines: dict[asyncio.AbstractEventLoop, Line] = {}
        self._closed = False

    def ask(self, what: str, *words: str | bytes | float, again: bool = False) -> Ask[Any]:
        """Return the Ask for one command. Its reply is as hiredis reads it, or ``Told``.

        Args:
            what: its name in traces.
            words: the command.
            again: it changes nothing, so it may be asked once more after the connection broke.

        Raises:
            StoreClosed: the link was closed.
        """
        self.check_open()
        packed = pack(words)
        return Ask(what, partial(self._block, packed, again), partial(self._wait, packed, again))

    def check_open(self) -> None:
        """Return if the link was not closed.

        Raises:
            StoreClosed: it was.
        """
        if self._closed:
            raise StoreClosed("Redis store")

    def close(self) -> Ask[None]:
        """Return the Ask that closes every connection; harmless when repeated."""
        return Ask("redis close", self._close, self._close_and_wait)

    def _wait(self, packed: bytes, again: bool) -> Waiter:
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop) or self._new_line(loop)
        return line.ask(packed, again=again)

    def _new_line(self, loop: asyncio.AbstractEventLoop) -> Line:
        for old in [old for old in list(self._lines) if old.is_closed()]:
            self._lines.pop(old, None)
        line = self._lines[loop] = Line(self._endpoint, loop)
        return line

    def _block(self, packed: bytes, again: bool) -> Any:
        try:
            try:
                return self._exchange(packed)
            except foreign.ConnectionError as broken:
                if not again or type(broken) is not foreign.ConnectionError:
                    raise
                return self._exchange(packed)
        except (foreign.RedisError, OSError, UnicodeError) as error:
            failure = self._endpoint.failure(error, self._why(error))
            raise failure from failure.__cause__

    def _exchange(self, packed: bytes) -> Any:
        connection: Any = self._pool.get_connection()
        try:
            connection.send_packed_command((packed,), check_health=False)
            return connection.read_response()
        except foreign.NoScriptError:
            return Told.NO_SCRIPT
        except foreign.ResponseError as error:
            code = str(error).partition(" ")[0]  # redis-py cuts off the codes that it knows
            if code in DEMOTED or isinstance(error, _DEMOTED):
                connection.disconnect()
            if code not in ANSWERS:
                raise
            return ANSWERS[code]
        except BaseException:
            connection.disconnect()  # its answer may still come, and must reach nobody
            raise
        finally:
            self._pool.release(connection)

    def _why(self, error: Exception) -> str:
        if isinstance(error, _STRANGER):
            return unwelcome(error)
        return self._endpoint.silence() if isinstance(error, foreign.TimeoutError) else ""

    def _close(self) -> None:
        self._closed = True
        self._pool.disconnect()
        for loop, line in list(self._lines.items()):
            with contextlib.suppress(RuntimeError):  # a loop that is closed took its line along
                loop.call_soon_threadsafe(line.end)

    async def _close_and_wait(self) -> None:
        self._close()
        line = self._lines.get(asyncio.get_running_loop())
        if line is not None:
            await line.ended()


def _pool(endpoint: Endpoint) -> redis.ConnectionPool:
    """Return redis-py's pool. RESP2 spares a greeting that asks the server for nothing we use."""
    options: dict[str, Any] = {
        "db": endpoint.db,
        "username": endpoint.username,
        "password": endpoint.password,
        "protocol": 2,
        "socket_timeout": endpoint.timeout,
        "socket_connect_timeout": endpoint.connect_timeout,
    }
    if endpoint.path is not None:
        return redis.ConnectionPool(redis.UnixDomainSocketConnection, path=endpoint.path, **options)
    options |= {"host": endpoint.host, "port": endpoint.port}
    if endpoint.tls is None:
        return redis.ConnectionPool(redis.Connection, **options)
    tls = endpoint.tls
    return redis.ConnectionPool(
        redis.SSLConnection,
        ssl_ca_certs=tls.ca,
        ssl_certfile=tls.cert,
        ssl_keyfile=tls.key,
        ssl_cert_reqs="required",
        ssl_check_hostname=True,
        **options,
    )
