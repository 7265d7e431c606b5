"""Security headers: the browser trusts this page with little. ``application`` adds them to all."""

from typing import Final

from sessile.web.scope import App, Message, Receive, Scope, Send

# Nothing from anywhere else, and no script or style inside the page.
_POLICY: Final = (
    b"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    b"frame-ancestors 'none'"
)
_FOR_GOOD: Final = b"max-age=604800, immutable"  # their addresses change with their contents
_HEADERS: Final = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


class SecurityHeaders:
    """ASGI middleware: the same headers on every answer; no cache keeps a page."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        is_static = scope.get("path", "").startswith("/static/")
        caching = _FOR_GOOD if is_static else b"no-store"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                said = any(name.lower() == b"cache-control" for name, _ in given)
                kept = [] if said else [(b"cache-control", caching)]
                message = {**message, "headers": [*given, *_HEADERS, *kept]}
            await send(message)

        await self._app(scope, receive, send_with_headers)
