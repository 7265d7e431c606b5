"""The policy: how long a session lives, how often its ticket turns, how many a user may have."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypedDict

from sessile.core.binding import Binding
from sessile.core.level import AAL1, AAL2, AAL3, Level
from sessile.core.limit import MOST_SESSIONS, Limit, OnLimit
from sessile.core.options import suggest_options
from sessile.core.outage import Outage
from sessile.core.record import SESSION, Record
from sessile.core.size import SizeLimit
from sessile.core.value import Instant, Seconds
from sessile.errors import ConfigError

_TOUCH: Final = 20
"""``seen`` moves when a twentieth of the idle time has passed, so that readers rarely write."""

BRIEF: Final[Seconds] = 60.0
"""For how long a new ticket may have been used and still not be kept, where a browser was killed:
Chromium writes its cookies every half minute."""

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


AHEAD: Final[Seconds] = days(1)
"""What a clock made that was further ahead opens nothing: it would live for years. What was made by
one that is ahead by hours, as by a wrong time zone, lives so much longer, and logs nobody out."""


class Touch(TypedDict):
    """What is new of a record that is used."""

    seen: Instant
    idle_until: Instant


class OnReplay(Enum):
    """What a replayed ticket leads to. Nobody can tell whether the thief or the victim sent it."""

    LOCK = "lock the session"  # for all who hold it; one factor reopens it, and nothing is lost

    END_SESSION = "end the session"  # the owner's other devices stay logged in
    END_ALL = "end all sessions of its owner"  # whoever stole one may have stolen more


@suggest_options
@dataclass(frozen=True, slots=True)
class Policy:
    """Lifetimes, limits and defences; all times in seconds. Frozen; checked at birth.

    The defaults are those of OWASP's session cheat sheet for an ordinary site: half an hour of
    inactivity, a working day overall.

    Args:
        idle: a session unused for this long ends, or locks.
        absolute: a session this old ends, however busy it is.
        lock: for how long an idle session of a user stays locked before it ends: one factor and
            the ticket reopen it. None ends it at once.
        rotate: the ticket is replaced this often; None switches rotation off.
        grace: how long a predecessor still works after its successor was seen.
        stale: how long a predecessor counts as late, and not as stolen, once its successor was seen
            and the grace is over, if it comes from the session's own client: a proxy held the
            request back. So long a thief on the same network with the same browser goes on with a
            stolen one. None is not at all: whatever comes after the grace is a replay.
        clock_skew: how far the clocks of servers may differ; the grace is longer by so much, for
            the successor may have been shown to the slowest one. 0 is for a single host.
        remember_idle: the idle time of ``login(remember=True)``.
        remember_absolute: its absolute time; None refuses to remember anybody.
        anonymous_idle: the idle time of sessions of nobody, whose cookie then outlives the browser,
            as for a cart; None is ``idle``, and the cookie ends with the browser.
        anonymous_absolute: their absolute time, where ``anonymous_idle`` is given.
        limit: how many sessions one user may have; of more than a thousand the oldest go where it
            is not given. None is no limit at all. A function of the user may return a number, a
            ``Limit`` or None.
        on_limit: what happens at a limit that is a number.
        binding: what ties a session to its client.
        on_replay: what a replayed ticket leads to.
        evidence: for how long the trail of a stolen session is kept.
        know_devices: for how long a user's devices are remembered, so that a login from a new one
            is told as ``NewDevice``; None remembers none. It costs a login two store commands.
        outage: what requests are answered while the store fails.
        outage_reads: with ``Outage.READ``, for how long after the store was last heard of.
        level: the limits of NIST SP 800-63B-4 to stay within, as ``Policy.aal2()`` sets it.
        max_bytes: what the keys and values of one session come to at most, as they are encoded.
        max_keys: how many keys it has at most.

    Attributes:
        size_limit: the last two together.

    Raises:
        ConfigError: a value that cannot be meant, or that is beyond the level.
    """

    idle: Seconds = minutes(30)
    absolute: Seconds = hours(12)
    lock: Seconds | None = None
    rotate: Seconds | None = minutes(15)
    grace: Seconds = 30.0
    stale: Seconds | None = hours(1)
    clock_skew: Seconds = minutes(1)
    remember_idle: Seconds = days(14)
    remember_absolute: Seconds | None = days(30)
    anonymous_idle: Seconds | None = None
    anonymous_absolute: Seconds = days(365)
    limit: int | Limit | Callable[[str], int | Limit | None] | None = MOST_SESSIONS
    on_limit: OnLimit = OnLimit.END_OLDEST
    binding: Binding = Binding()
    on_replay: OnReplay = OnReplay.END_SESSION
    evidence: Seconds = days(30)
    know_devices: Seconds | None = None
    outage: Outage = Outage.FAIL
    outage_reads: Seconds = minutes(5)
    level: Level | None = None
    max_bytes: int = 2**20
    max_keys: int = 1_000
    size_limit: SizeLimit = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check_times()
        for name in ("max_bytes", "max_keys"):
            _check_count(name, getattr(self, name))
        object.__setattr__(self, "size_limit", SizeLimit(self.max_bytes, self.max_keys))
        Limit(1, self.on_limit)
        if not callable(self.limit):
            self.limit_for("")
        if not isinstance(self.binding, Binding):
            raise ConfigError(f"binding={self.binding!r}: write Binding(...)")
        if not isinstance(self.on_replay, OnReplay):
            members = ", ".join(f"OnReplay.{member.name}" for member in OnReplay)
            raise ConfigError(f"on_replay={self.on_replay!r}: write one of {members}")
        if not isinstance(self.outage, Outage):
            raise ConfigError(f"outage={self.outage!r}: write Outage.FAIL or Outage.READ")
        if self.level is not None:
            if not isinstance(self.level, Level):
                raise ConfigError(f"level={self.level!r}: write Policy.aal2(), or aal1 or aal3")
            _check_level(self, self.level)

    def _check_times(self) -> None:
        always = (
            "idle", "absolute", "grace", "remember_idle", "anonymous_absolute", "evidence",
            "outage_reads",
        )  # fmt: skip
        for name in always:
            _check_positive(name, getattr(self, name))
        optional = (
            "stale", "lock", "rotate", "remember_absolute", "anonymous_idle", "know_devices",
        )  # fmt: skip
        for name in optional:
            if getattr(self, name) is not None:
                _check_positive(name, getattr(self, name))
        if self.clock_skew != 0 or isinstance(self.clock_skew, bool):
            _check_positive("clock_skew", self.clock_skew)
        _check_order("idle", self.idle, "absolute", self.absolute)
        if self.remember_absolute is not None:
            _check_order(
                "remember_idle", self.remember_idle, "remember_absolute", self.remember_absolute
            )
        if self.anonymous_idle is not None:
            _check_order(
                "anonymous_idle", self.anonymous_idle, "anonymous_absolute", self.anonymous_absolute
            )
        if self.lock is not None:
            _check_order("lock", self.lock, "absolute", self.absolute)
        if self.rotate is not None:
            _check_order("grace", self.grace, "rotate", self.rotate)

    @classmethod
    def aal1(cls, **changes: Any) -> "Policy":
        """Return a policy within AAL1 of NIST SP 800-63B-4: at most 30 days overall.

        Raises:
            ConfigError: a change goes beyond it.
        """
        return cls(**_preset(AAL1, changes, idle=days(14)))

    @classmethod
    def aal2(cls, **changes: Any) -> "Policy":
        """Return a policy within AAL2: 24 hours overall, one of inactivity, which locks.

        One factor and the ticket reopen a locked session.

        Raises:
            ConfigError: a change goes beyond it.
        """
        return cls(**_preset(AAL2, changes, idle=hours(1), lock=hours(23)))

    @classmethod
    def aal3(cls, **changes: Any) -> "Policy":
        """Return a policy within AAL3: 12 hours overall, a quarter of inactivity, which ends it.

        Raises:
            ConfigError: a change goes beyond it.
        """
        return cls(**_preset(AAL3, changes, idle=minutes(15), rotate=minutes(5)))

    def limit_for(self, user: str) -> Limit | None:
        """Return how many sessions that user may have, and what happens beyond.

        Raises:
            ConfigError: the function given as ``limit`` returned something else.
        """
        limit = self.limit(user) if callable(self.limit) else self.limit
        return limit if limit is None or isinstance(limit, Limit) else Limit(limit, self.on_limit)

    def idle_for(self, *, persistent: bool) -> Seconds:
        """Return the idle time of that kind of session."""
        return self.remember_idle if persistent else self.idle

    def absolute_for(self, *, persistent: bool) -> Seconds:
        """Return the absolute time of that kind of session.

        Raises:
            ConfigError: a session is to be remembered, and the policy refuses it.
        """
        if not persistent:
            return self.absolute
        if self.remember_absolute is None:
            raise ConfigError(
                "login(remember=True), but the policy has remember_absolute=None and remembers "
                "nobody; leave remember out"
            )
        return self.remember_absolute

    def clocks_of(self, record: Record) -> tuple[Seconds, Seconds]:
        """Return a session's idle and absolute time; the latter of one that is refused is over."""
        if record.persistent:
            absolute = self.remember_absolute
            return self.remember_idle, float("-inf") if absolute is None else absolute
        if self.anonymous_idle is not None and not record.bound:
            return self.anonymous_idle, self.anonymous_absolute
        return self.idle, self.absolute

    def lives(self, record: Record, now: Instant, used: Instant | None = None) -> bool:
        """Tell whether a record's time is not over: by what was stored, and by these clocks.

        So of a policy that became stricter its clocks count at once, of a milder one those of old;
        and what a clock made that was far ahead is nobody's.

        Args:
            record: any.
            now: the time.
            used: when it was used, where that is not now: the beginning of a request that is under
                way is a sign of life that the idle clock did not see.
        """
        used = now if used is None else used
        if used >= record.idle_until or now >= record.until:
            return False
        if record.kind is not SESSION:
            return True
        idle, absolute = self.clocks_of(record)
        lock = 0.0 if self.lock is None or record.owner is None else self.lock
        is_old = now >= record.created + absolute or used >= record.seen + idle + lock
        return not is_old and record.seen <= now + AHEAD

    def is_ahead(self, record: Record, now: Instant) -> bool:
        """Tell whether a record was made, or used, by a clock that was far ahead of this one."""
        return record.seen > now + AHEAD

    def is_locked(self, record: Record, now: Instant) -> bool:
        """Tell whether a record that lives opens by a factor alone: long idle, or stolen."""
        if record.replayed is not None:
            return True
        if self.lock is None or record.owner is None:
            return False
        return now >= record.seen + self.idle_for(persistent=record.persistent)

    def touch_due(self, record: Record, now: Instant) -> bool:
        """Tell whether ``seen`` is old enough to be moved."""
        idle, _ = self.clocks_of(record)
        return now - record.seen >= idle / _TOUCH or self.use_due(record, now)

    def use_due(self, record: Record, now: Instant) -> bool:
        """Tell whether it is to be noted that the new ticket was used for longer than a moment.

        Once after each turn: by ``seen``, or, where a poll must not move that, by no parent.
        """
        if not record.parent or record.confirmed is None or self.stale is None:
            return False
        return record.seen - record.confirmed <= BRIEF < now - record.confirmed

    def touch(self, record: Record, now: Instant) -> Touch:
        """Return the fields of a record that use moves. Its clocks never run backwards."""
        seen = record.seen
        if seen < now and not self.is_locked(record, now):
            seen = now
        idle_until = self.idle_until(
            seen,
            owned=record.owner is not None,
            persistent=record.persistent,
            anonymous=not record.bound,
        )
        return {"seen": seen, "idle_until": max(idle_until, record.idle_until)}

    def idle_until(
        self, seen: Instant, *, owned: bool, persistent: bool, anonymous: bool = False
    ) -> Instant:
        """Return when a session ends that was last used at that time."""
        if anonymous and self.anonymous_idle is not None:
            return seen + self.anonymous_idle
        lock = self.lock if owned and self.lock is not None else 0.0
        return seen + self.idle_for(persistent=persistent) + lock

    def rotation_due(self, record: Record, now: Instant) -> bool:
        """Tell whether the ticket is old enough to be replaced."""
        return self.rotate is not None and now - record.rotated >= self.rotate

    def max_age(self, record: Record, now: Instant) -> int | None:
        """Return the cookie's Max-Age in seconds; None lets it end with the browser."""
        if not (record.persistent or (self.anonymous_idle is not None and not record.bound)):
            return None
        return min(max(int(record.until - now), 1), _COOKIE_CAP)


