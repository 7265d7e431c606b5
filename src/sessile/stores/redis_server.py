"""What a Redis server says of itself. Managed ones let nobody ask for some of it: None."""

from typing import Any, TypeAlias

from sessile.errors import StoreUnavailable
from sessile.wire.commands.repeat import Repeat
from sessile.wire.redis.client import RedisClient

Info: TypeAlias = dict[str, str]
"""A section of INFO, name by name."""


async def info(client: RedisClient, section: str) -> Info | None:
    """Return a section of INFO."""
    text = await reply_to(client, "INFO", section)
    if text is None:
        return None
    lines = (line.partition(":") for line in text.decode("utf-8", "replace").splitlines())
    return {name: value for name, colon, value in lines if colon}


async def setting(client: RedisClient, name: str) -> str | None:
    """Return a setting of the server."""
    reply = await reply_to(client, "CONFIG", "GET", name)
    return reply[1].decode("utf-8", "replace") if reply else None


async def reply_to(client: RedisClient, *words: str | int) -> Any:
    """Return the reply to a command that a server may refuse to this user, or not know."""
    try:
        return await client.ask(f"redis {words[0]}", *words, repeat=Repeat.HARMLESS)
    except StoreUnavailable:
        return None


async def refuse_cluster(client: RedisClient, key: str) -> None:
    """Do nothing unless the server is a node of a cluster, and has a part of such keys.

    Raises:
        StoreUnavailable: it is: it refuses keys of more slots than one.
    """
    names = (f"{key}{number}" for number in range(3))
    await client.ask("redis EXISTS", "EXISTS", *names, repeat=Repeat.HARMLESS)
