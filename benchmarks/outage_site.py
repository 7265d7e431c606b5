"""The site that ``outage`` measures: it logs in, reads and writes, and reads on in an outage."""

import os

from benchmarks.open_sockets import SECRET
from sessile import Cookie, Outage, Policy, Sessions
from sessile.web.asgi import SessionMiddleware


def make_app():
    """Build the site over the store that the environment names."""
    seconds = float(os.environ["BENCH_OUTAGE_READS"])
    policy = Policy(outage=Outage.READ, outage_reads=seconds)
    cookie = Cookie(secure=False)
    sessions = Sessions(os.environ["BENCH_URL"], secrets=[SECRET], policy=policy, cookie=cookie)

    async def site(scope, _receive, send):
        session = scope["session"]
        if scope["path"] == "/login":
            session.login("somebody")
            session["cart"] = ["hat"]
        if scope["path"] == "/write":
            session.increment("n")
        status = 200 if session.user else 401
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body"})

    return SessionMiddleware(site, sessions)
