"""The route: a cookie that tells a balancer which server a client goes to. Pure.

It is beside the session's cookie and never part of the id. Its value is a keyed hash, which tells
nobody what a server is called or where it is, and which nobody can make for another server.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import replace
from hashlib import sha256
from typing import Final

from sessile.core.carrier import SessionHeaders
from sessile.core.cookie import Cookie
from sessile.core.request import Request
from sessile.errors import ConfigError

ROUTE_COOKIE: Final = "sessile-route"
"""Its name, which configurations of balancers have."""

SERVER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
"""What a server may be called: no configuration of a balancer reads it as something else."""


def route_token(server: str, secret: bytes) -> str:
    """Return the opaque token that stands for a server: it tells a client nothing about it."""
    digest = hmac.digest(secret, b"sessile route\0" + server.encode(), sha256)
    return urlsafe_b64encode(digest[:15]).decode()


class ServerRoute:
    """The way to one server.

    Args:
        server: its name, as the balancer's configuration has it.
        secret: makes the token; that of all servers is the same.
        cookie: of the sessions, whose attributes that of the route has.

    Raises:
        ConfigError: the name is none.

    Attributes:
        server: its name.
    """

    __slots__ = ("_cookie", "_is_there", "_token", "server")

    def __init__(self, server: str, secret: bytes, cookie: Cookie) -> None:
        if SERVER_NAME.fullmatch(server) is None:
            raise ConfigError(
                f"server={server!r}: write the name that the balancer has for it, as 'a': up to 64 "
                "letters, digits, '-', '_' or '.'"
            )
        self.server = server
        self._cookie = replace(cookie, name=ROUTE_COOKIE, former=())
        self._token = route_token(server, secret)
        own = rf"(?:^|[;,])[ \t]*{ROUTE_COOKIE}={re.escape(self._token)}[ \t]*(?=[;,]|$)"
        self._is_there = re.compile(own).search

    def has(self, request: Request) -> bool:
        """Tell whether a client brings this route, whatever somebody else has put beside it."""
        return self._is_there(request.cookie) is not None

    def has_any(self, request: Request) -> bool:
        """Tell whether it brings one at all."""
        return f"{ROUTE_COOKIE}=" in request.cookie

    def issue(self, max_age: int | None) -> SessionHeaders:
        """Return the header that has a client come here; ``max_age`` is in seconds."""
        return (("set-cookie", self._cookie.issue(self._token, max_age)),)

    def expire(self) -> SessionHeaders:
        """Return the header that has it go wherever there is room."""
        return (("set-cookie", self._cookie.expire()),)
