"""Drive an application in process, so that nothing but it is measured."""

import asyncio
import io
import time


class Asgi:
    """Requests to an ASGI application on a loop of its own."""

    def __init__(self, app):
        self.app = app
        self.agent = "bench"
        self.loop = asyncio.new_event_loop()

    def be(self, agent):
        """Call itself that from now on."""
        self.agent = agent

    def get(self, page, cookie=""):
        """Make one request; return its Set-Cookie value without attributes."""
        return self.loop.run_until_complete(self._get(page, cookie))

    def cpu(self, page, cookie, number, at_once=1):
        """Return the CPU time of a request in microseconds."""
        return self.loop.run_until_complete(self._cpu(page, cookie, number, at_once))

    async def _cpu(self, page, cookie, number, at_once):
        app, sent, scope = self.app, [], _scope(page, cookie, self.agent)

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            pass

        began = time.process_time()
        if at_once == 1:
            for _ in range(number):
                await app(dict(scope), receive, send)
        else:
            for _ in range(number // at_once):
                await asyncio.gather(*(app(dict(scope), receive, send) for _ in range(at_once)))
        return (time.process_time() - began) / (number // at_once * at_once) * 1e6

    async def _get(self, page, cookie):
        messages = []

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            messages.append(message)

        await self.app(_scope(page, cookie, self.agent), receive, send)
        assert messages[0]["status"] == 200, (page, messages)
        found = [v.decode() for k, v in messages[0]["headers"] if k.lower() == b"set-cookie"]
        return found[0].partition(";")[0] if found else ""


class Wsgi:
    """Requests to a WSGI application."""

    def __init__(self, app):
        self.app = app

    def get(self, page, cookie=""):
        """Make one request; return its Set-Cookie value without attributes."""
        answers = []

        def start_response(status, headers, exc_info=None):
            answers.append((status, headers))

        _drain(self.app(_environ(page, cookie), start_response))
        assert answers[0][0].startswith("200"), (page, answers)
        found = [v for k, v in answers[-1][1] if k.lower() == "set-cookie"]
        return found[0].partition(";")[0] if found else ""

    def cpu(self, page, cookie, number, at_once=1):
        """Return the CPU time of a request in microseconds."""
        app, environ = self.app, _environ(page, cookie)

        def start_response(status, headers, exc_info=None):
            return lambda data: None

        began = time.process_time()
        for _ in range(number):
            _drain(app(dict(environ), start_response))
        return (time.process_time() - began) / number * 1e6


def _drain(chunks):
    for _ in chunks:
        pass
    if hasattr(chunks, "close"):
        chunks.close()


def _scope(page, cookie, agent):
    headers = [(b"host", b"bench"), (b"user-agent", agent.encode()), (b"accept", b"*/*")]
    if cookie:
        headers.append((b"cookie", cookie.encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": f"/{page}",
        "raw_path": f"/{page}".encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


def _environ(page, cookie):
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": f"/{page}",
        "QUERY_STRING": "",
        "SERVER_NAME": "bench",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "bench",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    return {**environ, "HTTP_COOKIE": cookie} if cookie else environ
