"""The gate: requests that another site had a browser send are refused before the application runs.

``core.origin`` decides; ``web.asgi``, ``web.wsgi`` and ``web.websocket`` send the answer. No store
is asked.
"""

from sessile.core.request import Request
from sessile.service.clients import glimpsed
from sessile.service.events import CrossSite
from sessile.service.parts import Parts
from sessile.web.exchange import Refusal, forbidden


def shut(parts: Parts, request: Request) -> Refusal | None:
    """Return the answer to a request that may not pass; None lets it pass."""
    why = parts.origins.refuses(request)
    return None if why is None else _refuse(parts, request, why)


def shut_to_socket(parts: Parts, request: Request) -> Refusal | None:
    """Return the answer to a WebSocket that may not pass; None lets it pass."""
    why = parts.origins.refuses_handshake(request)
    return None if why is None else _refuse(parts, request, why)


def _refuse(parts: Parts, request: Request, why: str) -> Refusal | None:
    if parts.carriers.exempt(request):
        return None
    if parts.heard:
        client = glimpsed(parts, request)
        origin = request.header("origin")
        parts.tell(CrossSite(parts.clock(), None, origin, client=client))
    return forbidden(f"This request came from another site.\n\nFor its developers: {why}.")
