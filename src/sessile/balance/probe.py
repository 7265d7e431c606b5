"""Ask servers how they are, again and again. ``health`` decides what the answers mean."""

import asyncio

import h11

from sessile.balance.fault import PeerFailed, Unreachable
from sessile.balance.fleet import Fleet
from sessile.balance.health import Check, Seen
from sessile.balance.pool import Pool
from sessile.balance.refusal import Refused
from sessile.balance.server import Server


async def watch(fleet: Fleet, server: Server, pool: Pool) -> None:
    """Observe one server for as long as the balancer runs."""
    while True:
        if seen := await probe(server, fleet.check, pool):
            fleet.observe(server.name, seen)
        await asyncio.sleep(fleet.check.interval)


async def probe(server: Server, check: Check, pool: Pool) -> Seen | None:
    """Return what one check sees; None if it could not look.

    It has a connection of its own: a spare one would not prove that the server still accepts.
    """
    try:
        async with asyncio.timeout(check.timeout):
            status = await _ask(server, check.path, pool)
    except (TimeoutError, PeerFailed, Unreachable):
        return Seen.ILL
    except Refused:
        return None
    return Seen.WELL if status < 500 else Seen.ILL


async def _ask(server: Server, path: str, pool: Pool) -> int:
    peer = await pool.dial(server)
    try:
        await peer.send(_question(server, path), h11.EndOfMessage())
        while True:
            for event in await peer.receive():
                if isinstance(event, h11.Response):
                    return event.status_code
    finally:
        peer.abort()


def _question(server: Server, path: str) -> h11.Request:
    headers = [
        ("Host", server.authority),
        ("User-Agent", "sessile-balance"),
        ("Connection", "close"),
    ]
    return h11.Request(method="GET", target=path, headers=headers)
