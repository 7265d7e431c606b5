"""The ASGI protocol: what a scope says, and a whole answer as messages.

``web.asgi`` and ``web.websocket`` act on it.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, TypeAlias

from sessile.core.carrier import Header
from sessile.web.refusal import Refusal

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Headers: TypeAlias = Iterable[tuple[bytes, bytes]]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

SESSIONS: Final = "sessile.sessions"
"""Where a scope holds the application's ``Sessions``, for what is done beside the session."""


def path(scope: Scope) -> str:
    """Return the path below the place where the application is mounted."""
    whole: str = scope["path"]
    root: str = scope.get("root_path", "")
    return whole.removeprefix(root) if whole.startswith(f"{root}/") else whole


def encode(header: Header) -> tuple[bytes, bytes]:
    """Return a header of an answer as ASGI has it."""
    return header[0].encode(), header[1].encode("latin-1")


async def respond(send: Send, refusal: Refusal, kind: str = "http.response") -> None:
    """Send a whole answer, as messages of that kind."""
    headers = list(map(encode, refusal.headers))
    await send({"type": f"{kind}.start", "status": refusal.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": refusal.body})
