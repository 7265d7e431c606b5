"""Refuse what another site makes a browser do, and what is too large. Stands before the routes.

A browser says where a request comes from in ``Sec-Fetch-Site``, an older one in ``Origin``; no
script can set either. Whoever sends neither is no browser, so nobody's cookie is being misused.
"""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sessile.core.proxies import Proxies
from sessile.demo.template import render
from sessile.web.scope import App, Message, Receive, Scope, Send

LARGEST: Final = 16 * 1024
"""Bytes of a form; the largest that the page sends has a hundred."""

_FOREIGN: Final = "This form was sent by a page of another site."
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """ASGI middleware: 403 for another site's requests, 413 for a body without end."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "http" and scope["method"] not in _SAFE:
            if not is_own(Headers(scope=scope)):
                refused = render("error.html", status=403, sentence=_FOREIGN)
                await refused(scope, receive, send)
                return
            receive = bounded(receive)
        await self._app(scope, receive, send)


def is_own(headers: Headers) -> bool:
    """Tell whether a request comes from our own page, or from no page at all."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site in {"same-origin", "none"}
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def is_from_here(request: Request, proxies: Proxies) -> bool:
    """Tell whether a visitor sits at this machine and means it by its address.

    The second part refuses a foreign name that was made to point at this machine.
    """
    peer = "" if request.client is None else request.client.host
    client = proxies.client(peer, ",".join(request.headers.getlist(proxies.name)))
    return _is_loopback(client) and _is_loopback(request.url.hostname or "")


def bounded(receive: Receive) -> Receive:
    """Return a receive that raises 413 once a body is too large."""
    left = LARGEST

    async def receive_some() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, "This form is too large.")
        return message

    return receive_some


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
