"""WebSockets in process: what one does to its session, and what it tells its client."""

import asyncio

from harness.applications import asgi_app
from harness.browsers import AsgiBrowser, request_scope
from harness.recording_store import take_commands
from sessile.web.asgi import SessionMiddleware


def stored(sessions, act, cookie=""):
    """Let an ordinary request act; return the cookie its browser holds then."""
    browser = AsgiBrowser(SessionMiddleware(asgi_app(act), sessions), cookie)
    browser.get()
    take_commands(sessions)
    return browser.cookie


def held(sessions, cookie):
    """Return what the session of that cookie holds."""
    found = {}
    stored(sessions, found.update, cookie)
    return found


def begin(session):
    session["cart"] = ["socks"]


def talk(act, sessions, cookie="", *, path="/", extensions=(), headers=None, **options):
    """Connect in process; return what ``act(session, send)`` and its server said to the client."""
    said, heard = [], []

    async def app(scope, receive, send):
        await receive()
        await act(scope["session"], send)

    async def receive():
        heard.append("connect")
        return {"type": heard[-1]}

    async def send(message):
        assert heard, "a client is answered after its request was taken"
        said.append(message)

    scope = request_scope(kind="websocket", cookies=[cookie] if cookie else [], headers=headers)
    scope["path"] = path
    scope["extensions"] = {name: {} for name in extensions}
    asyncio.run(SessionMiddleware(app, sessions, **options)(scope, receive, send))
    return said


async def accept(send):
    await send({"type": "websocket.accept"})


def cookies_set(message):
    return [value.decode() for name, value in message.get("headers", ()) if name == b"set-cookie"]
