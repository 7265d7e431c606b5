"""A store's URL, taken apart once. Each store's ``from_url`` takes what it knows from one.

Credentials stand in ``username`` and ``password`` and nowhere else: ``safe``, ``repr`` and every
error show the URL without them.
"""

import math
import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Final, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from sessile.errors import ConfigError

T = TypeVar("T")

_SHAPE: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\x00-\x1f\x7f]*", re.IGNORECASE)
_SEVERAL: Final = re.compile(r"((\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d{1,5})?(,(?!$)|$)){2,}", re.ASCII)
OF_EVERY_STORE: Final = ("near", "watch")
"""Options that are taken off before a store sees its URL: see ``stores.url_options``."""

_EXAMPLES: Final = "sqlite:///sessile.db, redis://localhost:6379/0 or memory://"


class Location:
    """Where a store is, and its options.

    Args:
        url: ``scheme://username:password@host:port/path?option=value``.

    Attributes:
        scheme: in lower case.
        host: without brackets; None where the URL names none. Of several, ``servers`` has all.
        port: None where the URL names none.
        username: decoded, or None.
        password: decoded, or None. For the driver and nothing else.
        path: decoded, with its leading slash.
        safe: the URL without credentials and options; a store's ``name``.

    Raises:
        ConfigError: this is no URL, or one that could be read in two ways.
    """

    __slots__ = (
        "_known", "_options", "_servers", "host", "password", "path", "port", "safe", "scheme",
        "username",
    )  # fmt: skip

    def __init__(self, url: str) -> None:
        if _SHAPE.fullmatch(url) is None:
            raise ConfigError(f"a store's URL has a scheme and no blanks: write {_EXAMPLES}")
        self.safe = redact(url)
        try:
            parts = urlsplit(url)
            self._servers = _servers_of(parts.netloc)
            self.host, self.port = self._servers[0]
        except ValueError:  # its text may quote a password that was taken for a port
            raise ConfigError(f"the host or port of {self.safe} cannot be read{_HINT}") from None
        if parts.fragment and not parts.netloc:
            raise ConfigError(f"{self.safe} has a part after '#': drop it, or write %23")
        if parts.fragment or (parts.netloc and "@" in parts.path + parts.query):
            raise ConfigError(f"{self.safe} can be read in two ways{_HINT}")
        self.scheme = parts.scheme
        self.username = _decode(parts.username)
        self.password = _decode(parts.password)
        self.path = unquote(parts.path)
        if not self.path.isprintable():
            raise ConfigError(f"the path of {self.safe} has a character that cannot be printed")
        self._known: list[str] = []
        self._options: dict[str, str] = {}
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            if name in self._options:
                raise ConfigError(f"option {name!r} stands twice in {self.safe}; keep one")
            self._options[name] = value

    def option(self, name: str, convert: Callable[[str], T], default: T) -> T:
        """Take an option.

        Args:
            name: as it stands in the URL.
            convert: ``seconds``, ``count``, ``yes``, ``str`` or the like; its ``ValueError`` says
                what to write.
            default: what an absent option means.

        Raises:
            ConfigError: the value cannot be converted.
        """
        self._known.append(name)
        text = self._options.pop(name, None)
        if text is None:
            return default
        try:
            return convert(text)
        except ValueError as error:
            raise ConfigError(f"option {name}={text} of {self.safe}: {error}") from None

    def servers(self, port: int) -> tuple[tuple[str, int], ...]:
        """Take every server that the URL names, as in ``one:26379,two,[::1]:26380``.

        Args:
            port: of those that name none.
        """
        found = tuple((host or "localhost", own or port) for host, own in self._servers)
        self._servers = self._servers[:1]
        return found

    def refuse_leftovers(self) -> None:
        """Call when every known option was taken.

        Raises:
            ConfigError: the URL has an option that nobody took; names it and the known ones. Or it
                names several servers, and one alone was taken.
        """
        if len(self._servers) > 1:
            raise ConfigError(f"{self.safe} names several servers; {self.scheme}:// takes one")
        for name in self._options:
            names = sorted({*self._known, *OF_EVERY_STORE})
            near = get_close_matches(name, names, n=1)
            guess = f"did you mean {near[0]!r}? " if near else ""
            known = ", ".join(names)
            raise ConfigError(f"unknown option {name!r} of {self.safe}: {guess}known are: {known}")

    def __repr__(self) -> str:
        return f"<Location {self.safe}>"


_HINT: Final = "; in a user name or password write @ : / ? # % as %40 %3A %2F %3F %23 %25"


def redact(url: str) -> str:
    """Return a URL without credentials and options. Never fails; what is no URL is not shown."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return "(no URL)"
    if not rest.startswith("/"):  # a stray / ? # in a password: all up to the last @ is credentials
        rest = rest.rpartition("@")[2]
    place = re.split("[?#]", rest, maxsplit=1)[0]
    host, slash, path = place.partition("/")
    if _SEVERAL.fullmatch(host) is None:
        host = re.sub(r":(?!\d{1,5}$)[^]]*$", "", host)  # no port: it may be half of a credential
    return f"{scheme.lower()}://{host}{slash}{path}"


def seconds(text: str) -> float:
    """Convert an option that is a length of time."""
    number = _number(text)
    if not 0 < number < math.inf:
        raise ValueError("write a number of seconds above 0, as in 0.5")
    return number


def count(text: str) -> int:
    """Convert an option that is a number of things."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError("write a whole number above 0, as in 100")
    return int(text)


def yes(text: str) -> bool:
    """Convert an option that is a yes or a no."""
    if text not in ("yes", "no"):
        raise ValueError("write yes or no")
    return text == "yes"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _servers_of(netloc: str) -> list[tuple[str | None, int | None]]:
    """Return host and port of each server.

    Raises:
        ValueError: one of them cannot be read.
    """
    parts = [urlsplit(f"//{server}") for server in netloc.rpartition("@")[2].split(",")]
    if len(parts) > 1 and not all(part.hostname for part in parts):
        raise ValueError("a comma, and no server beside it")
    return [(part.hostname, part.port) for part in parts]


def _decode(text: str | None) -> str | None:
    return None if text is None else unquote(text)
