"""Every error sessile raises. Floor 0; borders translate foreign errors into these, once.

SessileError
├── ConfigError            something is wrong before the first request; says what to write
│   ├── MissingExtra       a driver is not installed; names the extra
│   ├── NoOption           (also a TypeError) there is no option of that name, or one is missing
│   ├── NoUser             (also a TypeError) what should name a user is no text
│   └── WeakSecret         a secret that a thief could guess
├── StoreError
│   ├── KeyTaken           a record of that key exists already
│   ├── StoreClosed        the store was used after ``close``
│   └── StoreUnavailable   the store refused, or did not answer in time; answer 503
├── LostRace               the record kept changing under us; bounded retries ran out
├── SessionError
│   ├── NotLoaded          a lazily loaded session was used before it was loaded
│   ├── SessionEnded       the session of ``session.watch()`` has ended
│   ├── TooManySessions    a login refused: the user has as many sessions as allowed
│   ├── LoginNeeded        nobody is logged in where somebody has to be
│   ├── StepUpNeeded       somebody is, and has to prove it better, again, or for this purpose
│   ├── TokenNeeded        a form came without the CSRF token of its session
│   ├── TooLate            written after the response had started; nothing was saved
│   └── ViewMismatch       a stored value does not fit the class it is to be seen as
└── UnsupportedValue       (also a TypeError) a value that cannot be kept; names the key
    └── SessionTooLarge    with it the session would hold more than the policy allows
"""


class SessileError(Exception):
    """The root of the family."""


class ConfigError(SessileError):
    """A setting is wrong. The message says which one and what to write instead."""


class MissingExtra(ConfigError):  # noqa: N818  (the name says what is wrong)
    """An optional driver is not installed.

    Attributes:
        extra: the extra that brings it, as in ``pip install sessile[extra]``.
    """

    def __init__(self, needs: str, extra: str) -> None:
        super().__init__(f"{needs} needs sessile[{extra}]: pip install 'sessile[{extra}]'")
        self.extra = extra


class NoOption(ConfigError, TypeError):  # noqa: N818
    """There is no option of that name, or one is missing; the message says which one is meant."""


class NoUser(ConfigError, TypeError):  # noqa: N818
    """What should name a user is no text, as ``None`` or a number."""


class WeakSecret(ConfigError):  # noqa: N818
    """A secret is short, repeated, or copied from a manual."""


class StoreError(SessileError):
    """Something went wrong in a store."""


