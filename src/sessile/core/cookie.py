"""The session cookie: rules checked when the application starts, a strict reader, a strict writer.

RFC 6265bis. The ``web`` floor hands over header text and sends what comes back.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from sessile.core.flag import check_flag
from sessile.core.options import suggest_options
from sessile.core.ticket import NoTicket
from sessile.errors import ConfigError

LONGEST_NAME: Final = 64
"""Characters of a cookie's name."""

_TOKEN: Final = re.compile(rf"[!#$%&'*+\-.^_`|~0-9A-Za-z]{{1,{LONGEST_NAME}}}", re.ASCII)
_PATH: Final = re.compile(r"/[!-:<-~]*", re.ASCII)  # no space, no semicolon, no control character
_DOMAIN: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    r"(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+",
    re.ASCII | re.IGNORECASE,
)
_PREFIXES: Final = ("__Host-", "__Secure-", "__Http-")  # and "__Host-Http-", which is the first
_PREFIXES_LOWER: Final = tuple(map(str.lower, _PREFIXES))
_ATTRIBUTE_CAP: Final = 1024  # RFC 6265bis, 5.6: longer is ignored, which widens the scope


class SameSite(Enum):
    """Which requests from other sites carry the cookie. It is no replacement for a CSRF check."""

    LAX = "Lax"  # top-level navigation only
    STRICT = "Strict"  # none: a link from a mail arrives logged out
    NONE = "None"  # all, for embedding in other sites; needs Secure


@suggest_options
@dataclass(frozen=True, slots=True)
class Cookie:
    """Name and attributes of the session cookie. ``HttpOnly`` always; checked at birth.

    Args:
        name: None takes ``__Host-sid``, or ``sid`` where the prefix's rules cannot be met.
        secure: switch off for http during development only.
        same_site: which requests from other sites carry it.
        path: the part of the site it is sent to.
        domain: None keeps it to this very host, which is what you want.
        partitioned: keep one jar per embedding site (CHIPS).
        former: the cookies of the same name that this one takes the place of, where its domain, its
            path or ``partitioned`` was another one. A browser keeps those beside it, and sends
            both; so whenever this one is set, and wherever both come, they are deleted.

    Raises:
        ConfigError: a combination that browsers would drop or that leaks.
    """

    name: str | None = None
    secure: bool = True
    same_site: SameSite = SameSite.LAX
    path: str = "/"
    domain: str | None = None
    partitioned: bool = False
    former: Sequence["Cookie"] = ()
    full_name: str = field(init=False, repr=False)
    _attributes: str = field(init=False, repr=False)
    _values: Callable[[str], list[str]] = field(init=False, repr=False, compare=False)
    _behind_comma: Callable[[str], object] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        name = self._default_name() if self.name is None else self.name
        _check_text(name, self.path, self.domain)
        _check_rules(self, name)
        put = object.__setattr__
        put(self, "full_name", name)
        put(self, "former", _check_former(self))
        put(self, "_attributes", self._format())
        put(self, "_values", re.compile(rf"(?:^|;)[ \t]*{re.escape(name)}=([^;,]*)").findall)
        put(self, "_behind_comma", re.compile(rf",[ \t]*{re.escape(name)}=").search)

    def reaches(self, path: str) -> bool:
        """Tell whether browsers send it with a request for that path (RFC 6265, 5.1.4)."""
        own = self.path
        return path == own or (path.startswith(own) and (own[-1] == "/" or path[len(own)] == "/"))

    def _default_name(self) -> str:
        hosted = self.secure and self.path == "/" and self.domain is None
        return "__Host-sid" if hosted else "__Secure-sid" if self.secure else "sid"

    def _format(self) -> str:
        parts = [f"Path={self.path}"]
        parts += [f"Domain={self.domain}"] if self.domain else []
        parts += ["Secure"] if self.secure else []
        parts += ["HttpOnly", f"SameSite={self.same_site.value}"]
        parts += ["Partitioned"] if self.partitioned else []
        return "; ".join(parts)

    def find(self, header: str) -> str | NoTicket:
        """Return the cookie's value in a Cookie header, or why there is none.

        Several header fields (RFC 9113, 8.2.3) are joined with ``"; "`` before. WSGI servers join
        them with a comma, and nobody can tell that from a comma in a value, which a sibling host
        may have planted: so what stands behind one is told, and does not count.
        """
        if self.full_name not in header:
            return NoTicket.ABSENT
        values = self._values(header)
        if len(values) == 1:
            value: str = values[0].rstrip(" \t")
            return value
        if values or self._behind_comma(header):
            return NoTicket.AMBIGUOUS
        return NoTicket.ABSENT

    def issue(self, value: str, max_age: int | None = None) -> str:
        """Return the Set-Cookie value that hands over a ticket; ``max_age`` is in seconds."""
        lifetime = "" if max_age is None else f"; Max-Age={max_age}"
        return f"{self.full_name}={value}{lifetime}; {self._attributes}"

    def expire(self) -> str:
        """Return the Set-Cookie value that deletes it, with the attributes it was set with."""
        return f"{self.full_name}=; Max-Age=0; {self._attributes}"


