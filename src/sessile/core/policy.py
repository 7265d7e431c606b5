"""The policy: how long a session lives, how often its ticket turns, how many a user may have."""

from dataclasses import dataclass
from typing import Final, TypedDict

from sessile.core.change import Excess
from sessile.core.record import Record, evolve
from sessile.core.value import Instant, Seconds
from sessile.errors import ConfigError

_TOUCH: Final = 20
"""``seen`` moves when a twentieth of the idle time has passed, so that readers rarely write."""

_COOKIE_CAP: Final = 400 * 86_400  # RFC 6265bis, 5.5: user agents cap Max-Age at 400 days


def minutes(n: float) -> Seconds:
    """Return ``n`` minutes in seconds."""
    return n * 60.0


def hours(n: float) -> Seconds:
    """Return ``n`` hours in seconds."""
    return n * 3_600.0


def days(n: float) -> Seconds:
    """Return ``n`` days in seconds."""
    return n * 86_400.0


class Touch(TypedDict):
    """What is new of a record that is used."""

    seen: Instant
    idle_until: Instant


@dataclass(frozen=True, slots=True)
class Policy:
    """Lifetimes and limits, all in seconds. Frozen; checked at birth.

    The defaults are those of OWASP's session cheat sheet for an ordinary site: half an hour of
    inactivity, a working day overall.

    Args:
        idle: a session unused for this long ends.
        absolute: a session this old ends, however busy it is.
        rotate: the ticket is replaced this often; None switches rotation off.
        grace: how long a predecessor still works after its successor was seen.
        remember_idle: the idle time of ``login(remember=True)``.
        remember_absolute: its absolute time.
        limit: how many sessions one user may have; None is no limit.
        excess: what happens at the limit.

    Raises:
        ConfigError: a value that cannot be meant.
    """

    idle: Seconds = minutes(30)
    absolute: Seconds = hours(12)
    rotate: Seconds | None = minutes(15)
    grace: Seconds = 30.0
    remember_idle: Seconds = days(14)
    remember_absolute: Seconds = days(30)
    limit: int | None = None
    excess: Excess = Excess.END_OLDEST

    def __post_init__(self) -> None:
        for name in ("idle", "absolute", "grace", "remember_idle", "remember_absolute"):
            _positive(name, getattr(self, name))
        if self.rotate is not None:
            _positive("rotate", self.rotate)
        _ordered("idle", self.idle, "absolute", self.absolute)
        _ordered("remember_idle", self.remember_idle, "remember_absolute", self.remember_absolute)
        if self.rotate is not None:
            _ordered("grace", self.grace, "rotate", self.rotate)
        if self.limit is not None and (type(self.limit) is not int or self.limit < 1):
            raise ConfigError(f"limit={self.limit!r}: write a whole number from 1, or None")
        if not isinstance(self.excess, Excess):
            raise ConfigError(f"excess={self.excess!r}: write Excess.END_OLDEST or Excess.REFUSE")

    def idle_for(self, *, persistent: bool) -> Seconds:
        """Return the idle time of that kind of session."""
        return self.remember_idle if persistent else self.idle

    def absolute_for(self, *, persistent: bool) -> Seconds:
        """Return the absolute time of that kind of session."""
        return self.remember_absolute if persistent else self.absolute

    def touch_due(self, record: Record, now: Instant) -> bool:
        """Tell whether ``seen`` is old enough to be moved."""
        return now - record.seen >= self.idle_for(persistent=record.persistent) / _TOUCH

    def touched(self, record: Record, now: Instant) -> Record:
        """Return the record as seen now."""
        return evolve(record, **self.touch(record, now))

    def touch(self, record: Record, now: Instant) -> Touch:
        """Return the fields of a record that use moves. Its clocks never run backwards."""
        seen = max(now, record.seen)
        idle_until = seen + self.idle_for(persistent=record.persistent)
        return {"seen": seen, "idle_until": max(idle_until, record.idle_until)}

    def rotation_due(self, record: Record, now: Instant) -> bool:
        """Tell whether the ticket is old enough to be replaced."""
        return self.rotate is not None and now - record.rotated >= self.rotate

    def max_age(self, record: Record, now: Instant) -> int | None:
        """Return the cookie's Max-Age in seconds; None lets it end with the browser."""
        if not record.persistent:
            return None
        return min(max(int(record.until - now), 1), _COOKIE_CAP)


def _positive(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e11:
        raise ConfigError(f"{name}={value!r}: write seconds above 0, as in {name}=minutes(30)")


def _ordered(small: str, low: Seconds, large: str, high: Seconds) -> None:
    if low > high:
        raise ConfigError(f"{small}={low:g} s is longer than {large}={high:g} s; shorten {small}")
