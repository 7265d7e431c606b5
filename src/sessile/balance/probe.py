"""Health checks: ask every server, again and again. ``health`` judges the answers."""

import asyncio

import h11

from sessile.balance.error_response import GatewayError
from sessile.balance.fault import PeerFailed, Unreachable
from sessile.balance.group import ServerGroup
from sessile.balance.health import HealthCheck, Observation
from sessile.balance.pool import Pool
from sessile.balance.server import BackendServer


async def watch(group: ServerGroup, server: BackendServer, pool: Pool) -> None:
    """Observe one server for as long as the balancer runs."""
    while True:
        if observation := await probe(server, group.check, pool):
            group.observe(server.name, observation)
        await asyncio.sleep(group.check.interval)


async def probe(server: BackendServer, check: HealthCheck, pool: Pool) -> Observation | None:
    """Return the observation of one check; None if the balancer could not connect.

    It has a connection of its own: a spare one would not prove that the server still accepts.
    """
    try:
        async with asyncio.timeout(check.timeout):
            status = await _ask(server, check.path, pool)
    except (TimeoutError, PeerFailed, Unreachable):
        return Observation.ILL
    except GatewayError:
        return None
    return Observation.WELL if status < 500 else Observation.ILL


async def _ask(server: BackendServer, path: str, pool: Pool) -> int:
    peer = await pool.connect(server)
    try:
        await peer.send(_request(server, path), h11.EndOfMessage())
        while True:
            for event in await peer.receive():
                if isinstance(event, h11.Response):
                    return event.status_code
    finally:
        peer.abort()


def _request(server: BackendServer, path: str) -> h11.Request:
    headers = [
        ("Host", server.authority),
        ("User-Agent", "sessile-balance"),
        ("Connection", "close"),
    ]
    return h11.Request(method="GET", target=path, headers=headers)
