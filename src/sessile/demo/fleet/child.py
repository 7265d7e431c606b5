"""What a server process runs: the shop, until its line to the parent ends. See ``process``."""

import asyncio
from pathlib import Path

import uvicorn

from sessile.demo.alarms import Alarms
from sessile.demo.application import application
from sessile.demo.authenticator import Authenticator
from sessile.demo.choice import all_sessions
from sessile.demo.fleet.line import Line
from sessile.demo.fleet.message import Ready
from sessile.demo.fleet.port import bound
from sessile.demo.fleet.task import Task
from sessile.demo.shop import Shop
from sessile.demo.users import Users


async def serve(task: Task) -> None:
    """Serve the shop until the parent is gone."""
    line = await Line.inherited()
    users, alarms = Users(Path(task.users)), Alarms(Path(task.users))
    policies = all_sessions(alarms.hear)
    shop = Shop(task.name, policies, users, Authenticator(users), alarms, line.ask)
    server = uvicorn.Server(_config(shop))
    with bound(task.port) as listener:
        listener.listen(1024)
        hearing = asyncio.create_task(_stop_after(line, server))
        await line.ask(Ready())
        await server.serve([listener])
    hearing.cancel()
    await shop.sessions.close()  # the store, which the others share


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
        proxy_headers=False,  # the sessions know the proxy, and ask it who the client is
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    asyncio.run(serve(Task.inherited()))
