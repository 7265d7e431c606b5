"""Read a posted form before the application does, and let it read it again.

Only where a carrier looks at bodies (``core.carrier.ForgeableBody``); ``web.asgi`` and ``web.wsgi``
ask here. What is no form, and what is beyond 64 KB, passes untouched.
"""

from collections import deque
from io import BytesIO
from typing import Final
from wsgiref.types import WSGIEnvironment

from sessile.web.requests import AsgiRequest, EnvironRequest
from sessile.web.scope import Message, Receive

LIMIT: Final = 65_536
"""Bytes of a form that are looked at."""

_FORM: Final = "application/x-www-form-urlencoded"


def _length(request: AsgiRequest | EnvironRequest) -> int | None:
    """Return how long a form says it is; None when it is no form or says nothing sound."""
    kind = request.header("content-type").partition(";")[0].strip().lower()
    length = request.header("content-length")
    if request.method != "POST" or kind != _FORM or not length.isdecimal():
        return None
    return int(length) if len(length) < 10 else None


async def read_ahead(request: AsgiRequest, receive: Receive) -> Receive:
    """Give the request its body, and return a ``receive`` that tells it all again."""
    length = _length(request)
    if length is None or length > LIMIT:
        return receive
    said: deque[Message] = deque()
    body = b""
    more = True
    while more and len(body) <= LIMIT:
        message = await receive()
        said.append(message)
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
    if len(body) == length:
        request.body = body

    async def again() -> Message:
        return said.popleft() if said else await receive()

    return again


def read_before(request: EnvironRequest, environ: WSGIEnvironment) -> None:
    """Give the request its body, and put what was read back into the environ."""
    length = _length(request)
    if length is None or length > LIMIT:
        return
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = BytesIO(body)
    if len(body) == length:
        request.body = body
