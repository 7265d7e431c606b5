"""Requests as ``core.request`` sees them, of an ASGI scope and of a WSGI environ.

One is made for every request, so nothing is worked out before it is asked for. ``web.form`` fills
in the body where a carrier looks there.
"""

from typing import Final
from wsgiref.types import WSGIEnvironment

from sessile.web.scope import Headers, Scope

_BYTES: Final = {name: name.encode() for name in ("cookie", "user-agent")}
"""Names that are asked for in each request."""

_ODD: Final = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}  # PEP 3333


class AsgiRequest:
    """What an ASGI scope says. It does not hold the scope, which may come to hold the session."""

    __slots__ = ("_headers", "_query", "body", "method", "peer")

    def __init__(self, scope: Scope) -> None:
        client = scope.get("client")
        self._headers: Headers = scope["headers"]
        self._query: bytes = scope.get("query_string", b"")
        self.method: str = scope.get("method", "GET")  # a WebSocket's scope has none
        self.peer: str = client[0] if client else ""
        self.body = b""

    @property
    def query(self) -> str:
        """The query string."""
        return self._query.decode("latin-1")

    def header(self, name: str) -> str:
        """Return a header by its name in lower case; ``""`` when it is absent."""
        wanted = _BYTES.get(name) or name.encode()
        found = [value for field, value in self._headers if field == wanted]
        if len(found) == 1:
            return found[0].decode("latin-1")
        return (b"; " if name == "cookie" else b", ").join(found).decode("latin-1")


class EnvironRequest:
    """What a WSGI environ says. Whoever puts it into that environ lets go of it at the end."""

    __slots__ = ("_environ", "body")

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._environ = environ
        self.body = b""

    @property
    def method(self) -> str:
        """In capitals."""
        return str(self._environ.get("REQUEST_METHOD", "GET"))

    @property
    def peer(self) -> str:
        """The address of the socket's other end."""
        return str(self._environ.get("REMOTE_ADDR", ""))

    @property
    def query(self) -> str:
        """The query string."""
        return str(self._environ.get("QUERY_STRING", ""))

    def header(self, name: str) -> str:
        """Return a header by its name in lower case; ``""`` when it is absent."""
        field = _ODD.get(name) or "HTTP_" + name.upper().replace("-", "_")
        return str(self._environ.get(field, ""))
