"""Who is logged in, where an application's code says so in the values and not by ``login``.

Flask-Login, Django's ``login()`` and every tutorial write the user's key into the session. Whoever
had planted an anonymous ticket in a browser would then be that user (session fixation), unless
the commit notices, and does what ``login`` or ``logout`` would have: ``service.principal``.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

from sessile.core.credentials import check_user
from sessile.core.mapping import Values
from sessile.errors import ConfigError

PrincipalOf: TypeAlias = Callable[[Mapping[str, Any]], object]
"""A function of the values that returns the user's key, and None for nobody."""

WELL_KNOWN: Final = ("_user_id", "_auth_user_id", "user_id")
"""Keys for the user of Flask-Login, of Django, and of most tutorials."""

_TUTORIAL: Final = WELL_KNOWN[-1]

LIKELY: Final = frozenset(
    ("user", "username", "user_name", "userid", "uid", "current_user", "account_id", "member_id")
)
"""Keys that often hold the user, and often something else."""


class Principal:
    """Where the values say who is logged in.

    Args:
        keys: of the values; the first one that is there counts.
        function: of the values, instead of keys.
        is_assumed: nobody said that it is there, so a value that names no user is passed over.

    Attributes:
        is_assumed: the argument.
        watched: the keys by which it can change; None is any.
    """

    __slots__ = ("_function", "_keys", "is_assumed", "watched")

    def __init__(
        self,
        keys: Sequence[str] = (),
        function: PrincipalOf | None = None,
        *,
        is_assumed: bool = False,
    ) -> None:
        self._keys = tuple(keys)
        self._function = function
        self.is_assumed = is_assumed
        guessed = LIKELY if is_assumed else frozenset()
        self.watched = None if function else guessed.union(keys)

    def guess(self, values: Values) -> str | None:
        """Return a key that was written and may say who is logged in, where nobody said which."""
        keys = sorted(LIKELY | {_TUTORIAL}) if self.is_assumed else ()
        return next((key for key in keys if values.has_written(frozenset((key,)))), None)

    def user_in(self, values: Values) -> str | None:
        """Return the user's key; None where nobody is logged in.

        Raises:
            ConfigError: what is there cannot be a user's key.
        """
        if self._function is not None:
            try:
                return _user_key(
                    self._function(MappingProxyType(values)), "what the function returned"
                )
            except (KeyError, TypeError):
                return None  # it looked for what nobody has who is not logged in: None["sub"]
        found = ((key, values[key]) for key in self._keys if key in values)
        for key, value in found:
            try:
                user = _user_key(value, f"session[{key!r}]")
            except ConfigError:
                if not self.is_assumed:
                    raise
                continue
            if user is not None:
                return user
        return None


def _user_key(found: object, place: str) -> str | None:
    if found is None or found is False or found == "":
        return None
    kind = type(found)  # not isinstance, to which a proxy lies
    if issubclass(kind, str):  # perhaps an enum's, whose str() is its own
        return _check_key(str.__str__(cast("str", found)), place)
    if issubclass(kind, int) and kind is not bool:
        try:
            return _check_key(str(int(cast("int", found))), place)
        except ValueError:  # Python does not spell very long ones
            raise ConfigError(f"principal: {place} is a number of more than 512 digits") from None
    if issubclass(kind, UUID):
        return str(found)
    raise ConfigError(
        f"principal: {place} is a {kind.__name__}, and a user's key is a text, a whole "
        'number or a UUID; write a function, as in principal=lambda values: values["user"]["id"]'
    )


def _check_key(text: str, place: str) -> str:
    """Return a key, if ``login`` takes it too: then its sessions can be listed and ended."""
    try:
        return check_user(text)
    except ConfigError:
        raise ConfigError(
            f"principal: {place} has {len(text)} characters, and a user's key is a text of 1 to "
            "512 without lone surrogates; write a function that looks up a shorter one"
        ) from None
