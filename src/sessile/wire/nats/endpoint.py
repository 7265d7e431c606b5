"""Where NATS servers are, what is said to them at first, and the texts of their failures.

``wire.nats.connection`` connects to one of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sessile.core.value import Seconds
from sessile.errors import StoreUnavailable
from sessile.wire.opaque import Opaque
from sessile.wire.tls import Tls

PORT: Final = 4222


@dataclass(frozen=True, slots=True)
class StreamAddress:
    """Where a stream is found.

    Args:
        name: its name.
        subjects: what all of its subjects begin with.
    """

    name: str
    subjects: str

    @property
    def beats(self) -> str:
        """What the subjects of messages begin with that are stored to see that it has a leader."""
        return f"{self.subjects}beat."


@dataclass(frozen=True, slots=True)
class NatsEndpoint:
    """The servers of one NATS system, each of which leads to all others.

    Args:
        name: what errors call it; holds no credentials.
        hosts: name and port of each; the last good one is tried first.
        username: None for servers that ask for none.
        password: sent to the server and shown nowhere.
        credentials: the path of a file with a user's JWT and seed, ``.creds``.
        tls: None speaks plain text.
        timeout: seconds for one act, from asking to the answer; whatever is done for it is in them:
            connecting, and asking again where nobody was there to answer.
        connect_timeout: seconds of those for a new connection, all servers together.
        has_batches: whether there are acts of several messages, which older servers do not have.
    """

    name: str
    hosts: tuple[tuple[str, int], ...] = (("localhost", PORT),)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    credentials: str | None = None
    tls: Tls | None = None
    timeout: Seconds = 0.5
    connect_timeout: Seconds = 0.5
    has_batches: bool = True

    @property
    def show_password(self) -> Callable[[], str] | None:
        """What tells the password, and shows it nowhere itself."""
        return None if self.password is None else partial(_tell, Opaque(self.password.encode()))

    def failure(self, cause: BaseException) -> StoreUnavailable:
        """Return the error for a cause, and chain it. Each waiter gets an error of its own."""
        error = StoreUnavailable(self.name, self._why(cause))
        error.__cause__ = cause
        return error

    def refusal(self, text: str) -> StoreUnavailable:
        """Return the error for what the server does not do, in its words."""
        return StoreUnavailable(self.name, f"the server refuses it: {text}")

    def _why(self, cause: BaseException) -> str:
        if isinstance(cause, TimeoutError) and not str(cause):
            return f"no answer within {self.timeout:g} s"
        text = str(cause) or type(cause).__name__
        if "authorization" in text.lower():
            return f"authentication failed; check the URL's user name and password ({text})"
        return text


def _tell(password: Opaque) -> str:
    return password.decode()
