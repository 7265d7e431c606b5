"""Links to a test's server, and what is asked through them."""

import time

from sessile.wire.redis.client import Link
from sessile.wire.redis.endpoint import Endpoint

PATIENCE = 10.0
NAME = "redis://test"


def link_to(server, **more):
    """Return a link to what listens on a server's port."""
    return Link(Endpoint(NAME, **{"host": "127.0.0.1", "port": server.port, **more}))


async def ask(link, *words, again=False):
    """Ask, as a flow."""
    return await link.ask("test", *words, again=again)


async def echo(link, number):
    """Ask for a number."""
    return int(await link.ask("test", "ECHO", number, again=True))


async def close(link):
    """Close, as a flow."""
    await link.close()


def eventually(truth):
    """Return when something holds that another process brings about."""
    end = time.monotonic() + PATIENCE
    while not truth():
        assert time.monotonic() < end
        time.sleep(0.005)