def _preset(level: Level, changes: dict[str, Any], **values: Any) -> dict[str, Any]:
    if "level" in changes:
        raise ConfigError(f"level={changes['level']!r}: it is {level.name} here; leave it out")
    own = {"absolute": level.absolute, "remember_absolute": None, "level": level}
    return own | values | changes


def _check_level(policy: Policy, level: Level) -> None:
    """Refuse what goes beyond a level."""
    where = f"{level.name} of NIST SP 800-63B-4"
    if policy.absolute > level.absolute:
        raise ConfigError(
            f"absolute={_format(policy.absolute)}: {where} allows {_format(level.absolute)}"
        )
    if level.idle is not None and policy.idle > level.idle:
        raise ConfigError(f"idle={_format(policy.idle)}: {where} allows {_format(level.idle)}")
    if policy.lock is not None and not level.reopens:
        raise ConfigError(
            f"lock={_format(policy.lock)}: {where} reopens no idle session; drop lock"
        )
    if policy.on_replay is OnReplay.LOCK and not level.reopens:
        raise ConfigError(f"on_replay=OnReplay.LOCK: {where} reopens no session; drop on_replay")
    if policy.remember_absolute is not None:
        raise ConfigError(
            f"remember_absolute={_format(policy.remember_absolute)}: {where} lets no browser keep "
            "its ticket over a restart; write remember_absolute=None"
        )


_EXAMPLES: Final = {
    "idle": "minutes(30)",
    "absolute": "hours(12)",
    "grace": "30",
    "stale": "hours(1)",
    "clock_skew": "60",
    "remember_idle": "days(14)",
    "evidence": "days(30)",
    "lock": "hours(1)",
    "rotate": "minutes(15)",
    "remember_absolute": "days(30)",
    "anonymous_idle": "days(30)",
    "anonymous_absolute": "days(365)",
    "know_devices": "days(90)",
    "outage_reads": "minutes(5)",
}


def _check_positive(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e11:
        example = f"{name}={_EXAMPLES[name]}"
        raise ConfigError(f"{name}={value!r}: write seconds above 0, as in {example}")


def _check_count(name: str, value: object) -> None:
    if type(value) is not int or value < 1:
        default = Policy.__dataclass_fields__[name].default
        raise ConfigError(f"{name}={value!r}: write a whole number from 1, as in {name}={default}")


def _format(seconds: Seconds) -> str:
    return f"{seconds:.12g} s"


def _check_order(small: str, low: Seconds, large: str, high: Seconds) -> None:
    if low > high:
        raise ConfigError(
            f"{small}={_format(low)} is longer than {large}={_format(high)}; shorten {small}"
        )
