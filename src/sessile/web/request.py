"""Requests as ``core.request`` sees them, of an ASGI scope and of a WSGI environ.

One is made for every request, so little is worked out before it is asked for. A posted form is read
before the application does so, where a carrier looks there (``core.carrier.ForgeableBody``), and
put back for it. What is no form, and what is beyond 64 KB, passes untouched.
"""

from collections import deque
from io import BytesIO
from typing import Final
from wsgiref.types import WSGIEnvironment

from sessile.web.scope import Message, Receive, Scope

FORM_LIMIT: Final = 65_536
"""Bytes of a form that are looked at."""

_FORM: Final = "application/x-www-form-urlencoded"

_ODD: Final = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}  # PEP 3333


class AsgiRequest:
    """What an ASGI scope says. It does not hold the scope, which may come to hold the session."""

    __slots__ = (
        "_headers", "_path", "_query", "body", "cookie", "method", "peer", "scheme",
    )  # fmt: skip

    def __init__(self, scope: Scope) -> None:
        client = scope.get("client")
        fields = scope["headers"]
        if type(fields) is not list:
            fields = list(fields)
        headers = dict(fields)
        if len(headers) != len(fields):  # seldom
            headers = _join(fields)
        self._headers: dict[bytes, bytes] = headers
        self._path: tuple[str, str] = (scope.get("root_path", ""), scope.get("path", "/"))
        self._query: bytes = scope.get("query_string", b"")
        self.body = b""
        self.cookie = headers.get(b"cookie", b"").decode("latin-1")
        self.method: str = scope.get("method", "GET")  # a WebSocket's scope has none
        self.peer: str = client[0] if client else ""
        self.scheme: str = scope.get("scheme", "http")

    @property
    def path(self) -> str:
        """The whole path. Some servers leave out of it where the application is mounted."""
        root, path = self._path
        return path if path.startswith(f"{root}/") else root + path

    @property
    def agent(self) -> str:
        """The User-Agent header."""
        return self._headers.get(b"user-agent", b"").decode("latin-1")

    @property
    def query(self) -> str:
        """The query string."""
        return self._query.decode("latin-1")

    def header(self, name: str) -> str:
        """Return a header by its name in lower case; ``""`` when it is absent."""
        return self._headers.get(name.encode(), b"").decode("latin-1")


def _join(fields: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the headers by name, those that stand more than once joined.

    Joined at the end: to add to a text line by line takes seconds for a hostile megabyte.
    """
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
    def path(self) -> str:
        """The whole path; an environ tells its bytes as Latin-1 (PEP 3333), and they are UTF-8."""
        environ = self._environ
        path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}" or "/"
        return path.encode("latin-1", "replace").decode(errors="replace")

    @property
    def scheme(self) -> str:
        """By which the server was asked."""
        return str(self._environ.get("wsgi.url_scheme", "http"))

    @property
    def peer(self) -> str:
        """The address of the socket's other end."""
        return str(self._environ.get("REMOTE_ADDR", ""))

    @property
    def agent(self) -> str:
        """The User-Agent header."""
        return str(self._environ.get("HTTP_USER_AGENT", ""))

    @property
    def cookie(self) -> str:
        """The Cookie header."""
        return str(self._environ.get("HTTP_COOKIE", ""))

    @property
    def query(self) -> str:
        """The query string."""
        return str(self._environ.get("QUERY_STRING", ""))

    def header(self, name: str) -> str:
        """Return a header by its name in lower case; ``""`` when it is absent."""
        field = _ODD.get(name) or "HTTP_" + name.upper().replace("-", "_")
        return str(self._environ.get(field, ""))


async def peek_form(request: AsgiRequest, receive: Receive) -> Receive:
    """Give the request its body, and return a ``receive`` that tells it all again."""
    length = _form_length(request)
    if length is None or length > FORM_LIMIT:
        return receive
    messages: deque[Message] = deque()
    body = b""
    more = True
    while more and len(body) <= FORM_LIMIT:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
    if len(body) == length:
        request.body = body

    async def repeat() -> Message:
        return messages.popleft() if messages else await receive()

    return repeat


def peek_environ_form(request: EnvironRequest, environ: WSGIEnvironment) -> None:
    """Give the request its body, and put what was read back into the environ."""
    length = _form_length(request)
    if length is None or length > FORM_LIMIT:
        return
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = BytesIO(body)
    if len(body) == length:
        request.body = body


def _form_length(request: AsgiRequest | EnvironRequest) -> int | None:
    """Return the length that a form declares; None when it is no form or says nothing sound."""
    kind = request.header("content-type").partition(";")[0].strip().lower()
    length = request.header("content-length")
    if request.method != "POST" or kind != _FORM or not length.isdecimal():
        return None
    return int(length) if len(length) < 10 else None
