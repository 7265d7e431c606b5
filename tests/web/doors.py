"""One application behind either middleware, asked in the same words."""

import asyncio

import serving
import wsgi_serving

from sessile.web import asgi, wsgi


class AsgiDoor:
    """An ASGI application whose every request does that to its session, and tells its body."""

    def __init__(self, act, sessions, **options):
        async def app(scope, receive, send):
            body, more = b"", True
            while more:
                message = await receive()
                body, more = body + message["body"], message["more_body"]
            said = act(scope["session"])
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": said or body})

        self.browser = serving.Browser(asgi.SessionMiddleware(app, sessions, **options))

    def ask(self, path="/", *, method="GET", cookie="", headers=None, query="", body=b""):
        """Ask once; a body comes in two pieces."""
        half = len(body) // 2
        scope = {"method": method, "headers": headers, "query": query}
        scope["cookies"] = [cookie.encode()] if cookie else []
        return asyncio.run(self.browser.ask(path, body=(body[:half], body[half:]), **scope))


class WsgiDoor:
    """The same as a WSGI application."""

    def __init__(self, act, sessions, **options):
        def app(environ, start_response):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            said = act(environ[wsgi.KEY])
            start_response("200 OK", [])
            return [said or body]

        self.browser = wsgi_serving.Browser(wsgi.SessionMiddleware(app, sessions, **options))

    def ask(self, path="/", *, method="GET", cookie="", headers=None, query="", body=b""):
        """Ask once."""
        environ = {"QUERY_STRING": query, "HTTP_HOST": "shop"}
        for name, value in (headers or {}).items():
            key = name.upper().replace("-", "_")
            environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value
        self.browser.cookie = cookie
        return self.browser.get(path, method=method, body=body, **environ)
