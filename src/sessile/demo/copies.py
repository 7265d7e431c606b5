"""Have every server take a copy of a visitor's session, before the store is stopped.

Without it that would be so after some clicks, and until then a visitor who reads on is told 503 by
the servers that have none.
"""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from http.client import HTTPException
from typing import Final

from sessile.core.flow import arun
from sessile.core.ticket import Key
from sessile.core.value import Seconds
from sessile.demo.shop_client import ShopClient
from sessile.stores.contract import Record
from sessile.stores.near import NearStore
from sessile.wire import system
from sessile.wire.feed.follower import MOST_LATE, Follower

_ROUNDS: Final = 3
"""How often each server may be asked: others are asking as well, and take turns with us."""
_PATIENCE: Final[Seconds] = 5.0
_PAUSE: Final[Seconds] = 0.02


def copy_everywhere(client: ShopClient, servers: Collection[str]) -> None:
    """Ask until each of the servers has a copy of one version, or enough was asked; it blocks.

    A server that is asked may change the session: it notes that the client has shown its ticket.

    Args:
        client: with the visitor's cookies.
        servers: the names of those that are up.
    """
    versions: dict[str, int] = {}
    for _ in range(_ROUNDS * len(servers)):
        if versions.keys() >= set(servers) and len(set(versions.values())) == 1:
            return
        with suppress(OSError, HTTPException, KeyError):  # a server that dies has no copy either
            told = client.ask("POST", "/copy").body
            versions[told["server"]] = told["version"]


async def take_copy(near: NearStore, key: Key) -> int:
    """Have this server take a copy of a session; return its version, and 0 where there is none."""
    with suppress(TimeoutError):  # the feed is silent
        async with asyncio.timeout(_PATIENCE):
            await _hear_feed(near.follower)  # else what it tells later would drop the copy
            found = await arun(near.read(key))
            return found.version if isinstance(found, Record) else 0
    return 0


async def outlast_copies(near: NearStore | None) -> None:
    """Wait until no server is served from a copy of what has ended: a heartbeat may be so late."""
    if near is not None:
        await asyncio.sleep(MOST_LATE)


async def _hear_feed(follower: Follower) -> None:
    """Wait until the feed has told of every change until now.

    A feed that was just connected vouches at once, and its first look names what is wanted.
    """
    epoch, now = follower.epoch, system.timer()
    while epoch.as_of < now:
        await asyncio.sleep(_PAUSE)
        if epoch is not follower.epoch:
            epoch, now = follower.epoch, system.timer()
