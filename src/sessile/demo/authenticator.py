"""Check the six digits of a user's authenticator app (TOTP, RFC 6238). ``routes.checkout`` asks.

The secret and the last step whose code was used stand in ``users``, which all servers share: what
one session knows would not stop the same code in another.
"""

import asyncio
import hmac
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from pyotp import TOTP

from sessile.core.value import Instant
from sessile.demo.users import UserTable

_WINDOW: Final = (-1, 0, 1)  # RFC 6238, 5.2: one step for a slow typist or a clock that is off


class CodeStatus(Enum):
    """Whether a code was right."""

    RIGHT = "right"
    WRONG = "wrong"
    USED = "used before"


@dataclass(frozen=True, slots=True)
class Phone:
    """What the user's authenticator app holds and shows. No real shop would tell it.

    Attributes:
        uri: what the app was set up with.
        code: what it shows now.
        left: seconds until it shows another one.
        used: whether that code was used already.
    """

    uri: str = field(repr=False)
    code: str = field(repr=False)
    left: int
    used: bool


class Authenticator:
    """The second factor of every user.

    Args:
        users: holds their secrets.
    """

    def __init__(self, users: UserTable) -> None:
        self._users = users

    async def check(self, name: str, code: str, now: Instant) -> CodeStatus:
        """Check a code, and use it up if it is right."""
        return await asyncio.to_thread(self._check, name, code, now)

    async def phone(self, name: str, now: Instant) -> Phone:
        """Return the user's authenticator app as it is now."""
        return await asyncio.to_thread(self._phone, name, now)

    def _check(self, name: str, code: str, now: Instant) -> CodeStatus:
        step = _step(TOTP(self._users.secret_of(name)), code, now)
        if step is None:
            return CodeStatus.WRONG
        return CodeStatus.RIGHT if self._users.use_step(name, step) else CodeStatus.USED

    def _phone(self, name: str, now: Instant) -> Phone:
        totp = TOTP(self._users.secret_of(name))
        return Phone(
            uri=totp.provisioning_uri(name=name, issuer_name="Tidepool"),
            code=totp.generate_otp(_step_at(totp, now)),
            left=totp.interval - int(now) % totp.interval,
            used=self._users.last_step(name) >= _step_at(totp, now),
        )


def _step_at(totp: TOTP, now: Instant) -> int:
    return int(now) // totp.interval


def _step(totp: TOTP, code: str, now: Instant) -> int | None:
    """Return the time step whose code that is; None for none. All are compared, in equal time."""
    given = "".join(code.split()).encode()
    here, found = _step_at(totp, now), None
    for step in (here + offset for offset in _WINDOW):
        if hmac.compare_digest(totp.generate_otp(step).encode(), given):
            found = step
    return found
