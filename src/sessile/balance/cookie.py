"""The route cookie: read, hidden from the servers, handed out. ``routing`` knows its tokens."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sessile.core.route import ROUTE_COOKIE
from sessile.errors import ConfigError

# RFC 6265bis, 4.1.1: a cookie's name is a token (RFC 9110, 5.6.2).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class RouteCookie:
    """A cookie of its own, so that a route never becomes part of a session's id."""

    name: str = ROUTE_COOKIE

    def __post_init__(self) -> None:
        if not _TOKEN.fullmatch(self.name):
            raise ConfigError(f"{self.name!r} is no cookie name; write a word such as 'route'")
        if self.name.lower().startswith(("__host-", "__secure-")):
            raise ConfigError(f"{self.name!r} demands Secure, and the balancer speaks plain http")

    def read(self, values: Iterable[bytes]) -> tuple[str, ...]:
        """Return the tokens found in Cookie headers, in order. Garbage is returned, not judged."""
        pairs = [pair.partition(b"=") for value in values for pair in value.split(b";")]
        mine = self.name.encode()
        return tuple(
            token.strip().decode("latin-1") for name, _, token in pairs if name.strip() == mine
        )

    def hide(self, value: bytes) -> bytes:
        """Return a Cookie header's value without the route; the other pairs keep every byte."""
        mine = self.name.encode()
        pairs = value.split(b";")
        kept = [pair for pair in pairs if pair.partition(b"=")[0].strip() != mine]
        return value if len(kept) == len(pairs) else b";".join(kept).strip()

    def write(self, token: str) -> bytes:
        """Return the value of the Set-Cookie header. It ends when the browser closes."""
        return f"{self.name}={token}; HttpOnly; Path=/; SameSite=Lax".encode()
