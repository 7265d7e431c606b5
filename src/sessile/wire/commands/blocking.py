"""A connection for one thread at a time. ``wire.commands.pool`` opens it and owns it.

Every wait is for what is left of one deadline, so an answer that trickles costs no more than one
that never comes.
"""

import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from sessile.core.value import Seconds
from sessile.wire.commands.server import INCOMPLETE, CommandError, Language, ProtocolError
from sessile.wire.opaque import Opaque

_CHUNK: Final = 65_536


class BlockingConnection:
    """One connection, which is asked one command at a time.

    Args:
        sock: connected.
        language: of the server there.
        timer: seconds by a clock that never runs backwards; deadlines are on it.

    Attributes:
        heard: when it was opened, or a reply came over it.
    """

    __slots__ = ("_language", "_reader", "_socket", "_timer", "heard")

    def __init__(
        self, sock: socket.socket, language: Language, timer: Callable[[], Seconds]
    ) -> None:
        self._socket = sock
        self._language = language
        self._timer = timer
        self._reader = language.new_reader()
        self.heard = timer()

    def start_tls(self, context: ssl.SSLContext, host: str, deadline: Seconds) -> None:
        """Speak TLS from here on, with a server that proves to be that host."""
        self._socket.settimeout(self._remaining_time(deadline))
        self._socket = context.wrap_socket(self._socket, server_hostname=host)

    def ask(self, packed: Opaque, deadline: Seconds) -> Any:
        """Return the reply to a command; an error reply is a ``CommandError``, not raised.

        Raises:
            OSError: the connection broke, or the whole reply was not there in time. It is of no
                more use: the reply may still come, and must reach nobody.
        """
        try:
            self.send(packed, deadline)
        except ConnectionError as broken:
            reply = self.receive(deadline)  # a server says unasked why it hangs up
            if not isinstance(reply, CommandError):
                raise ConnectionResetError(str(broken)) from None
            return reply
        reply, fits = self.receive(deadline), self._language.fits
        if fits is not None and not isinstance(reply, CommandError) and not fits(packed, reply):
            raise ConnectionError(self._language.not_spoken)
        return reply

    def send(self, packed: Opaque, deadline: Seconds) -> None:
        """Send a command, whose reply ``receive`` returns.

        Raises:
            OSError: the connection broke, or takes no more in time.
        """
        rest = memoryview(packed)
        while rest:
            self._socket.settimeout(self._remaining_time(deadline))
            rest = rest[self._socket.send(rest) :]

    def receive(self, deadline: Seconds) -> Any:
        """Return the next reply, or what the server says unasked. In time, or what came is kept.

        Raises:
            OSError: the connection broke.
            TimeoutError: nothing whole is there yet.
        """
        try:
            while (reply := self._reader.gets()) is INCOMPLETE:
                self._socket.settimeout(self._remaining_time(deadline))
                self._reader.feed(self._socket.recv(_CHUNK) or _hang_up())
        except ProtocolError as error:
            raise ConnectionError(f"{self._language.not_spoken}: {error}") from error
        self.heard = self._timer()
        return reply

    def fileno(self) -> int:
        """Return the number of its socket's file."""
        return self._socket.fileno()

    def is_quiet(self) -> bool:
        """Tell whether the server has neither said anything unasked nor hung up."""
        if self._reader.has_data():
            return False
        self._socket.settimeout(0)
        try:
            # the plain socket's own method: TLS knows no peeking
            socket.socket.recv(self._socket, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close it at once. Harmless when repeated."""
        self._socket.close()

    def _remaining_time(self, deadline: Seconds) -> Seconds:
        """Return the seconds that are left."""
        left = deadline - self._timer()
        if left <= 0:
            raise TimeoutError
        return left


def _hang_up() -> bytes:
    raise ConnectionResetError("the server closed the connection")
