"""A client of one Redis server: commands as Asks. ``stores.redis`` says which commands.

Threads speak through redis-py's pool, with a connection for each command under way. Every event
loop has a pipeline of its own (``redis.pipeline``). The errors of either become
``StoreUnavailable``.

Forks: redis-py's pool notices one by the process id. In a child no loop is running, so it begins
with a new loop, and that with a new pipeline.
"""

import asyncio
import contextlib
from functools import partial
from typing import Any, Final

from sessile.core.flow import Ask
from sessile.errors import MissingExtra, StoreClosed
from sessile.wire.redis.endpoint import (
    ERROR_REPLIES,
    NOT_PRIMARY,
    Endpoint,
    ErrorReply,
    authentication_message,
)

try:
    import redis
    from redis import exceptions as redis_errors

    from sessile.wire.redis.connection import Waiter, pack
    from sessile.wire.redis.pipeline import Pipeline
except ImportError as error:
    raise MissingExtra("RedisStore", "redis") from error

_NOT_AUTHENTICATED: Final = (redis_errors.AuthenticationError, redis_errors.NoPermissionError)
_NOT_PRIMARY: Final = (redis_errors.ReadOnlyError, redis_errors.MasterDownError)


class RedisClient:
    """Everything that this process asks of one Redis server.

    Args:
        endpoint: the server.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._pool = _new_pool(endpoint)
        self._pipelines: dict[asyncio.AbstractEventLoop, Pipeline] = {}
        self._closed = False

    def ask(self, what: str, *words: str | bytes | float, idempotent: bool = False) -> Ask[Any]:
        """Return the Ask for one command. Its reply is as hiredis reads it, or an ``ErrorReply``.

        Args:
            what: its name in traces.
            words: the command.
            idempotent: it may be sent once more after the connection broke.

        Raises:
            StoreClosed: the client was closed.
        """
        self.check_open()
        packed = pack(words)
        return Ask(
            what, partial(self._block, packed, idempotent), partial(self._wait, packed, idempotent)
        )

    def check_open(self) -> None:
        """Do nothing if the client is open.

        Raises:
            StoreClosed: it was closed.
        """
        if self._closed:
            raise StoreClosed("Redis store")

    def close(self) -> Ask[None]:
        """Return the Ask that closes every connection; harmless when repeated."""
        return Ask("redis close", self._close, self._close_and_wait)

    def _wait(self, packed: bytes, idempotent: bool) -> Waiter:
        loop = asyncio.get_running_loop()
        pipeline = self._pipelines.get(loop) or self._new_pipeline(loop)
        return pipeline.submit(packed, idempotent=idempotent)

    def _new_pipeline(self, loop: asyncio.AbstractEventLoop) -> Pipeline:
        # forget closed loops here, so that none is kept for ever and no command pays for the search
        for old in [old for old in list(self._pipelines) if old.is_closed()]:
            self._pipelines.pop(old, None)
        pipeline = self._pipelines[loop] = Pipeline(self._endpoint, loop)
        return pipeline

    def _block(self, packed: bytes, idempotent: bool) -> Any:
        try:
            try:
                return self._execute(packed)
            except redis_errors.ConnectionError as broken:
                # a subclass is an answer of the server, as AuthenticationError
                if not idempotent or type(broken) is not redis_errors.ConnectionError:
                    raise
                return self._execute(packed)
        except (redis_errors.RedisError, OSError, UnicodeError) as error:
            failure = self._endpoint.failure(error, self._why(error))
            raise failure from failure.__cause__

    def _execute(self, packed: bytes) -> Any:
        connection: Any = self._pool.get_connection()
        try:
            connection.send_packed_command((packed,), check_health=False)
            return connection.read_response()
        except redis_errors.NoScriptError:
            return ErrorReply.NO_SCRIPT
        except redis_errors.ResponseError as error:
            code = str(error).partition(" ")[0]  # redis-py cuts off the codes that it knows
            if code in NOT_PRIMARY or isinstance(error, _NOT_PRIMARY):
                connection.disconnect()
            if code not in ERROR_REPLIES:
                raise
            return ERROR_REPLIES[code]
        except BaseException:
            connection.disconnect()  # its reply may still come, and must reach nobody
            raise
        finally:
            self._pool.release(connection)

    def _why(self, error: Exception) -> str:
        if isinstance(error, _NOT_AUTHENTICATED):
            return authentication_message(error)
        if isinstance(error, redis_errors.TimeoutError):
            return self._endpoint.timeout_message()
        return ""

    def _close(self) -> None:
        self._closed = True
        self._pool.disconnect()
        for loop, pipeline in list(self._pipelines.items()):
            with contextlib.suppress(RuntimeError):  # a closed loop has closed its pipeline
                loop.call_soon_threadsafe(pipeline.close)

    async def _close_and_wait(self) -> None:
        self._close()
        pipeline = self._pipelines.get(asyncio.get_running_loop())
        if pipeline is not None:
            await pipeline.aclose()


def _new_pool(endpoint: Endpoint) -> redis.ConnectionPool:
    """Return redis-py's pool. RESP2 spares a HELLO that asks the server for nothing we use."""
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
