"""What becomes of a command whose connection was given up before its answer came.

A store says it of each command, and the client acts on it in both colours. A command is
sent at most twice, and the second time within the time limit that began with the first.
"""

from enum import Enum
from typing import Any

import msgspec


class Repeat(Enum):
    """Whether a command is sent once more, on another connection."""

    NEVER = "no: nobody could tell whether it was performed twice"
    HARMLESS = "yes: performed twice it does what it does once"
    TOLD = "yes: its answer says what happened, and comes as ``Repeated``"


class Repeated(msgspec.Struct, frozen=True):
    """The answer to a command that was sent twice, and may have been performed the first time.

    Attributes:
        reply: what the server answered to the second.
    """

    reply: Any

    def __repr__(self) -> str:
        return "<Repeated>"
