"""Small ASGI applications behind the middleware, and browsers before them."""

from serving import Browser, application, asked, fresh_sessions

from sessile.web.asgi import SessionMiddleware


def cart(session):
    session.setdefault("cart", []).append("socks")


def shop(act, sessions=None, *, cookie=b"", **options):
    """A browser before an application whose every request does that to its session."""
    app = SessionMiddleware(application(act), sessions or fresh_sessions(), **options)
    return Browser(app, cookie)


def bare(act, sessions=None, *, cookie=b"", **options):
    """A browser before an application of which ``act(scope, send)`` is all."""

    async def app(scope, receive, send):
        await act(scope, send)

    return Browser(SessionMiddleware(app, sessions or fresh_sessions(), **options), cookie)


def customer(sessions, act=cart):
    """The cookie of a browser that has been there before."""
    browser = shop(act, sessions)
    browser.get()
    asked(sessions)
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
