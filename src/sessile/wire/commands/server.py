"""A server that answers commands in their order: where it is, its limits, how it is spoken to.

``wire.redis`` and ``wire.memcached`` say it of theirs; the pool and the pipeline beside this module
act on it.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sessile.core.value import Seconds
from sessile.errors import StoreUnavailable
from sessile.wire.opaque import Opaque

INCOMPLETE: Final = object()
"""What a reader gives until a reply is whole."""


class ProtocolError(Exception):
    """What a server said is not its protocol."""


class CommandError(Exception):
    """Any error reply, as the server worded it. A reader gives it, and does not raise it."""

    @property
    def code(self) -> str:
        """The first word, which says what kind it is."""
        return str(self).partition(" ")[0]


class Reader(Protocol):
    """Bytes to replies."""

    def feed(self, data: bytes, /) -> None:
        """Take what was received."""

    def gets(self) -> Any:
        """Return the next reply, ``INCOMPLETE`` or a ``CommandError``; may raise ProtocolError."""

    def has_data(self) -> bool:
        """Tell whether something was received and not given out."""


def _no_handshake() -> list[Opaque]:
    return []


def _accept(_reply: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Language:
    """How a server is spoken to.

    Args:
        name: of the protocol, in an error.
        store: what a store over it is called, in an error.
        new_reader: makes what reads one connection.
        handshake: the commands that are answered before any other is sent.
        check_greeting: looks at each answer to those, and raises where it forbids to go on.
        answers: what an error reply of a code is for whoever asked; any other one is an error.
        fits: tells whether a reply may be the one to a command; one that does not is nobody's, and
            the connection of no more use. None where any may be.
        farewells: codes of the error replies after which a connection is of no more use.
    """

    name: str
    store: str
    new_reader: Callable[[], Reader]
    handshake: Callable[[], list[Opaque]] = _no_handshake
    check_greeting: Callable[[object], None] = _accept
    answers: Mapping[str, Any] = field(default_factory=dict)
    fits: Callable[[Opaque, Any], bool] | None = None
    farewells: frozenset[str] = frozenset()

    @property
    def not_spoken(self) -> str:
        """Say that the server speaks another protocol."""
        return f"its answer is not the {self.name} protocol"


class Server:
    """Where one server is, and the texts of its failures.

    Attributes:
        name: what errors call it; holds no credentials.
        host: a name or an address.
        port: behind it.
        path: of a Unix socket, instead of host and port; None for none.
        timeout: seconds for one command, from asking to the last byte of the answer; whatever is
            done for it is in them, connecting and asking once more included.
        connect_timeout: seconds of those for its name, connecting and the handshake.
        most_idle: seconds that a connection may rest before another takes its place: a balancer, or
            whatever translates addresses, forgets one that was silent for a minute or more, tells
            nobody, and swallows what is sent on it.
        doubt: seconds of rest after which a connection is given half the time limit for what may be
            sent once more, should it have been forgotten sooner.
    """

    __slots__ = ()

    name: str
    host: str
    port: int
    path: str | None
    timeout: Seconds
    connect_timeout: Seconds
    most_idle: Seconds
    doubt: Seconds

    @property
    def context(self) -> ssl.SSLContext | None:
        """What TLS is spoken with; None speaks plain text."""
        return None

    @property
    def target(self) -> str:
        """What its addresses are looked up by, in words."""
        return f"the host name {self.host}"

    def failure(self, cause: BaseException, why: str = "") -> StoreUnavailable:
        """Return the error for a cause, and chain it. Each waiter gets an error of its own.

        Args:
            cause: whatever went wrong.
            why: what to say of it, where that is more than ``explain`` knows.
        """
        if isinstance(cause, StoreUnavailable):
            error = StoreUnavailable(self.name, cause.why)
            error.__cause__ = cause.__cause__
        else:
            error = StoreUnavailable(self.name, why or self.explain(cause))
            error.__cause__ = cause
        return error

    def timeout_message(self) -> str:
        """Say that no reply came in time."""
        return f"no answer within {self.timeout:g} s"

    def connect_timeout_message(self) -> str:
        """Say that no connection was made in time."""
        return f"no connection within {min(self.timeout, self.connect_timeout):g} s"

    def silence_message(self) -> str:
        """Say that a connection was given up before the time limit was over."""
        return f"its connection was given up: it answered nobody {self.timeout / 2:g} s"

    def explain(self, cause: BaseException) -> str:
        """Say what went wrong."""
        if isinstance(cause, TimeoutError) and not str(cause):
            return self.connect_timeout_message()
        return str(cause) or type(cause).__name__
