"""Threads' connections to a server. A client keeps one pool of them.

A connection for each command under way; those at rest wait for the next one, the latest first. A
command has one deadline, for its name, its connection, the handshake, its whole answer, and for
being sent once more.
"""

import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from sessile.core.value import Seconds
from sessile.wire import system
from sessile.wire.commands.blocking import BlockingConnection
from sessile.wire.commands.repeat import Repeat, Repeated
from sessile.wire.commands.server import CommandError, Language, Server
from sessile.wire.opaque import Opaque
from sessile.wire.resolver import Resolver

Sequel: TypeAlias = tuple[Opaque, Callable[[Any], None]]
"""A second command, and what looks at its answer."""


class ConnectionPool:
    """Connections to one server, for any number of threads.

    After a fork the child begins with none: an answer that both processes wait for would reach
    either of them.

    Args:
        server: where it is, and its limits.
        language: how it is spoken to.
        resolver: finds its addresses.
        timer: seconds by a clock that never runs backwards.
    """

    def __init__(
        self,
        server: Server,
        language: Language,
        resolver: Resolver,
        *,
        timer: Callable[[], Seconds] = system.timer,
    ) -> None:
        self._server = server
        self._language = language
        self._resolver = resolver
        self._timer = timer
        self._idle: deque[BlockingConnection] = deque()
        self._pid = os.getpid()
        self._closed = False

    def ask(self, packed: Opaque, repeat: Repeat, then: Sequel | None = None) -> Any:
        """Return the reply to a command, as the reader gives it, or what an error reply means.

        Args:
            packed: the command.
            repeat: whether it is sent once more after its connection was given up.
            then: what is asked after it over the same connection, as a WAIT, and what looks at
                the answer; None for none.

        Raises:
            CommandError: the server refused it.
            OSError: it was not answered in time.
        """
        deadline = self._timer() + self._server.timeout
        try:
            connection, doubts = self.connect(deadline), repeat is not Repeat.NEVER
            return self.ask_over(connection, packed, deadline, then, doubts=doubts)
        except ConnectionError:
            if repeat is Repeat.NEVER:
                raise
        reply = self.ask_over(self.connect(deadline), packed, deadline, then)
        return Repeated(reply) if repeat is Repeat.TOLD else reply

    def close(self) -> None:
        """Close every connection; one that is in use is closed when its command is over."""
        self._closed = True
        self._close_idle()

    def connect(self, deadline: Seconds) -> BlockingConnection:
        """Return a connection that nobody else uses; a new one, or one that is at rest.

        Raises:
            CommandError: the server refused us.
            OSError: it was not reached in time.
        """
        return self._take() or self._open(deadline)

    def ask_over(
        self,
        connection: BlockingConnection,
        packed: Opaque,
        deadline: Seconds,
        then: Sequel | None = None,
        *,
        doubts: bool = False,
    ) -> Any:
        """Return the reply to a command, as ``ask`` does, and end the use of the connection.

        Args:
            connection: of ``connect``.
            packed: the command.
            deadline: on the timer.
            then: as of ``ask``.
            doubts: give it up early if it has rested, and answers nothing.
        """
        until = deadline
        if doubts and self._timer() - connection.heard >= self._server.doubt:
            until = min(deadline, self._timer() + self._server.timeout / 2)
        try:
            reply = connection.ask(packed, until)
            if type(reply) is CommandError:  # and so there is nothing to wait for
                then = None
            second = None if then is None else connection.ask(then[0], deadline)
        except BaseException as error:
            connection.close()
            if isinstance(error, TimeoutError):
                if until < deadline:
                    self._close_idle()  # they have rested as long
                    raise ConnectionResetError(self._server.silence_message()) from error
                raise TimeoutError(self._server.timeout_message()) from error
            raise
        if type(reply) is CommandError and reply.code in self._language.farewells:
            self._resolver.expire()
            connection.close()
        else:
            self._give_back(connection)
        if isinstance(second, CommandError):
            raise second
        if then is not None:
            then[1](second)
        return self._meaning(reply)

    def _meaning(self, reply: Any) -> Any:
        """Return a reply, or what an error reply is for whoever asked."""
        if type(reply) is not CommandError:
            return reply
        if reply.code in self._language.answers:
            return self._language.answers[reply.code]
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
            if rest <= self._server.most_idle and connection.is_quiet():
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
        limit = self._server.connect_timeout
        deadline = min(deadline, self._timer() + limit)
        try:
            sock, name = self._connect(deadline)
            connection = BlockingConnection(sock, self._language, self._timer)
            try:
                self._greet(connection, name, deadline)
            except BaseException:
                connection.close()
                raise
        except TimeoutError as error:
            self._resolver.expire()
            raise TimeoutError(self._server.connect_timeout_message()) from error
        except OSError:
            self._resolver.expire()
            raise
        return connection

    def _connect(self, deadline: Seconds) -> tuple[socket.socket, str]:
        """Return a socket to the first address that takes one, and the name of whom it leads to.

        Each address has its share of the time.
        """
        server = self._server
        if server.path is not None:
            return _connect_unix(server.path, deadline - self._timer()), server.host
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
                return sock, addresses.name
        raise ConnectionError(f"{server.target} has no address")

    def _greet(self, connection: BlockingConnection, name: str, deadline: Seconds) -> None:
        context = self._server.context
        if context is not None:
            connection.start_tls(context, name, deadline)
        for packed in self._language.handshake():
            reply = connection.ask(packed, deadline)
            if isinstance(reply, CommandError):
                raise reply
            self._language.check_greeting(reply)


def _connect_unix(path: str, within: Seconds) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(max(within, 0.001))
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock
