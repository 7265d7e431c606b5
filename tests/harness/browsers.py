"""Clients of an application in process, one for each interface, asked in the same words."""

import asyncio
from io import BytesIO
from wsgiref.util import setup_testing_defaults

from harness.reply import Reply


def request_scope(
    path="/", *, cookies=(), root="", kind="http", method="GET", query="", headers=None
):
    """The scope of one request, with that many Cookie fields."""
    fields = [("host", "shop"), *(("cookie", v) for v in cookies), *(headers or {}).items()]
    return {
        "type": kind,
        "path": root + path,
        "root_path": root,
        "method": method,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields],
    }


class Browser:
    """A client that keeps the session cookie."""

    def __init__(self, app, cookie=""):
        self.app = app
        self.cookie = cookie

    def get(self, path="/", **request):
        """Ask once. A request is a method, query, headers, cookies and a body in pieces."""
        raise NotImplementedError

    def _cookies(self, given):
        """The Cookie fields of a request: those it was given, or the one that was kept."""
        if given is None:
            return [self.cookie] if self.cookie else []
        return given

    def _keep(self, reply):
        for line in reply.all("set-cookie"):
            self.cookie = "" if "Max-Age=0" in line else line.partition(";")[0]
        return reply


class AsgiBrowser(Browser):
    """A client of an ASGI application."""

    def get(self, path="/", **request):
        """Ask once, in an event loop of its own."""
        return asyncio.run(self.ask(path, **request))

    async def ask(self, path="/", *, cookies=None, body=(b"",), **scope):
        """Ask once; the body arrives in these pieces."""
        messages, left = [], list(body)

        async def receive():
            if not left:
                await asyncio.Event().wait()  # this client never leaves
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

        async def send(message):
            messages.append(message)

        await self.app(request_scope(path, cookies=self._cookies(cookies), **scope), receive, send)
        start, *rest = messages
        assert start["type"] == "http.response.start"
        whole = b"".join(message["body"] for message in rest)
        return self._keep(Reply(start["status"], start["headers"], whole, messages))


class WsgiBrowser(Browser):
    """A client of a WSGI application.

    Its server is PEP 3333's own example: headers leave with the first byte, or at the end.
    """

    def get(
        self,
        path="/",
        *,
        root="",
        method="GET",
        query="",
        headers=None,
        cookies=None,
        body=(b"",),
        **environ,
    ):
        """Ask once; ``environ`` is what a request cannot say and a server can."""
        fields = {"host": "shop", **(headers or {})}
        if cookies := self._cookies(cookies):
            fields["cookie"] = "; ".join(cookies)
        environ |= {"SCRIPT_NAME": root, "PATH_INFO": path, "QUERY_STRING": query}
        environ |= {"REQUEST_METHOD": method, "wsgi.input": BytesIO(b"".join(body))}
        environ |= {_variable(name): value for name, value in fields.items()}
        setup_testing_defaults(environ)
        return self._keep(_Exchange(self.app, environ).reply())


def _variable(header):
    """The name of a header in an environ."""
    name = header.upper().replace("-", "_")
    return name if name.startswith("CONTENT_") else f"HTTP_{name}"


class _Exchange:
    """One request and its answer, the way the server in PEP 3333 does it."""

    def __init__(self, app, environ):
        self.app, self.environ = app, environ
        self.set, self.sent, self.body = None, None, []

    def start_response(self, status, headers, exc_info=None):
        if exc_info:
            if self.sent:
                raise exc_info[1].with_traceback(exc_info[2])
        elif self.set:
            raise AssertionError("Headers already set!")
        self.set = (status, headers)
        return self.write

    def write(self, data):
        assert self.set, "write() before start_response()"
        self.sent = self.sent or (self.set[0], list(self.set[1]))
        self.body.append(data)

    def reply(self):
        chunks = self.app(self.environ, self.start_response)
        try:
            for data in chunks:
                assert type(data) is bytes
                if data:
                    self.write(data)
            if not self.sent:
                self.write(b"")
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        status, headers = self.sent
        return Reply(int(status.split()[0]), headers, b"".join(self.body))
