"""One worker process: the application of a soak. It says its port, and ends with standard input."""

import json
import os
import socket
import sys
import threading

import uvicorn
from chaos.worker import end_with_parent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from sessile import Cookie, Policy, Sessions
from sessile.service.sessions import context_of
from sessile.testing.world import SECRET
from sessile.web.asgi import SessionMiddleware
from soak.figures import absolute
from soak.visits import Wish

LEAK, FILES = "leak", "files"
"""What ``--break`` plants: every request's session is kept, or a file is left open now and then."""

EACH = 50
"""Requests for which one file is left open."""

PATIENCE = 600
"""Seconds for which a connection without a request is kept."""


def policy_for(seconds):
    """Return a policy by which sessions expire, and tickets turn, all through a run."""
    oldest = absolute(seconds)
    idle = oldest / 2
    return Policy(
        idle=idle, absolute=oldest, rotate=idle / 2, grace=idle / 10, stale=idle / 5,
        evidence=idle, clock_skew=0,
    )  # fmt: skip


class Application:
    """What the crowd asks.

    Args:
        sessions: of whom.
        broken: what is planted; "" for nothing.
    """

    def __init__(self, sessions, broken):
        self._near = context_of(sessions).near
        self._broken = broken
        self._kept, self._asked = [], 0
        routes = [
            Route("/", self.look),
            Route("/figures", self.figures),
            Route("/{wish}", self.act, methods=["POST"]),
        ]
        self.app = Starlette(routes=routes)
        self.app.add_middleware(SessionMiddleware, sessions=sessions)

    async def look(self, request: Request):
        """Read, as a page does that shows the number of things in a cart."""
        self._plant(request)
        return PlainTextResponse(str(len(request.session.get("items", ()))))

    async def act(self, request: Request):
        """Do what somebody wishes."""
        self._plant(request)
        session, user = request.session, request.query_params["user"]
        match request.path_params["wish"]:
            case Wish.PUT:
                session.setdefault("items", []).append("a thing in a cart")
                session["text"] = "x" * 200
            case Wish.COUNT:
                session.increment("count")
            case Wish.LOGIN:
                session.login(user)
            case Wish.ROTATE:
                session.rotate()
            case Wish.LOGOUT:
                session.logout()
        return PlainTextResponse("done")

    async def figures(self, _request: Request):
        """Tell what no other process can see."""
        near = self._near
        copies = {} if near is None else {"hits": near.hits, "misses": near.misses}
        return JSONResponse({"blocks": sys.getallocatedblocks(), **copies})

    def _plant(self, request):
        self._asked += 1
        if self._broken == LEAK:
            self._kept.append(request.session)
        elif self._broken == FILES and self._asked % EACH == 0:
            self._kept.append(os.open(os.devnull, os.O_RDONLY))


def main(words):
    """Serve until standard input ends.

    Args:
        words: ``url``, ``seconds`` and ``broken``, as JSON.
    """
    given = json.loads(words)
    sessions = Sessions(
        given["url"],
        secrets=[SECRET],
        cookie=Cookie(secure=False),
        policy=policy_for(given["seconds"]),
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = uvicorn.Config(
        Application(sessions, given["broken"]).app,
        log_level="critical",
        lifespan="off",
        timeout_keep_alive=PATIENCE,
    )
    threading.Thread(target=end_with_parent, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
