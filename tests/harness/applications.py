"""Small applications of either interface, whose handlers take the session. ``web`` asks them."""

from wsgiref.validate import validator

from harness.browsers import WsgiBrowser
from harness.recording_store import take_commands
from sessile.web.wsgi import KEY, SessionMiddleware

PLAIN = [("Content-Type", "text/plain")]


def asgi_app(act, *, headers=(), body=b"done"):
    """An ASGI application that lets ``act`` handle the session, and then answers."""

    async def app(scope, receive, send):
        act(scope["session"])
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})

    return app


def wsgi_app(handle, *, status="200 OK", headers=PLAIN):
    """A WSGI application whose handler gets the session and may return its body."""

    def app(environ, start_response):
        body = handle(environ[KEY])
        start_response(status, list(headers))
        return [body or b"done"]

    return app


def wsgi_stream(*steps):
    """A WSGI application that does each step to the session and yields what it returned."""

    def app(environ, start_response):
        start_response("200 OK", list(PLAIN))
        return (step(environ[KEY]) for step in steps)

    return app


def validate(app, sessions, **options):
    """The WSGI middleware with a validator on either side of it."""
    return validator(SessionMiddleware(validator(app), sessions, **options))


def touch(session):
    """Look at the session."""
    return str(session.get("n")).encode()


def count(session):
    """Change the session."""
    return str(session.increment("n")).encode()


def counting_cookie(sessions):
    """A cookie whose session holds n = 1, and a store that forgot how it came about."""
    browser = WsgiBrowser(SessionMiddleware(wsgi_app(count), sessions))
    browser.get()
    take_commands(sessions)
    return browser.cookie


def count_of(sessions, cookie):
    """What n is in that cookie's session."""
    browser = WsgiBrowser(SessionMiddleware(wsgi_app(touch), sessions), cookie)
    return browser.get().body.decode()
