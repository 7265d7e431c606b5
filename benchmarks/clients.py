"""Clients that call an application in process, so that nothing but it is measured."""

import asyncio
import io
import time


class AsgiClient:
    """Requests to an ASGI application, on an event loop of its own."""

    def __init__(self, app):
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._user_agent = "bench"

    def set_user_agent(self, user_agent):
        """Send another User-Agent from now on."""
        self._user_agent = user_agent

    def get(self, page, cookie=""):
        """Make one request; give its Set-Cookie value without attributes."""
        return self._loop.run_until_complete(self._get(page, cookie))

    def cpu(self, page, cookie, number, concurrency=1):
        """Measure the CPU time of a request in microseconds, the mean of so many."""
        return self._loop.run_until_complete(self._cpu(page, cookie, number, concurrency))

    async def _cpu(self, page, cookie, number, concurrency):
        app, scope = self._app, _scope(page, cookie, self._user_agent)

        async def send(message):
            pass

        began = time.process_time()
        if concurrency == 1:
            for _ in range(number):
                await app(dict(scope), _receive, send)
        else:
            for _ in range(number // concurrency):
                calls = (app(dict(scope), _receive, send) for _ in range(concurrency))
                await asyncio.gather(*calls)
        done = number // concurrency * concurrency
        return (time.process_time() - began) / done * 1e6

    async def _get(self, page, cookie):
        messages = []

        async def send(message):
            messages.append(message)

        await self._app(_scope(page, cookie, self._user_agent), _receive, send)
        assert messages[0]["status"] == 200, (page, messages)
        headers = messages[0]["headers"]
        cookies = [value.decode() for name, value in headers if name.lower() == b"set-cookie"]
        return "; ".join(value.partition(";")[0] for value in cookies)


class WsgiClient:
    """Requests to a WSGI application."""

    def __init__(self, app):
        self._app = app

    def get(self, page, cookie=""):
        """Make one request; give its Set-Cookie value without attributes."""
        responses = []

        def start_response(status, headers, exc_info=None):
            responses.append((status, headers))

        _exhaust(self._app(_environ(page, cookie), start_response))
        assert responses[0][0].startswith("200"), (page, responses)
        cookies = [value for name, value in responses[-1][1] if name.lower() == "set-cookie"]
        return cookies[0].partition(";")[0] if cookies else ""

    def cpu(self, page, cookie, number, concurrency=1):
        """Measure the CPU time of a request in microseconds, the mean of so many."""
        app, environ = self._app, _environ(page, cookie)

        def start_response(status, headers, exc_info=None):
            return lambda data: None

        began = time.process_time()
        for _ in range(number):
            _exhaust(app(dict(environ), start_response))
        return (time.process_time() - began) / number * 1e6


async def _receive():
    return {"type": "http.request", "body": b"", "more_body": False}


def _exhaust(chunks):
    for _ in chunks:
        pass
    if hasattr(chunks, "close"):
        chunks.close()


def _scope(page, cookie, user_agent):
    headers = [(b"host", b"bench"), (b"user-agent", user_agent.encode()), (b"accept", b"*/*")]
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
