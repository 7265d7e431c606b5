"""A session with a user and a cart, and the ways in which somebody else ends it."""

import asyncio

from web.asgi_chat import stored


def begins(session):
    session["cart"] = ["socks"]
    session.login("alice")


async def everywhere(sessions, act, cookie):
    """Let a request act, at another server say."""
    await asyncio.to_thread(stored, sessions, act, cookie)


ENDS = {
    "logout": lambda sessions, cookie: everywhere(sessions, lambda s: s.logout(), cookie),
    "login": lambda sessions, cookie: everywhere(sessions, lambda s: s.login("bob"), cookie),
    "end": lambda sessions, cookie: sessions.end(cookie[4:24]),
    "end_all": lambda sessions, cookie: sessions.end_all("alice"),
    "end_everybody": lambda sessions, cookie: sessions.end_everybody(),
}
