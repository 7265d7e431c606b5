"""The shop that ``rolling`` restarts: ``uvicorn --factory harness.rolling_shop:make_app``."""

import asyncio
import os
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from sessile import Sessions
from sessile.web.starlette import SessionMiddleware

SLOW = 0.2
"""Seconds that a slow page takes."""


async def login(request):
    request.session.login(request.query_params["user"])
    return _answer(request)


async def read(request):
    return _answer(request)


async def write(request):
    request.session.increment("n")
    if "slow" in request.query_params:
        await asyncio.sleep(SLOW)
    return _answer(request)


def _answer(request):
    session = request.session
    found = {"user": session.user, "n": session.get("n", 0)}
    return JSONResponse(found, headers={"x-server": os.environ["SESSILE_SERVER"]})


def make_app():
    """Build it over the store, and under the name, that the environment says."""
    sessions = Sessions()

    @asynccontextmanager
    async def lifespan(_):
        yield
        await sessions.close()

    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/login", login, methods=["POST"]),
            Route("/read", read),
            Route("/write", write, methods=["POST"]),
        ],
    )
    app.add_middleware(SessionMiddleware, sessions=sessions, readiness="/ready")
    return app
