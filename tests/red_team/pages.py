"""A site whose handlers say the whole answer, and may go on after its headers have left."""

import json
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from harness.sites import Site, serve


@dataclass(frozen=True)
class Page:
    """An answer.

    Attributes:
        body: what JSON can say.
        status: its number.
        headers: its fields; the length comes by itself.
        late: called with the session once the headers have left.
    """

    body: object = None
    status: int = 200
    headers: tuple = ()
    late: object = None

    @property
    def text(self):
        """The body's bytes."""
        return json.dumps(self.body).encode()

    def fields(self):
        """Return the header fields; with its length the client would not wait for what is late."""
        open_ended = self.status == 304 or self.late is not None
        length = () if open_ended else (("Content-Length", str(len(self.text))),)
        return [*self.headers, *length]


class Pages(Site):
    """A site whose handlers take the session and the request's headers, and return a ``Page``."""

    async def asgi(self, scope, receive, send):
        said = {name.decode(): value.decode() for name, value in scope["headers"]}
        page = self.handlers[scope["path"]](scope["session"], {**said, "method": scope["method"]})
        headers = [(name.encode(), value.encode()) for name, value in page.fields()]
        await send({"type": "http.response.start", "status": page.status, "headers": headers})
        body = b"" if _bare(page, scope["method"]) else page.text
        await send({"type": "http.response.body", "body": body, "more_body": True})
        if page.late is not None:
            page.late(scope["session"])
        await send({"type": "http.response.body", "body": b""})

    def wsgi(self, environ, start_response):
        said = {k[5:].replace("_", "-").lower(): v for k, v in environ.items() if k[:5] == "HTTP_"}
        method, session = environ["REQUEST_METHOD"], environ["sessile.session"]
        page = self.handlers[environ["PATH_INFO"]](session, {**said, "method": method})
        start_response(f"{page.status} {HTTPStatus(page.status).phrase}", page.fields())
        body = [] if _bare(page, method) else [page.text]
        return body if page.late is None else _and_then(body, page.late, session)


def _bare(page, method):
    return method == "HEAD" or page.status == 304


def _and_then(body, late, session):
    yield from body
    late(session)


publishing = partial(serve, kind=Pages)
"""Serve pages; for attacks on what an answer's headers say, and on what follows."""