def _check_former(cookie: Cookie) -> tuple[Cookie, ...]:
    given = cookie.former
    if isinstance(given, Cookie) or not isinstance(given, Sequence):
        raise ConfigError(f"former={given!r}: write a list, as in former=[Cookie(...)]")
    for one in given:
        if not isinstance(one, Cookie):
            raise ConfigError(f"former=[{one!r}]: write Cookie(...), with what it was set with")
        if one.full_name != cookie.full_name:
            raise ConfigError(
                f"former: a cookie named {one.full_name!r} is another one than "
                f"{cookie.full_name!r}, and in nobody's way; leave it out"
            )
        if _place(one) == _place(cookie):
            raise ConfigError("former: the same domain and path; name what they were before")
    return tuple(given)


def _place(cookie: Cookie) -> tuple[str | None, str, bool]:
    """Return domain, path and partition: by these a browser tells cookies of one name apart."""
    domain = None if cookie.domain is None else cookie.domain.lower()
    return domain, cookie.path, cookie.partitioned


def _check_text(name: str, path: str, domain: str | None) -> None:
    if _TOKEN.fullmatch(name) is None:
        raise ConfigError(f"cookie name {name!r}: write up to 64 letters, digits, '-' or '_'")
    if _PATH.fullmatch(path) is None or len(path) > _ATTRIBUTE_CAP:
        raise ConfigError(f"cookie path {path!r}: write a path that starts with '/', as in '/app'")
    if domain is not None and _DOMAIN.fullmatch(domain) is None:
        raise ConfigError(f"cookie domain {domain!r}: write a host name, as in 'example.com'")


def _check_rules(cookie: Cookie, name: str) -> None:
    if not isinstance(cookie.same_site, SameSite):
        raise ConfigError(f"same_site={cookie.same_site!r}: write SameSite.LAX, STRICT or NONE")
    check_flag("secure", cookie.secure)
    check_flag("partitioned", cookie.partitioned)
    prefix = name.lower()  # RFC 6265bis, 5.7: user agents match prefixes without regard to case
    prefixed = prefix.startswith(_PREFIXES_LOWER)
    if prefixed and not name.startswith(_PREFIXES):
        raise ConfigError(
            f"cookie name {name!r}: spell the prefix '__Host-', '__Secure-' or '__Http-'"
        )
    if prefixed and not cookie.secure:
        raise ConfigError(f"cookie name {name!r} demands secure=True; name it 'sid' for plain http")
    # RFC 6265bis, 4.1.3.2: __Host- demands Path=/ and no Domain.
    if prefix.startswith("__host-") and cookie.domain is not None:
        raise ConfigError(
            f"cookie name {name!r} allows no domain; drop domain={cookie.domain!r}, "
            "or name it '__Secure-sid' to share it with subdomains"
        )
    if prefix.startswith("__host-") and cookie.path != "/":
        raise ConfigError(f"cookie name {name!r} demands path='/'; or name it '__Secure-sid'")
    if cookie.same_site is SameSite.NONE and not cookie.secure:
        raise ConfigError("same_site=SameSite.NONE demands secure=True; browsers drop it otherwise")
    if cookie.partitioned and not cookie.secure:
        raise ConfigError("partitioned=True demands secure=True; browsers drop it otherwise")
