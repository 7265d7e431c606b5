"""The browser and the system that a User-Agent header names. It is a claim, not a proof.

``service`` names devices by it and binds sessions to its browser family. The ua-parser library
knows the thousand spellings; here stand the names we give to what it finds. It is imported at the
first agent and not before: it takes thirty milliseconds, and as long again until it is warm.
"""

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from ua_parser import PartialResult

MAX_LENGTH: Final = 512  # characters; the worst agent that was found then takes 3 ms
_CACHE_SIZE: Final = 1024
_VARIANT: Final = re.compile(
    r"Mobile (?=Safari)|(?: Mobile| iOS| Android| WebView| UI/WKWebView| Alpha| Beta| \(\w+\))+\Z",
    re.ASCII,
)
_PRODUCT: Final = re.compile(r"(?!Mozilla\b)([A-Za-z][\w.-]{0,31})(?:/|\Z)", re.ASCII)
_CLEAN_NAME: Final = re.compile(r"[A-Za-z0-9][\w .+!/-]{0,39}", re.ASCII)  # no markup, no essays
_BROWSERS: Final = {
    "Chrome Frame": "Chrome",
    "HeadlessChrome": "Chrome",
    "IE": "Internet Explorer",
    "IE Large Screen": "Internet Explorer",
    "Python Requests": "python-requests",
    "python-httpx": "httpx",
}
_SYSTEMS: Final = {
    "ATV OS X": "tvOS",
    "Chrome OS": "ChromeOS",
    "Mac OS": "macOS",
    "Mac OS X": "macOS",
    "WatchOS": "watchOS",
} | dict.fromkeys(
    ("Arch Linux", "CentOS", "Debian", "Fedora", "Gentoo", "Kubuntu", "Linux Mint", "Mageia",
     "Mandriva", "PCLinuxOS", "Puppy", "Red Hat", "SUSE", "Slackware", "Ubuntu", "openSUSE"),
    "Linux",
)  # fmt: skip


class UserAgent(msgspec.Struct, frozen=True):
    """What a client says it is; what it does not say is ``""``.

    Attributes:
        browser: the family without its version, as in ``"Firefox"``; a program's name for those.
        system: the operating system without its version, as in ``"Android"``.
    """

    browser: str
    system: str


def get_ready() -> None:
    """Load what ``recognise`` needs: when a server starts, and not within its first request."""
    recognise("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")


def recognise(user_agent: str) -> UserAgent:
    """Return the browser family and the system of a User-Agent header; never an error."""
    text = user_agent[:MAX_LENGTH]
    if not (text.isascii() and text.isprintable()):
        text = "".join(filter(str.isprintable, text))
    return _parse(text)


@lru_cache(_CACHE_SIZE)
def _parse(text: str) -> UserAgent:
    if not text:
        return UserAgent("", "")
    found = _resolver()(text)
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    return UserAgent(_browser(browser or _product_name(text)), _system(system))


def _browser(family: str) -> str:
    plain = _VARIANT.sub("", family)
    return _clean_name(_BROWSERS.get(plain, plain))


def _system(family: str) -> str:
    return _clean_name(_SYSTEMS.get(family, family))


def _clean_name(name: str) -> str:
    return name if name != "Other" and _CLEAN_NAME.fullmatch(name) else ""


def _product_name(text: str) -> str:
    """Return the name of a program that calls itself by its name (RFC 9110, 10.1.5)."""
    product = _PRODUCT.match(text)
    return product[1] if product else ""


@cache
def _resolver() -> "Callable[[str], PartialResult]":
    """Return the resolver of agents: the fast one of ``sessile[agents]``, or the plain one."""
    import ua_parser  # noqa: PLC0415  (thirty milliseconds that most commands do not need)

    browsers, systems, _ = ua_parser.load_lazy_builtins()  # compiled when needed; no device models
    make = ua_parser.RegexResolver or ua_parser.BasicResolver
    resolver = make((browsers, systems, []))
    wanted = ua_parser.Domain.USER_AGENT | ua_parser.Domain.OS
    return lambda text: resolver(text, wanted)
