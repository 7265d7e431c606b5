"""Requests as ``core.request`` sees them, of an ASGI scope and of a WSGI environ.

One is made for every request, so nothing is worked out before it is asked for. ``web.form`` fills
in the body where a carrier looks there.
"""

from typing import Final
from wsgiref.types import WSGIEnvironment

from sessile.web.scope import Headers, Scope

_ODD: Final = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}  # PEP 3333


class AsgiRequest:
    """What an ASGI scope says. It does not hold the scope, which may come to hold the session."""

    __slots__ = ("_headers", "_known", "_query", "body", "method", "peer")

    def __init__(self, scope: Scope) -> None:
        client = scope.get("client")
        self._headers: Headers = scope["headers"]
        self._known: dict[bytes, bytes] | None = None
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
        if self._known is None:
            self._known = _joined(self._headers)
        return self._known.get(name.encode(), b"").decode("latin-1")


def _joined(headers: Headers) -> dict[bytes, bytes]:
    """Return the headers by name, those that stand more than once joined.

    Joined at the end: to add to a text line by line takes seconds for a hostile megabyte.
    """
    fields = headers if isinstance(headers, list) else list(headers)
    found = dict(fields)
    if len(found) == len(fields):  # nearly always
        return found
    lines: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        lines.setdefault(name, []).append(value)
    return {name: (b"; " if name == b"cookie" else b", ").join(lines[name]) for name in lines}


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
