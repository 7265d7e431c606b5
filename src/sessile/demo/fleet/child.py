"""What a server process runs: the shop, until its channel to the parent ends. See ``process``."""

import asyncio
from typing import Final

import uvicorn

from sessile.demo.alarms import Alarms
from sessile.demo.application import application
from sessile.demo.authenticator import Authenticator
from sessile.demo.fleet.channel import ParentChannel
from sessile.demo.fleet.config import ServerConfig
from sessile.demo.fleet.message import NoteNear, Ready
from sessile.demo.fleet.port import bind
from sessile.demo.late import LateRequests
from sessile.demo.naive import NaiveSessions
from sessile.demo.near_figures import NearFigures
from sessile.demo.policies import all_sessions
from sessile.demo.results import Results
from sessile.demo.shop import Shop
from sessile.demo.stoppable_near import stoppable
from sessile.demo.switch import StoreSwitch
from sessile.demo.users import UserTable
from sessile.service.options import ring_of_settings
from sessile.service.sessions import DEFAULT_URL
from sessile.stores.near import NearStore, near_cache
from sessile.stores.open import open_store
from sessile.wire import system

_REPORTS: Final = 0.25
"""Seconds between two reports on the near cache."""
_LONGEST: Final = 1024
"""Bytes of a WebSocket's message; our page sends none."""


async def serve(config: ServerConfig) -> None:
    """Serve the shop until the parent is gone."""
    channel = await ParentChannel.from_stdin()
    shop = _shop(config, channel)
    server = uvicorn.Server(_config(shop))
    with bind(config.port) as listener:
        listener.listen(1024)
        hearing = asyncio.create_task(_stop_after(channel, server))
        await channel.ask(Ready())
        async with asyncio.TaskGroup() as tasks:
            reporting = tasks.create_task(_report(channel, shop.near))
            await server.serve([listener])
            reporting.cancel()
    hearing.cancel()
    for sessions in shop.policies.values():
        await sessions.close()  # and the store, which they share
    await shop.naive.close()


def _shop(config: ServerConfig, channel: ParentChannel) -> Shop:
    url = system.setting("SESSILE_URL") or DEFAULT_URL
    users, alarms = UserTable(config.database), Alarms(config.database)
    late, switch = LateRequests(config.database), StoreSwitch(config.switch, system.clock)
    opened = open_store(url)
    store = stoppable(opened, switch, on_nodes=config.has_nodes)
    return Shop(
        name=config.name,
        policies=all_sessions(
            store,
            [alarms.note_theft, late.note_dropped],
            config.name if ring_of_settings(None) else None,
        ),
        users=users,
        authenticator=Authenticator(users),
        alarms=alarms,
        late=late,
        results=Results(config.database, system.clock),
        switch=switch,
        near=near_cache(store),
        naive=NaiveSessions.beside(opened, url, config.naive),
        parent=channel.ask,
    )


async def _report(channel: ParentChannel, near: NearStore | None) -> None:
    """Tell the parent now and then how the near cache does, for the pages of all servers."""
    while near is not None:
        await channel.ask(NoteNear(NearFigures.of(near)))
        await asyncio.sleep(_REPORTS)


async def _stop_after(channel: ParentChannel, server: uvicorn.Server) -> None:
    await channel.listen()
    server.should_exit = True


def _config(shop: Shop) -> uvicorn.Config:
    return uvicorn.Config(
        application(shop),
        http="h11",
        ws="auto",
        ws_max_size=_LONGEST,
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the sessions know the proxy, and ask it who the client is
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    asyncio.run(serve(ServerConfig.from_environ()))
