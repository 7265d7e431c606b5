"""What a server process runs: the shop, until its channel to the parent ends. See ``process``."""

import asyncio
from pathlib import Path

import uvicorn

from sessile.demo.alarms import Alarms
from sessile.demo.application import application
from sessile.demo.authenticator import Authenticator
from sessile.demo.fleet.channel import ParentChannel
from sessile.demo.fleet.config import ServerConfig
from sessile.demo.fleet.message import Ready
from sessile.demo.fleet.port import bind
from sessile.demo.policies import all_sessions
from sessile.demo.shop import Shop
from sessile.demo.users import UserTable


async def serve(config: ServerConfig) -> None:
    """Serve the shop until the parent is gone."""
    channel = await ParentChannel.from_stdin()
    users, alarms = UserTable(Path(config.users)), Alarms(Path(config.users))
    policies = all_sessions(alarms.note_theft)
    shop = Shop(config.name, policies, users, Authenticator(users), alarms, channel.ask)
    server = uvicorn.Server(_config(shop))
    with bind(config.port) as listener:
        listener.listen(1024)
        hearing = asyncio.create_task(_stop_after(channel, server))
        await channel.ask(Ready())
        await server.serve([listener])
    hearing.cancel()
    await shop.sessions.close()  # the store, which the others share


async def _stop_after(channel: ParentChannel, server: uvicorn.Server) -> None:
    await channel.listen()
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
    asyncio.run(serve(ServerConfig.from_environ()))
