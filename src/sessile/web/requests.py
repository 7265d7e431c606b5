"""Requests as ``core.request`` sees them, of an ASGI scope and of a WSGI environ."""

from wsgiref.types import WSGIEnvironment

from sessile.web.scope import Headers, Scope

_BYTES = {name: name.encode() for name in ("cookie", "user-agent")}
"""Names that are asked for in each request."""


class AsgiRequest:
    """What an ASGI scope says. It does not hold the scope, which may come to hold the session."""

    __slots__ = ("_headers", "_query", "body", "method", "peer")

    def __init__(self, scope: Scope) -> None:
        client = scope.get("client")
        self._headers: Headers = scope["headers"]
        self._query: bytes = scope.get("query_string", b"")
        self.method: str = scope.get("method", "GET")
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
    """What a WSGI environ says."""

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
        return str(self._environ.get("HTTP_" + name.upper().replace("-", "_"), ""))