class KeyTaken(StoreError):  # noqa: N818
    """A record of that key exists; nothing was written.

    Attributes:
        key: the selector that is taken.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"a record of the key {key!r} exists already; nothing was written")
        self.key = key


class StoreClosed(StoreError):  # noqa: N818
    """The store was closed and then used."""

    def __init__(self, store: str) -> None:
        super().__init__(f"this {store} was closed, as by sessions.close(): make another one")


class StoreUnavailable(StoreError):  # noqa: N818
    """The store refused, broke off, or did not answer within its time limit.

    The web layer answers 503 with ``Retry-After``; the cause is chained.

    Attributes:
        store: the store's name, without credentials.
        why: what went wrong.
    """

    def __init__(self, store: str, why: str) -> None:
        super().__init__(f"{store} is unavailable: {why}")
        self.store = store
        self.why = why


class LostRace(SessileError):  # noqa: N818
    """The record changed under every one of a bounded number of attempts.

    Attributes:
        key: the session's id.
        attempts: how many commits were tried.
    """

    def __init__(self, key: str, *, attempts: int) -> None:
        super().__init__(f"session {key} changed under {attempts} commits in a row; try again")
        self.key = key
        self.attempts = attempts


class SessionError(SessileError):
    """The application used a session at the wrong time."""


class NotLoaded(SessionError):  # noqa: N818
    """A lazily loaded session was used before it was loaded."""


class SessionEnded(SessionError):  # noqa: N818
    """The session that ``async with session.watch():`` watched has ended, by whomever."""

    def __init__(self) -> None:
        super().__init__("the session has ended: log in again")


class TooManySessions(SessionError):  # noqa: N818
    """A login was refused, because the user has as many sessions as the policy allows.

    Attributes:
        limit: how many that is.
        user: whose login it was, for a page that asks which one to end.
    """

    def __init__(self, limit: int, user: str | None = None) -> None:
        super().__init__(f"the user has {limit} sessions already; end one of them first")
        self.limit = limit
        self.user = user


class LoginNeeded(SessionError):  # noqa: N818
    """Nobody is logged in where somebody has to be. The web layer answers 401."""

    def __init__(self, why: str = "nobody is logged in: log in first") -> None:
        super().__init__(why)


class StepUpNeeded(SessionError):  # noqa: N818
    """Somebody is logged in, and has to prove who they are once more. The web layer answers 403.

    Attributes:
        assurance: the level that is asked for; None when it is not the level.
        fresh: how recent the login has to be, in seconds; None when it is not that.
        purpose: for what a grant is missing; None when it is not that.
    """

    def __init__(
        self,
        *,
        assurance: int | None = None,
        fresh: float | None = None,
        purpose: str | None = None,
    ) -> None:
        asked = {
            f"at level {assurance}": assurance,
            f"that is not older than {fresh:g} s: log in again" if fresh is not None else "": fresh,
            f"for {purpose!r}": purpose,
        }
        how = ", ".join(words for words, value in asked.items() if value is not None)
        super().__init__(f"another proof of identity is needed {how}")
        self.assurance = assurance
        self.fresh = fresh
        self.purpose = purpose


class TokenNeeded(SessionError):  # noqa: N818
    """A form came without the CSRF token of its session. The web layer answers 403.

    Attributes:
        came: whether a token did, which is none of this session's; none did where it is False.
    """

    came: bool = False

    def __init__(self, *, came: bool = False) -> None:
        super().__init__(
            f"{self.explain(came=came)}: put csrf_token() into the form field csrf_token or the "
            "header X-CSRF-Token; after a login, load the page again"
        )
        self.came = came

    @staticmethod
    def explain(*, came: bool) -> str:
        """Say what is wrong with the request: for a log line and for the answer, too."""
        if came:
            return "a CSRF token came that is not one of this session's"
        return "no CSRF token came, neither in a form field csrf_token nor in a header X-CSRF-Token"


class TooLate(SessionError):  # noqa: N818
    """The session was changed after the response had started; nothing was saved."""


class ViewMismatch(SessionError):  # noqa: N818
    """A stored value does not fit the class that ``session.view`` was to make of it.

    Attributes:
        key: the session key of the value.
        kind: the name of the class.
        reason: what is wrong with it, without the value itself.
    """

    def __init__(self, key: str, kind: str, reason: str) -> None:
        super().__init__(
            f"session[{_shorten(key)!r}] is no {kind}: {reason}; "
            "see version= and upgrade= of view(...), or remove the value"
        )
        self.key = key
        self.kind = kind
        self.reason = reason


class UnsupportedValue(SessileError, TypeError):  # noqa: N818
    """A value that cannot be kept with its exact type.

    Attributes:
        key: the session key it was set under, or None where no key is known yet.
        reason: what is wrong with it, without the value itself.
    """

    def __init__(self, reason: str, key: str | None = None) -> None:
        where = "" if key is None else f"session[{_shorten(key)!r}]: "
        super().__init__(where + reason)
        self.key = key
        self.reason = reason

    def for_key(self, key: str) -> "UnsupportedValue":
        """Return the same error, naming the session key."""
        return UnsupportedValue(self.reason, key)


class SessionTooLarge(UnsupportedValue):
    """A value with which its session would hold more than the policy allows; nothing was stored.

    Attributes:
        key: the session key it was set under; of several, of the one that grows most.
        size: how much the session would hold.
        limit: how much it may.
        unit: of both: ``"bytes"`` or ``"keys"``.
    """

    def __init__(self, key: str, size: int, limit: int, unit: str) -> None:
        advice = {
            "bytes": "keep the large thing elsewhere, and its name here",
            "keys": "put what belongs together into one dict",
        }
        super().__init__(
            f"with it the session holds {size:,} {unit}, and {limit:,} are allowed; "
            f"{advice[unit]}, or write Policy(max_{unit}=...)",
            key,
        )
        self.size = size
        self.limit = limit
        self.unit = unit


def _shorten(key: str) -> str:
    """Return the beginning of a long key: it may be a client's, and an error goes to logs."""
    return key if len(key) <= 64 else f"{key[:64]}..."
