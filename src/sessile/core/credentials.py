"""What an application says of a login, checked: the user, the factors, the level."""

from collections.abc import Sequence
from typing import Final

from sessile.core.value import Instant, Seconds, is_text
from sessile.errors import ConfigError, NoUser

_LONGEST_USER: Final = 512
_MOST_FACTORS: Final = 8
_LONGEST_WORD: Final = 64
_LONGEST_WAIT: Final = 86_400.0
_HIGHEST_LEVEL: Final = 9


def check_user(user: object, call: str = "login({})") -> str:
    """Return the user's key, a text.

    Args:
        user: what was given.
        call: where, with a place for what to write instead.

    Raises:
        NoUser: it is no text. What is none names nobody, and would find nothing.
        ConfigError: it is a text that no login takes.
    """
    verb = call.partition("(")[0]
    if user is None:
        raise NoUser(
            f"{verb} takes the user's key as a text, and None is nobody: find out first whether "
            "somebody is logged in"
        )
    if type(user) is not str:
        kind, right = type(user).__name__, call.format("str(...)")
        raise NoUser(f"{verb} takes the user's key as a text, not {kind}: {right}")
    if not 0 < len(user) <= _LONGEST_USER or not is_text(user):
        raise ConfigError(
            f"{verb} takes the user's key as a text of 1 to {_LONGEST_USER} characters without "
            f"lone surrogates; this one has {len(user)}"
        )
    return user


def check_assurance(assurance: object) -> int:
    """Return the level, a whole number from 1 to 9.

    Raises:
        ConfigError: it is none.
    """
    if type(assurance) is not int or not 1 <= assurance <= _HIGHEST_LEVEL:
        raise ConfigError(
            f"assurance={assurance!r}: write a whole number from 1 to {_HIGHEST_LEVEL}"
        )
    return assurance


def check_factors(factors: Sequence[object]) -> tuple[str, ...]:
    """Return the names of what a user gave.

    Raises:
        ConfigError: they are no short words.
    """
    if isinstance(factors, str) or not isinstance(factors, Sequence):
        raise ConfigError('factors: write a tuple of words, as in factors=("password", "totp")')
    if len(factors) > _MOST_FACTORS:
        raise ConfigError(
            f"factors: {len(factors)} of them, and a session keeps {_MOST_FACTORS}; write the kind "
            'of factor and not what was given, as in factors=("totp",)'
        )
    return tuple(_word("factor", factor) for factor in factors)


def check_given_factors(factors: Sequence[object]) -> tuple[str, ...]:
    """Return the names of what a user gave now, one at least.

    Raises:
        ConfigError: they are no short words, or there is none.
    """
    given = check_factors(factors)
    if not given:
        raise ConfigError('factors: write what was given now, as in factors=("totp",)')
    return given


def check_purpose(purpose: object) -> str:
    """Return the name of a purpose.

    Raises:
        ConfigError: it is no short word.
    """
    return _word("purpose", purpose)


def check_lasts(lasts: object) -> Seconds:
    """Return for how long something is allowed, up to a day.

    Raises:
        ConfigError: it is no such time.
    """
    if isinstance(lasts, bool) or not isinstance(lasts, int | float):
        raise ConfigError(f"lasts={lasts!r}: write seconds, as in lasts=minutes(5)")
    if not 0 < lasts <= _LONGEST_WAIT:
        raise ConfigError(f"lasts={lasts!r}: write seconds above 0 and up to a day")
    return float(lasts)


def check_instant(instant: object, now: Instant) -> Instant:
    """Return a time in seconds since 1970; None is now.

    Raises:
        ConfigError: it is no such time.
    """
    if instant is None:
        return now
    if isinstance(instant, bool) or not isinstance(instant, int | float) or not 0 < instant < 1e11:
        raise ConfigError(f"{instant!r} is no time: write seconds since 1970, as time.time() does")
    return float(instant)


def _word(what: str, word: object) -> str:
    if isinstance(word, str) and 0 < len(word) <= _LONGEST_WORD and word.isprintable():
        return word
    raise ConfigError(f"{what} {word!r}: write a printable text of 1 to {_LONGEST_WORD} characters")
