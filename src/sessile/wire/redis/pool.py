"""Threads' connections to a Redis server. ``wire.redis.client`` keeps one pool of them.

A connection for each command under way; those at rest wait for the next one, the latest first. A
command has one deadline, for its name, its connection, the handshake, its whole answer, and for
being sent once more.
"""

import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from sessile.core.value import Seconds
from sessile.wire import system
from sessile.wire.opaque import Opaque
from sessile.wire.redis.blocking import BlockingConnection
from sessile.wire.redis.endpoint import ERROR_REPLIES, NOT_PRIMARY, CommandError, Endpoint
from sessile.wire.redis.repeat import Repeat, Repeated
from sessile.wire.redis.resp import handshake, refuse_replica
from sessile.wire.resolver import Resolver


class ConnectionPool:
    """Connections to one server, for any number of threads.

    After a fork the child begins with none: an answer that both processes wait for would reach
    either of them.

    Args:
        endpoint: the server.
        resolver: finds its addresses.
        timer: seconds by a clock that never runs backwards.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        resolver: Resolver,
        *,
        timer: Callable[[], Seconds] = system.timer,
    ) -> None:
        self._endpoint = endpoint
        self._resolver = resolver
        self._timer = timer
        self._idle: deque[BlockingConnection] = deque()
        self._pid = os.getpid()
        self._closed = False

    def ask(self, packed: Opaque, repeat: Repeat, then: Opaque | None = None) -> Any:
        """Return the reply to a command, as hiredis reads it, or an ``ErrorReply``.

        Args:
            packed: the command.
            repeat: whether it is sent once more after its connection was given up.
            then: a WAIT, which goes over the same connection; None for none.

        Raises:
            CommandError: the server refused it.
            OSError: it was not answered in time.
        """
        deadline = self._timer() + self._endpoint.timeout
        try:
            return self._ask_once(packed, deadline, then, doubts=repeat is not Repeat.NEVER)
        except ConnectionError:
            if repeat is Repeat.NEVER:
                raise
        reply = self._ask_once(packed, deadline, then)
        return Repeated(reply) if repeat is Repeat.TOLD else reply

    def close(self) -> None:
        """Close every connection; one that is in use is closed when its command is over."""
        self._closed = True
        self._close_idle()

    def _ask_once(
        self, packed: Opaque, deadline: Seconds, then: Opaque | None, *, doubts: bool = False
    ) -> Any:
        connection, until = self._take() or self._open(deadline), deadline
        if doubts and self._timer() - connection.heard >= self._endpoint.doubt:
            until = min(deadline, self._timer() + self._endpoint.timeout / 2)
        try:
            reply = connection.ask(packed, until)
            count = None if then is None else connection.ask(then, deadline)
        except BaseException as error:
            connection.close()
            if isinstance(error, TimeoutError):
                if until < deadline:
                    self._close_idle()  # they have rested as long
                    raise ConnectionResetError(self._endpoint.silence_message()) from error
                raise TimeoutError(self._endpoint.timeout_message()) from error
            raise
        if type(reply) is CommandError and reply.code in NOT_PRIMARY:
            self._resolver.expire()
            connection.close()
        else:
            self._give_back(connection)
        if type(reply) is not CommandError:
            if isinstance(count, CommandError):
                raise count
            if count is not None:
                self._endpoint.check_acks(count)
            return reply
        if reply.code in ERROR_REPLIES:
            return ERROR_REPLIES[reply.code]
        raise reply

    def _take(self) -> BlockingConnection | None:
        """Return a connection that is at rest and still good."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._close_idle()
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                return None
            rest = self._timer() - connection.heard
            if rest <= self._endpoint.most_idle and connection.is_quiet():
                return connection
            connection.close()
        return None

    def _give_back(self, connection: BlockingConnection) -> None:
        self._idle.append(connection)
        if self._closed:
            self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:  # as above
                return

    def _open(self, deadline: Seconds) -> BlockingConnection:
        """Return a new connection that has shaken hands."""
        limit = self._endpoint.connect_timeout
        deadline = min(deadline, self._timer() + limit)
        try:
            connection = BlockingConnection(self._connect(deadline), self._timer)
            try:
                self._greet(connection, deadline)
            except BaseException:
                connection.close()
                raise
        except TimeoutError as error:
            self._resolver.expire()
            raise TimeoutError(self._endpoint.connect_timeout_message()) from error
        except OSError:
            self._resolver.expire()
            raise
        return connection

    def _connect(self, deadline: Seconds) -> socket.socket:
        """Return a socket to the first address that takes one; each has its share of the time."""
        endpoint = self._endpoint
        if endpoint.path is not None:
            return _connect_unix(endpoint.path, deadline - self._timer())
        addresses = self._resolver.resolve(deadline - self._timer())
        for number, place in enumerate(addresses, start=1):
            share = (deadline - self._timer()) / (len(addresses) - number + 1)
            try:
                sock = socket.create_connection(place, max(share, 0.001))
            except OSError:
                if number == len(addresses):
                    raise
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
        raise ConnectionError(f"{endpoint.target} has no address")

    def _greet(self, connection: BlockingConnection, deadline: Seconds) -> None:
        endpoint = self._endpoint
        if endpoint.tls is not None:
            connection.start_tls(endpoint.tls.context, endpoint.host, deadline)
        for packed in handshake(endpoint):
            reply = connection.ask(packed, deadline)
            if isinstance(reply, CommandError):
                raise reply
            refuse_replica(reply)


def _connect_unix(path: str, within: Seconds) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(max(within, 0.001))
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock
