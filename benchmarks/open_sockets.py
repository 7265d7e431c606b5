"""The site that ``sockets`` measures: each WebSocket logs somebody in, and then is silent."""

import os
from itertools import count

from sessile import Cookie, Sessions
from sessile.web.asgi import SessionMiddleware

SECRET = "oT6_vWq9mZ2x-Lk4Rb8sYc1Nf7Hd3Jg5Pa0Ue"


def make_app():
    """Build the site over the store that the environment names."""
    sessions = Sessions(os.environ["BENCH_URL"], secrets=[SECRET], cookie=Cookie(secure=False))
    numbers = count()

    async def site(scope, receive, send):
        if scope["type"] == "http":
            await sessions.end_everybody()
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
            return
        await receive()
        scope["session"].login(f"user {next(numbers)}")
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    code = os.environ["BENCH_ENDED_CODE"]
    return SessionMiddleware(site, sessions, ended_code=int(code) if code else None)
