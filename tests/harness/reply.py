"""An answer as a client sees it, over a socket or from an application in process."""

import json

import httpx


class Reply:
    """An answer.

    Attributes:
        status: its number.
        headers: its fields by name, whatever the case.
        body: its bytes.
        messages: what an ASGI application in process said.
    """

    def __init__(self, status, headers, body, messages=()):
        self.status = status
        self.headers = httpx.Headers(headers, encoding="latin-1")
        self.body = body
        self.messages = messages

    @property
    def fields(self):
        """The header fields as they were sent: in order, each name in its own spelling."""
        return [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers.raw
        ]

    def all(self, name):
        """Return every value under that header's name."""
        return self.headers.get_list(name)

    def one(self, name):
        """Return the only value under that name, or None."""
        assert len(self.all(name)) < 2, self.headers
        return next(iter(self.all(name)), None)

    @property
    def json(self):
        """What the handler returned; None where there is no answer of its own."""
        return json.loads(self.body) if self.status == 200 and self.body else None

    @property
    def set_cookie(self):
        return self.headers.get("set-cookie")

    @property
    def ticket(self):
        return self.headers.get("session-ticket")

    @property
    def cookie(self):
        """The cookie that it sets, as a client sends it back."""
        return "" if self.set_cookie is None else self.set_cookie.partition(";")[0]

    @property
    def deletes(self):
        return self.set_cookie is not None and "Max-Age=0" in self.set_cookie
