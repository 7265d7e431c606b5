"""The cross-site check: whether another site had the browser send this request. Pure.

``web.gate`` acts on it, before the application runs. The algorithm is the one of Go 1.25's
``http.CrossOriginProtection``: a browser says itself where a request comes from, in headers that no
page can write; a program that is no browser says nothing and attacks nobody but itself.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from sessile.core.options import suggest_options
from sessile.core.prefix import is_below
from sessile.core.proxies import Proxies
from sessile.core.request import Request
from sessile.errors import ConfigError

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1), but for TRACE, which no browser sends."""

_OWN_REQUESTS: Final = frozenset({"same-origin", "none"})  # none: an address typed, a bookmark
_ORIGIN: Final = re.compile(
    r"([a-z][a-z0-9+.-]*)://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII
)
_HOST: Final = re.compile(r"([a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII)
_NO_PROXIES: Final = Proxies()
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}

_Origin: TypeAlias = tuple[str, str, str]
"""Scheme, host and port, in lower case; the port is empty where the scheme implies it."""


class OriginCheck(Enum):
    """Which requests are looked at."""

    UNSAFE_METHODS = "unsafe methods"  # all but GET, HEAD and OPTIONS; and WebSocket handshakes
    OFF = "off"  # any site can act as its visitor here; SameSite alone is left, and it has gaps


@suggest_options
@dataclass(frozen=True, slots=True)
class Origins:
    """Who may have a visitor's browser send requests that change something.

    The site itself always may. ``Sec-Fetch-Site`` says so; in browsers of before 2023, and in a
    WebSocket's handshake, an ``Origin`` that names the ``Host``. A proxy that rewrites ``Host``
    hides the site's name from those, unless ``Proxies`` believes what it forwards: name the site in
    ``trusted``.

    Args:
        trusted: other origins that may, as browsers write them: ``"https://shop.example"``.
        exempt: prefixes of paths that any site may post to, and that check otherwise who sends, as
            the one to which an identity provider posts its signed answer.
        check: which requests are looked at.

    Raises:
        ConfigError: one of them is no origin.
    """

    trusted: Sequence[str] = ()
    exempt: Sequence[str] = ()
    check: OriginCheck = OriginCheck.UNSAFE_METHODS
    _trusted: frozenset[_Origin] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.trusted, str) or not isinstance(self.trusted, Sequence):
            raise ConfigError(f"trusted={self.trusted!r}: write a list, trusted=[{self.trusted!r}]")
        if not isinstance(self.check, OriginCheck):
            raise ConfigError(
                f"check={self.check!r}: write OriginCheck.UNSAFE_METHODS or OriginCheck.OFF"
            )
        object.__setattr__(self, "exempt", _check_exempt(self.exempt))
        object.__setattr__(self, "trusted", tuple(self.trusted))
        object.__setattr__(self, "_trusted", frozenset(map(_parse_trusted, self.trusted)))

    def refuses(self, request: Request, proxies: Proxies = _NO_PROXIES) -> str | None:
        """Return why a request is refused, for the developer; None lets it pass."""
        if request.method in SAFE:
            return None
        return self.refuses_handshake(request, proxies)

    def refuses_handshake(self, request: Request, proxies: Proxies = _NO_PROXIES) -> str | None:
        """Return why a WebSocket is refused, whatever its method; None lets it pass.

        Args:
            request: the handshake.
            proxies: whose word is taken on the host that a browser asked for.
        """
        if self.check is OriginCheck.OFF:
            return None
        site, origin = request.header("sec-fetch-site"), request.header("origin")
        if site in _OWN_REQUESTS or not (site or origin):
            return None
        if "," in site or "," in origin:
            return "Sec-Fetch-Site or Origin stands twice in the request"
        place = _parse_origin(origin)
        if place is not None and (
            place in self._trusted or (not site and _same_host(place, _host(request, proxies)))
        ):
            return None
        is_exempt = bool(self.exempt) and is_below(request.path, tuple(self.exempt))
        return None if is_exempt else _why(site, origin)


def _why(site: str, origin: str) -> str:
    sent = f"Sec-Fetch-Site is {site[:32]!r}" if site else "there is no Sec-Fetch-Site"
    if not origin:
        return f"{sent}, and no Origin"
    return (
        f"{sent}, and Origin, {origin[:256]!r}, is neither Host nor one of Origins(trusted=...). "
        "If it is your own site, as behind a proxy that rewrites Host, or one you trust, name it "
        "there; where any site may post, as an identity provider, write Origins(exempt=[path])"
    )


def _host(request: Request, proxies: Proxies) -> str:
    """Return the host that the browser asked for, as far as proxies can be believed."""
    forwarded = request.header(proxies.host_name) if proxies.trusted else ""
    return proxies.host(request.peer, forwarded) or request.header("host")


def _check_exempt(given: object) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ConfigError(f"exempt={given!r}: write a list, as in exempt=[{str(given)!r}]")
    for prefix in given:
        if not isinstance(prefix, str) or not prefix.startswith("/") or prefix == "/":
            raise ConfigError(
                f"exempt: {prefix!r} is no path below '/'; write one, as in exempt=['/saml/acs'], "
                "or check=OriginCheck.OFF for them all"
            )
    return tuple(given)


def _parse_origin(text: str) -> _Origin | None:
    """Return the place an Origin names; None for ``null`` and for what is no origin."""
    found = _ORIGIN.fullmatch(text.lower())
    if found is None:
        return None
    scheme, host, port = found.groups()
    return scheme, host, _port(scheme, port)


def _same_host(place: _Origin, header: str) -> bool:
    """Tell whether a Host header names the place. It says no scheme, so the place's is assumed."""
    scheme, host, port = place
    found = _HOST.fullmatch(header.lower())
    return (
        found is not None
        and scheme in _DEFAULT_PORTS
        and (found[1], _port(scheme, found[2])) == (host, port)
    )


def _port(scheme: str, port: str | None) -> str:
    return "" if port is None or port == _DEFAULT_PORTS.get(scheme) else port


def _parse_trusted(given: object) -> _Origin:
    place = _parse_origin(given) if isinstance(given, str) else None
    if place is None:
        raise ConfigError(
            f"trusted: {given!r} is no origin; write scheme, host and any unusual port, with no "
            "path and no wildcard, as in 'https://shop.example'; other alphabets in punycode"
        )
    return place
