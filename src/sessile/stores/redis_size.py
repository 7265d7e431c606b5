"""How large the sessions of a Redis server are: for ``stores.redis`` and each node of a cluster.

The server knows how many keys its database has, and not which are ours. It lists them in the order
of their hashes, so the first ones are a fair sample of all: what is ours among them tells how many
are ours altogether. Of a few keys the sample is all of them, and the number is exact. An estimate
has what is over and was not yet removed in it: up to a tenth, which a list passes over.
"""

from collections.abc import Callable, Iterable
from typing import Final

from sessile.core.flow import Flow
from sessile.stores.contract import Key
from sessile.stores.redis_server import info
from sessile.stores.size import Extent, StoreSize
from sessile.wire.commands.repeat import Repeat
from sessile.wire.redis.client import RedisClient

START: Final = "0"
"""The server's cursor before the first page, and after the last."""

PAGE: Final = 1000
"""Keys that one step of a count looks at."""

SAMPLE: Final = 10_000
"""Keys of one server that ``size`` looks at; of more it estimates how many are sessions."""


async def count_keys(page: Callable[[str, int], Flow[tuple[str, list[Key]]]]) -> int:
    """Return how many sessions all pages of a server have together.

    Args:
        page: from where, and about how many; returns where to go on, and the keys.
    """
    number, cursor = 0, START
    while True:
        cursor, keys = await page(cursor, PAGE)
        number += len(keys)
        if cursor == START:
            return number


async def measure_server(
    client: RedisClient, keys_of: Callable[[Iterable[bytes]], list[Key]]
) -> StoreSize:
    """Return the size of one server.

    Args:
        client: of the server.
        keys_of: those of our sessions among some names.
    """
    looked, ours, cursor, is_estimate = 0, 0, START, False
    while not is_estimate:
        words = ("SCAN", cursor, "COUNT", PAGE)
        following, names = await client.ask("redis SCAN", *words, repeat=Repeat.HARMLESS)
        cursor = following.decode()
        looked, ours = looked + len(names), ours + len(keys_of(names))
        if cursor == START:
            break
        is_estimate = looked >= SAMPLE
    if is_estimate:
        all_keys = await client.ask("redis DBSIZE", "DBSIZE", repeat=Repeat.HARMLESS)
        ours = round(all_keys * ours / looked)
    memory = await info(client, "memory")
    used = None if memory is None else int(memory["used_memory"])
    return StoreSize(ours, used, bytes_of=Extent.SERVER, is_estimate=is_estimate)


def add_up(sizes: Iterable[StoreSize]) -> StoreSize:
    """Return the size of all servers together."""
    every = list(sizes)
    used = [one.bytes for one in every if one.bytes is not None]
    return StoreSize(
        sum(one.records for one in every),
        sum(used) if len(used) == len(every) else None,
        bytes_of=Extent.SERVER,
        is_estimate=any(one.is_estimate for one in every),
    )
