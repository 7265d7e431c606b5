"""What a server process runs: the shop, until its channel to the parent ends. See ``process``."""

import asyncio

import uvicorn

from sessile.demo.alarms import Alarms
from sessile.demo.application import application
from sessile.demo.authenticator import Authenticator
from sessile.demo.fleet.channel import ParentChannel
from sessile.demo.fleet.config import ServerConfig
from sessile.demo.fleet.message import Ready
from sessile.demo.fleet.port import bind
from sessile.demo.late import LateRequests
from sessile.demo.naive import NaiveSessions
from sessile.demo.policies import all_sessions
from sessile.demo.results import Results
from sessile.demo.shop import Shop
from sessile.demo.stoppable_store import StoppableStore
from sessile.demo.switch import StoreSwitch
from sessile.demo.users import UserTable
from sessile.service.sessions import DEFAULT_URL
from sessile.stores.open import open_store
from sessile.wire import system


async def serve(config: ServerConfig) -> None:
    """Serve the shop until the parent is gone."""
    channel = await ParentChannel.from_stdin()
    shop = _shop(config, channel)
    server = uvicorn.Server(_config(shop))
    with bind(config.port) as listener:
        listener.listen(1024)
        hearing = asyncio.create_task(_stop_after(channel, server))
        await channel.ask(Ready())
        await server.serve([listener])
    hearing.cancel()
    await shop.sessions.close()  # the store, which the others share
    await shop.naive.close()


def _shop(config: ServerConfig, channel: ParentChannel) -> Shop:
    url = system.setting("SESSILE_URL") or DEFAULT_URL
    users, alarms = UserTable(config.database), Alarms(config.database)
    late, switch = LateRequests(config.database), StoreSwitch(config.switch, system.clock)
    store = open_store(url)
    return Shop(
        name=config.name,
        policies=all_sessions(
            StoppableStore(store, switch), [alarms.note_theft, late.note_dropped]
        ),
        users=users,
        authenticator=Authenticator(users),
        alarms=alarms,
        late=late,
        results=Results(config.database, system.clock),
        switch=switch,
        naive=NaiveSessions.beside(store, url, config.naive),
        parent=channel.ask,
    )


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
