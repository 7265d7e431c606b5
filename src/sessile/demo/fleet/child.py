"""What a server process runs: the shop, until its line to the parent ends. See ``process``."""

import asyncio
from pathlib import Path

import uvicorn

from sessile import Cookie, Sessions
from sessile.demo.application import application
from sessile.demo.fleet.line import Line
from sessile.demo.fleet.message import Ready
from sessile.demo.fleet.port import LOOPBACK, bound
from sessile.demo.fleet.task import Task
from sessile.demo.shop import Shop
from sessile.demo.users import Users


async def serve(task: Task) -> None:
    """Serve the shop until the parent is gone."""
    line = await Line.inherited()
    sessions = Sessions(cookie=Cookie(secure=False))  # the demo speaks plain http
    shop = Shop(task.name, sessions, Users(Path(task.users)), line.ask)
    server = uvicorn.Server(_config(shop))
    with bound(task.port) as listener:
        listener.listen(1024)
        hearing = asyncio.create_task(_stop_after(line, server))
        await line.ask(Ready())
        await server.serve([listener])
    hearing.cancel()
    await sessions.close()


async def _stop_after(line: Line, server: uvicorn.Server) -> None:
    await line.listen()
    server.should_exit = True


def _config(shop: Shop) -> uvicorn.Config:
    return uvicorn.Config(
        application(shop),
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        forwarded_allow_ips=LOOPBACK,  # the balancer, which says who the client is
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    asyncio.run(serve(Task.inherited()))
