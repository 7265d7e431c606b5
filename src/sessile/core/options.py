"""Options that are spelt wrong: name the one that was meant. For each class that takes options.

Spelling alone would lead whoever comes from another library astray, so the names of others come
first: those of Starlette, starsessions, Flask, Flask-Session, Django and aiohttp-session.
"""

import functools
from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final, TypeVar

from sessile.errors import NoOption

C = TypeVar("C", bound=type)

_CLOCKS: Final = ("Policy", "idle=..., absolute=...")
_IDLE: Final = ("Policy", "idle=...")
_LIMIT: Final = ("Policy", "limit=...")
_NAME: Final = ("Cookie", 'name="..."')
_SECRETS: Final = ("Sessions", "secrets=[...]")
_URL: Final = ("Sessions", 'url="redis://cache:6379/0"')
_PREFIX: Final = ("Sessions", 'url="redis://cache:6379/0?prefix=..."')
_HTTP_ONLY: Final = (None, "nothing: the cookie is always HttpOnly")
_ROLLING: Final = (None, "nothing: each request starts the idle time anew")
_REMEMBER: Final = (
    None,
    "session.login(user, remember=True) at the login; Policy(remember_idle=...) says for how long",
)

OTHERS: Final[Mapping[str, tuple[str | None, str]]] = MappingProxyType(
    {
        **dict.fromkeys(("absolutetimeout", "absolutelifetime"), ("Policy", "absolute=...")),
        **dict.fromkeys(("age", "maxage", "lifetime", "permanentsessionlifetime"), _CLOCKS),
        **dict.fromkeys(("expire", "expires", "expiry", "expiration", "ttl", "gcttl"), _CLOCKS),
        **dict.fromkeys(("timeout",), _CLOCKS),
        **dict.fromkeys(("idletimeout", "idletime", "inactivity"), _IDLE),
        **dict.fromkeys(("maxsessions", "maximumsessions", "concurrentsessions"), _LIMIT),
        **dict.fromkeys(("sessioncookie", "name", "cookiename"), _NAME),
        **dict.fromkeys(("httpsonly",), ("Cookie", "secure=True")),
        **dict.fromkeys(("samesite",), ("Cookie", "same_site=SameSite.LAX")),
        **dict.fromkeys(("httponly",), _HTTP_ONLY),
        **dict.fromkeys(("secret", "secretkey", "key", "keys", "encryptionkey"), _SECRETS),
        **dict.fromkeys(("backend", "storage", "type", "redis", "redisurl", "dsn"), _URL),
        **dict.fromkeys(("prefix", "keyprefix"), _PREFIX),
        **dict.fromkeys(("rolling", "refresheachrequest", "saveeveryrequest"), _ROLLING),
        **dict.fromkeys(("remember", "rememberme", "permanent"), _REMEMBER),
        **dict.fromkeys(("autoload",), ("SessionMiddleware", 'load="eager" or load="lazy"')),
    }
)
"""What others call it, without underscores: the class that has it here, and what to write in it."""

_HOMES: Final[dict[str, tuple[str, ...]]] = dict.fromkeys(("Policy", "Cookie", "Sessions"), ())
"""Our classes that an option may belong to where another one was asked, and what they take."""

_EXAMPLES: Final = MappingProxyType({"sessions": ": write sessions=Sessions(...)"})
"""What to write for an option that cannot be left out."""


def suggest_options(kind: C) -> C:
    """Have a class name its options to whoever gives it one that it does not have, or too few.

    Args:
        kind: a class whose ``__init__`` takes no keyword arguments but those it names; those that
            are nothing else can be left out.
    """
    init: Any = kind.__init__  # type: ignore[misc]  # of a class, not an object
    code = init.__code__
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    optional = len(init.__defaults__ or ())
    needed = names[: code.co_argcount - 1 - optional]
    if kind.__name__ in _HOMES:
        _HOMES[kind.__name__] = names

    @functools.wraps(init)
    def check(self: object, *args: Any, **options: Any) -> None:
        for name in options:
            if name not in names:
                raise NoOption(f"{kind.__name__} takes no {name}=: {_advise(kind, name, names)}")
        for name in names[len(args) :]:
            if name in needed and name not in options:
                raise NoOption(f"{kind.__name__} needs {name}={_EXAMPLES.get(name, '')}")
        init(self, *args, **options)

    kind.__init__ = check  # type: ignore[misc]
    return kind


def _advise(kind: type, name: str, names: tuple[str, ...]) -> str:
    home, words = _find_elsewhere(name)
    if words and not (home == "SessionMiddleware" and "load" not in names):
        return f"write {_place(kind, home, words, names)}"
    near = get_close_matches(name, names, n=1)
    if near:
        return f"write {near[0]}="
    return f"it has {', '.join(names)}"


def _find_elsewhere(name: str) -> tuple[str | None, str]:
    """Return whose option it is, in our words; no words where nobody has it."""
    bare = name.lower().replace("_", "")
    for shorter in (bare, bare.removeprefix("session"), _strip(bare)):
        if shorter in OTHERS:
            return OTHERS[shorter]
    for home, names in _HOMES.items():
        if name in names:
            return home, f"{name}=..."
    stripped = name.removeprefix("session_").removeprefix("cookie_")
    if stripped != name and stripped in _HOMES["Cookie"]:
        return "Cookie", f"{stripped}=..."
    return None, ""


def _strip(bare: str) -> str:
    return bare.removeprefix("session").removeprefix("cookie")


def _place(kind: type, home: str | None, words: str, names: tuple[str, ...]) -> str:
    """Say where the words stand, seen from the class that was asked."""
    if home is None or home == kind.__name__:
        return words
    if home in {"Policy", "Cookie"}:
        words = f"{home.lower()}={home}({words})"
    if kind.__name__ == "Sessions":
        return words
    return f"sessions=Sessions({words})" if "sessions" in names else f"Sessions({words})"
