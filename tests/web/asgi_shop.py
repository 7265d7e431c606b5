"""Small ASGI applications behind the middleware, and browsers before them."""

from harness.applications import asgi_app
from harness.browsers import AsgiBrowser
from harness.recording_store import fresh_sessions, take_commands
from sessile.web.asgi import SessionMiddleware


def cart(session):
    session.setdefault("cart", []).append("socks")


def shop(act, sessions=None, *, cookie="", **options):
    """A browser before an application whose every request does that to its session."""
    app = SessionMiddleware(asgi_app(act), sessions or fresh_sessions(), **options)
    return AsgiBrowser(app, cookie)


def bare(act, sessions=None, *, cookie="", **options):
    """A browser before an application of which ``act(scope, send)`` is all."""

    async def app(scope, receive, send):
        await act(scope, send)

    return AsgiBrowser(SessionMiddleware(app, sessions or fresh_sessions(), **options), cookie)


def customer(sessions, act=cart):
    """The cookie of a browser that has been there before."""
    browser = shop(act, sessions)
    browser.get()
    take_commands(sessions)
    return browser.cookie


def ignore(session):
    pass


async def start(send, status=200):
    await send({"type": "http.response.start", "status": status, "headers": []})


async def end(send, body=b"done"):
    await send({"type": "http.response.body", "body": body})


def outage(reply):
    """Tell whether an answer is the honest one."""
    named = [reply.one(name) for name in ("retry-after", "cache-control", "set-cookie")]
    return (reply.status, named) == (503, ["1", "no-store", None])
