"""Requests that another site had a browser send are refused before the application runs.

``core.origin`` decides; ``web.asgi``, ``web.wsgi`` and ``web.websocket`` send the answer. No store
is asked.
"""

from sessile.core.request import Request
from sessile.service.clients import peek_client
from sessile.service.context import Context
from sessile.service.events import CrossSite
from sessile.service.sessions import Sessions, context_of
from sessile.web.refusal import Refusal, forbidden


def refuse_cross_site(sessions: Sessions, request: Request) -> Refusal | None:
    """Return the answer to a request that may not pass; None lets it pass."""
    context = context_of(sessions)
    why = context.origins.refuses(request, context.proxies)
    return None if why is None else _refuse(context, request, why)


def refuse_cross_site_handshake(sessions: Sessions, request: Request) -> Refusal | None:
    """Return the answer to a WebSocket that may not be opened; None lets it pass."""
    context = context_of(sessions)
    why = context.origins.refuses_handshake(request, context.proxies)
    return None if why is None else _refuse(context, request, why)


def _refuse(context: Context, request: Request, why: str) -> Refusal | None:
    if context.carriers.exempt(request):
        return None
    client, origin = peek_client(context, request), request.header("origin")
    context.emit(CrossSite(context.clock(), None, origin, client=client))
    return forbidden(f"This request came from another site.\n\nFor its developers: {why}.")
