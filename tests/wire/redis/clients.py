"""Clients of a test's server, and what is asked through them."""

import time

from sessile.wire.commands.repeat import Repeat
from sessile.wire.redis.client import RedisClient
from sessile.wire.redis.endpoint import Endpoint

TIMEOUT = 10.0
NAME = "redis://test"


def client_of(server, **more):
    """Return a client of what listens on a server's port."""
    return RedisClient(Endpoint(NAME, **{"host": "127.0.0.1", "port": server.port, **more}))


async def ask(client, *words, repeat=Repeat.NEVER):
    """Ask, as a flow."""
    return await client.ask("test", *words, repeat=repeat)


async def echo(client, number):
    """Ask for a number."""
    return int(await client.ask("test", "ECHO", number, repeat=Repeat.HARMLESS))


async def close(client):
    """Close, as a flow."""
    await client.close()


def eventually(truth):
    """Return when something holds that another process brings about."""
    end = time.monotonic() + TIMEOUT
    while not truth():
        assert time.monotonic() < end
        time.sleep(0.005)
