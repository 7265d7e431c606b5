"""Connections to servers, kept open between requests. ``forwarder`` takes and releases them."""

import asyncio
import errno
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass

from sessile.balance.error_response import NO_ROOM, GatewayError
from sessile.balance.fault import PeerFailed, Side, Unreachable
from sessile.balance.limits import BalancerLimits
from sessile.balance.peer import Peer
from sessile.balance.server import BackendServer

# Servers close idle connections after some seconds (uvicorn after 5), and a request that crosses
# such a close in flight is lost. A connection this young is not about to be closed.
_FRESH = 2.0

# Out of files or of local ports: no server is to blame for that.
_OUR_FAULT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL})


@dataclass(frozen=True, slots=True, eq=False)
class _Spare:
    """An unused connection, and the watch that notices when it dies or speaks unasked."""

    peer: Peer
    watch: asyncio.Task[None]


class Pool:
    """Spare connections, a bounded number per server, the freshest first."""

    def __init__(self, limits: BalancerLimits) -> None:
        self._limits = limits
        self._spares: defaultdict[str, list[_Spare]] = defaultdict(list)

    async def acquire(self, server: BackendServer) -> Peer:
        """Return a spare connection, or else a new one.

        Raises:
            Unreachable: there was no spare one and nobody listens.
            GatewayError: there was no spare one and the balancer can open no more.
        """
        oldest = asyncio.get_running_loop().time() - _FRESH
        spares = self._spares[server.name]
        while spares:
            spare = spares.pop()
            spare.watch.cancel()
            await asyncio.wait([spare.watch])
            if spare.watch.cancelled() and spare.peer.last_active >= oldest:
                return spare.peer
            spare.peer.abort()
        return await self.connect(server)

    async def connect(self, server: BackendServer) -> Peer:
        """Return a new connection.

        Raises:
            Unreachable: nobody listens.
            GatewayError: the balancer can open no more.
        """
        try:
            async with asyncio.timeout(self._limits.connect):
                reader, writer = await asyncio.open_connection(server.host, server.port)
        except OSError as error:
            if error.errno in _OUR_FAULT:
                raise GatewayError(NO_ROOM) from error
            raise Unreachable(server.name) from error
        return Peer(reader, writer, Side.SERVER, self._limits)

    def release(self, server: BackendServer, peer: Peer) -> None:
        """Take a connection back; it is closed if it is of no more use."""
        spares = self._spares[server.name]
        if len(spares) >= self._limits.spare or not peer.recycle():
            peer.abort()
            return
        spare = _Spare(peer, asyncio.create_task(_watch_spare(peer)))
        spares.append(spare)
        spare.watch.add_done_callback(lambda _: _discard(spares, spare))

    async def close(self) -> None:
        """Close every spare connection. None may be in use any more."""
        spares = [spare for kept in self._spares.values() for spare in kept]
        self._spares.clear()
        for spare in spares:
            spare.watch.cancel()
            spare.peer.abort()
        await asyncio.gather(*(spare.watch for spare in spares), return_exceptions=True)


async def _watch_spare(peer: Peer) -> None:
    """Wait until a spare connection is of no more use, and drop it."""
    with suppress(PeerFailed):
        await peer.watch()
    peer.abort()


def _discard(spares: list[_Spare], spare: _Spare) -> None:
    with suppress(ValueError):
        spares.remove(spare)
