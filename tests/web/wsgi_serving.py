"""What the WSGI tests stand on: a server in process that keeps to PEP 3333, and a real one.

The watched store and its sessions are those of ``serving``.
"""

import threading
from contextlib import contextmanager
from io import BytesIO
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from serving import asked
from werkzeug.serving import WSGIRequestHandler, make_server

from sessile.web.wsgi import KEY, SessionMiddleware


class Reply:
    """An answer as the client sees it."""

    def __init__(self, status, headers, body):
        self.status = int(status.split()[0])
        self.headers = headers
        self.body = body

    def all(self, name):
        """Return every value under that header's name."""
        return [value for key, value in self.headers if key.lower() == name]

    def one(self, name):
        """Return the only value under that name, or None."""
        assert len(self.all(name)) < 2, self.headers
        return next(iter(self.all(name)), None)


class Browser:
    """A client of an application in process, who keeps the session cookie.

    Its server is PEP 3333's own example: headers leave with the first byte, or at the end.
    """

    def __init__(self, app):
        self.app = app
        self.cookie = ""

    def get(self, path="/", *, method="GET", body=b"", **extra):
        """Ask once."""
        environ = {"SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": ""}
        environ |= {"REQUEST_METHOD": method, **extra}
        environ["wsgi.input"] = BytesIO(body)
        if self.cookie:
            environ["HTTP_COOKIE"] = self.cookie
        setup_testing_defaults(environ)
        reply = Exchange(self.app, environ).reply()
        for line in reply.all("set-cookie"):
            self.cookie = "" if "Max-Age=0" in line else line.partition(";")[0]
        return reply


class Exchange:
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
        return Reply(*self.sent, b"".join(self.body))


class _Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


@contextmanager
def serving(app):
    """Serve an application over HTTP, a thread for each request; give its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    server.daemon_threads = False  # so that closing waits for every request
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


PLAIN = [("Content-Type", "text/plain")]


def conforming(app, sessions, **options):
    """The middleware with a validator on either side of it."""
    return validator(SessionMiddleware(validator(app), sessions, **options))


def answering(handle, *, status="200 OK", headers=PLAIN):
    """An application whose handler gets the session and may return its body."""

    def app(environ, start_response):
        body = handle(environ[KEY])
        start_response(status, list(headers))
        return [body or b"done"]

    return app


def streaming(*steps):
    """An application that does each step to the session and yields what it returned."""

    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))
        return (step(environ[KEY]) for step in steps)

    return app


def touch(session):
    """Look at the session."""
    return str(session.get("n")).encode()


def count(session):
    """Change the session."""
    return str(session.increment("n")).encode()


def counted(sessions):
    """A cookie whose session holds n = 1, and a store that forgot how it came about."""
    browser = Browser(SessionMiddleware(answering(count), sessions))
    browser.get()
    asked(sessions)
    return browser.cookie


def stored(sessions, cookie):
    """What n is in that cookie's session."""
    browser = Browser(SessionMiddleware(answering(touch), sessions))
    browser.cookie = cookie
    return browser.get().body.decode()
