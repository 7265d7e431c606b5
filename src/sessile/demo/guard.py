"""Refuse what another site makes a browser do, and what is too large. Stands before the routes.

``core.origin`` decides, as it does for every session; here the answer is a page of the shop.
"""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sessile.core.origin import SAFE, Origins
from sessile.core.proxies import Proxies
from sessile.web.request import AsgiRequest
from sessile.web.scope import App, Message, Receive, Scope, Send

LARGEST: Final = 16 * 1024
"""Bytes of a form; the largest that the page sends has a hundred."""

_OURS: Final = Origins()


class Guard:
    """ASGI middleware: another site's requests are refused, and 413 for a body without end.

    Args:
        app: the application.
        refuse: makes the answer to another site's request.
    """

    def __init__(self, app: App, refuse: Callable[[Request], Awaitable[Response]]) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "http" and scope["method"] not in SAFE:
            if _OURS.refuses(AsgiRequest(scope)):
                refused = await self._refuse(Request(scope))
                await refused(scope, receive, send)
                return
            receive = limit_body(receive)
        await self._app(scope, receive, send)


def is_from_here(request: Request, proxies: Proxies) -> bool:
    """Tell whether a visitor sits at this machine and means it by its address.

    The second part refuses a foreign name that was made to point at this machine.
    """
    peer = "" if request.client is None else request.client.host
    client = proxies.client(peer, ",".join(request.headers.getlist(proxies.name)))
    return _is_loopback(client) and _is_loopback(request.url.hostname or "")


def limit_body(receive: Receive) -> Receive:
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
