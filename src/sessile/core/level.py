"""Authentication assurance levels: the session limits of NIST SP 800-63B-4 (July 2025).

Sections 2.1.3, 2.2.3, 2.3.3 and 5. What the text says SHOULD be is held to as what it says SHALL
be. ``Policy.aal1()`` and the others keep within them.
"""

from dataclasses import dataclass
from typing import Final

from sessile.core.value import Seconds

_MINUTE: Final[Seconds] = 60.0
_HOUR: Final[Seconds] = 3_600.0
_DAY: Final[Seconds] = 86_400.0


@dataclass(frozen=True, slots=True)
class Level:
    """What one level demands of a session. Bearer tickets are never kept by the browser (5.1).

    Attributes:
        name: as in ``"AAL2"``.
        absolute: the longest overall time.
        idle: the longest time of inactivity; None leaves it to the application.
        reopens: whether one factor and the ticket may reopen an idle session.
    """

    name: str
    absolute: Seconds
    idle: Seconds | None
    reopens: bool


AAL1: Final = Level("AAL1", absolute=30 * _DAY, idle=None, reopens=True)
AAL2: Final = Level("AAL2", absolute=_DAY, idle=_HOUR, reopens=True)
AAL3: Final = Level("AAL3", absolute=12 * _HOUR, idle=15 * _MINUTE, reopens=False)
