"""The application of a server: it counts, in the session, how often its client came.

Its clock runs fast, for the clients hurry as well: the minute in which a session is counted as live
is ``trial.WINDOW`` pauses of them.
"""

import os
import time

from harness.balancers import SECRET
from sessile import Cookie, Sessions
from sessile.service.bounded_load import BOUND
from sessile.web.asgi import SessionMiddleware


def make_app():
    """Build the application over the store that the environment names."""
    name = os.environ["SESSILE_SERVER"]
    began, pace = float(os.environ["BENCH_BEGAN"]), float(os.environ["BENCH_PACE"])
    sessions = Sessions(
        os.environ["BENCH_URL"],
        secrets=[SECRET],
        cookie=Cookie(secure=False),
        load_bound=BOUND if os.environ["BENCH_IS_BOUNDED"] else None,
        clock=lambda: began + pace * (time.time() - began),
    )

    async def site(scope, _receive, send):
        status, body = 200, b""
        if scope["path"] == "/health":
            status = 404 if sessions.is_drained else 200
        else:
            session = scope["session"]
            if scope["path"] == "/login":
                session.login(scope["query_string"].decode())
            body = f"{session.user or ''} {session.increment('visits')}".encode()
        headers = [(b"content-length", b"%d" % len(body)), (b"x-server", name.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return SessionMiddleware(site, sessions, exclude=("/health",))
