"""Paths without sessions, and what stands there in the session's place: every use says why.

``web.asgi`` puts it in the way of lazy requests as well.
"""

import json
from collections.abc import Iterable
from typing import Final, NoReturn

from sessile.errors import ConfigError, NotLoaded


class NoSession:
    """No session; every use of it raises ``NotLoaded``.

    Args:
        why: what is wrong, and what to write instead.
    """

    __slots__ = ("_why",)

    def __init__(self, why: str) -> None:
        object.__setattr__(self, "_why", why)

    def refuse(self, *_: object) -> NoReturn:
        """Raise ``NotLoaded``, whatever was wanted."""
        raise NotLoaded(self._why)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # Python looks for its own protocols here; to them it is absent
            raise AttributeError(name)
        self.refuse()

    __setattr__ = __delattr__ = refuse
    __getitem__ = __setitem__ = __delitem__ = __contains__ = __iter__ = refuse
    __len__ = __bool__ = __or__ = __ror__ = __ior__ = refuse

    def __repr__(self) -> str:
        return "<session, not loaded>"


UNKNOWN: Final = NoSession(
    "the store did not answer, so nobody can tell whose session this is: "
    "a page for StoreUnavailable does without one"
)
"""What a page for an outage has in place of a session."""


class UnloadedSession(NoSession):
    """A session that was not loaded yet."""

    __slots__ = ()


_FROM: Final = {
    "fastapi": "take the dependency SessionDep (from sessile.web.fastapi), or write session = "
    "await load_session(request) first (from sessile.web.starlette)",
    "starlette": "write session = await load_session(request) first (from sessile.web.starlette)",
    "": "write session = await load_session(request) first (from sessile.web.asgi)",
}
_UNLOADED: Final = {
    framework: UnloadedSession(f'this session is not loaded yet, because of load="lazy": {words}')
    for framework, words in _FROM.items()
}


def stand_in(app: object) -> UnloadedSession:
    """Return the stand-in of a session that was not loaded, in the words of the framework."""
    frameworks = [kind.__module__.partition(".")[0] for kind in type(app).__mro__]
    return _UNLOADED[next((name for name in frameworks if name in _UNLOADED), "")]


def no_session(excluded: tuple[str, ...]) -> NoSession:
    """Return the stand-in of the paths that were excluded."""
    named = ", ".join(map(repr, excluded))
    return NoSession(
        f"this path has no session: it begins with one of exclude=({named}) of SessionMiddleware; "
        "take that prefix out, or do without the session here"
    )


def prefixes(option: str, given: Iterable[object]) -> tuple[str, ...]:
    """Return the path prefixes that an option names, checked.

    Raises:
        ConfigError: one of them does not begin with ``/``.
    """
    if isinstance(given, str):
        right = given if given.startswith("/") else f"/{given}"
        raise ConfigError(f"{option}={given!r}: write a tuple, as in {option}=({_quote(right)},)")
    if not isinstance(given, Iterable):
        raise ConfigError(f'{option}={given!r}: write a tuple, as in {option}=("/static/",)')
    return tuple(check_prefix(option, one) for one in given)


def check_prefix(option: str, given: object) -> str:
    """Return a path as an option has it.

    Raises:
        ConfigError: it does not begin with ``/``.
    """
    if isinstance(given, str) and given.startswith("/"):
        return given
    example = f"/{given}" if isinstance(given, str) and given else "/static/"
    raise ConfigError(f"{option}: {given!r} is no path; begin with '/', as in {_quote(example)}")


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
