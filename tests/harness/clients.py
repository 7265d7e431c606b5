"""One application behind either middleware, asked in the same words. A client keeps no cookie."""

import flask

from harness.browsers import AsgiBrowser, WsgiBrowser
from sessile.web import asgi, wsgi
from sessile.web.flask import Sessile


class Client:
    """A client of an application whose every request does one thing to its session.

    Args:
        act: takes the session, and may return the answer's body; otherwise that is the request's.
        sessions: where the session comes from.
        options: those of ``SessionMiddleware``.
    """

    def __init__(self, act, sessions, **options):
        self.browser = self.browse(act, sessions, options)

    def browse(self, act, sessions, options):
        """Give a browser before the application."""
        raise NotImplementedError

    def ask(self, path="/", *, cookie="", body=b"", **request):
        """Ask once; a body comes in two pieces."""
        half = len(body) // 2
        cookies = [cookie] if cookie else []
        return self.browser.get(path, cookies=cookies, body=(body[:half], body[half:]), **request)


class AsgiClient(Client):
    """A client of an ASGI application."""

    def browse(self, act, sessions, options):
        async def app(scope, receive, send):
            body, more = b"", True
            while more:
                message = await receive()
                body, more = body + message["body"], message["more_body"]
            said = act(scope["session"])
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": said or body})

        return AsgiBrowser(asgi.SessionMiddleware(app, sessions, **options))


class WsgiClient(Client):
    """A client of a WSGI application."""

    def browse(self, act, sessions, options):
        def app(environ, start_response):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            said = act(environ[wsgi.KEY])
            start_response("200 OK", [])
            return [said or body]

        return WsgiBrowser(wsgi.SessionMiddleware(app, sessions, **options))


class FlaskClient(Client):
    """A client of a Flask application."""

    def browse(self, act, sessions, options):
        app = flask.Flask("flask shop")
        Sessile(app, sessions, **options)
        app.add_url_rule("/", "root", lambda: act(flask.session))
        app.add_url_rule("/<path:_>", "view", lambda _: act(flask.session))
        return WsgiBrowser(app)
