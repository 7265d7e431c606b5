"""What to do after a node of a Redis Cluster did not perform a command. Pure.

https://redis.io/docs/latest/reference/cluster-spec/#redirection-and-resharding: ``redis.attempts``
does it for threads, and ``redis.reroute`` for event loops.
"""

import re
import ssl
from enum import Enum
from typing import Final

from sessile.errors import StoreUnavailable
from sessile.wire.commands.server import CommandError
from sessile.wire.redis.slots import Place, place_of

_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")


class NextStep(Enum):
    """What comes after an error."""

    MOVED = "ask the node that it names, and from here on"
    ASK = "ask the node that it names, this once"
    SPLIT = "ask again: the keys are at two nodes until the slot has moved"
    LOOK = "look where the slots are, and ask again: nothing was performed"
    FAIL = "hand the error on: it lasts, or something may have been performed"


_STEPS: Final = {
    "MOVED": NextStep.MOVED,
    "ASK": NextStep.ASK,
    "TRYAGAIN": NextStep.SPLIT,
    "CLUSTERDOWN": NextStep.LOOK,
    "LOADING": NextStep.LOOK,
    "MASTERDOWN": NextStep.LOOK,
    "READONLY": NextStep.LOOK,
}


class UnreachableError(ConnectionError):
    """There is no connection to a node, so nothing was sent. Its cause says why."""


class NoMapError(ConnectionError):
    """No node tells where the slots are.

    Attributes:
        is_lasting: another look would end as this one.
    """

    def __init__(self, message: str, *, is_lasting: bool = False) -> None:
        super().__init__(message)
        self.is_lasting = is_lasting


def step_after(error: BaseException | None) -> NextStep:
    """Return the step after the error of a command; of an ``OSError`` if nothing was sent."""
    if isinstance(error, UnreachableError | StoreUnavailable):
        error = error.__cause__
    if isinstance(error, CommandError):
        return _STEPS.get(error.code, NextStep.FAIL)
    if isinstance(error, ssl.SSLCertVerificationError) or not isinstance(error, OSError):
        return NextStep.FAIL
    return NextStep.LOOK


def parse_redirection(text: str, slot: int, said_by: Place) -> Place:
    """Return the place of ``MOVED 3999 host:port``, or of an ``ASK``.

    Raises:
        ConnectionError: it is none.
    """
    _, _, rest = text.partition(" ")
    number, _, address = rest.partition(" ")
    host, _, port = address.rpartition(":")
    if number != str(slot) or not _PORT.fullmatch(port):
        raise ConnectionError("its redirection is malformed")
    try:
        return place_of(host, int(port), said_by)
    except ValueError as error:
        raise ConnectionError(f"its redirection is malformed: {error}") from None
