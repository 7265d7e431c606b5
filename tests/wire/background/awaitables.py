"""Both makes of event loop, and what a task may wait for."""

import asyncio

import uvloop

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def never(error):
    """Be told of no failure."""
    raise AssertionError(f"reported {error!r}")


async def forever():
    """Wait for what never comes."""
    await asyncio.get_running_loop().create_future()
