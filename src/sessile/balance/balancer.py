"""The balancer: listens, serves connections, runs checks. ``serve`` runs one until a signal."""

import asyncio
from collections.abc import Sequence
from typing import Self

from sessile.balance import probe
from sessile.balance.connection import ClientConnection
from sessile.balance.cookie import RouteCookie
from sessile.balance.fault import Side
from sessile.balance.forwarder import Forwarder
from sessile.balance.group import Report, ServerGroup
from sessile.balance.health import HealthCheck, Observation
from sessile.balance.limits import BalancerLimits
from sessile.balance.peer import Peer
from sessile.balance.pool import Pool
from sessile.balance.routing import Affinity, Router
from sessile.balance.server import BackendServer, authority
from sessile.core.route import ROUTE_COOKIE
from sessile.errors import ConfigError
from sessile.wire.system import entropy


class Balancer:
    """A small HTTP/1.1 balancer for development: one process, one event loop, plain http.

    Args:
        servers: the servers, each with a name of its own.
        affinity: what ties a client to a server.
        host: where to listen.
        port: where to listen; 0 takes a free one, see ``address``.
        cookie: the name of the route cookie, used with ``Affinity.COOKIE`` and ``Affinity.ROUTE``.
        key: makes the route tokens. Without one a key is drawn, and clients get a new route
            when the balancer starts anew. With ``Affinity.ROUTE`` it is the newest of the secrets
            that the servers have, which make the same tokens of it.
        check: how the servers' health is asked for.
        limits: how long and how much is endured.
    """

    def __init__(
        self,
        servers: Sequence[BackendServer],
        *,
        affinity: Affinity = Affinity.NONE,
        host: str = "127.0.0.1",
        port: int = 0,
        cookie: str = ROUTE_COOKIE,
        key: bytes | None = None,
        check: HealthCheck | None = None,
        limits: BalancerLimits | None = None,
    ) -> None:
        self._has_key = key is not None
        self._check(affinity)
        self._at = (host, port)
        self._limits = limits or BalancerLimits()
        self._group = ServerGroup(servers, check or HealthCheck())
        self._router = Router(list(self._group.servers), affinity, key=key or entropy(32))
        self._cookie = RouteCookie(cookie)
        self._listener: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], ClientConnection] = {}
        self._checks: list[asyncio.Task[None]] = []

    @property
    def address(self) -> tuple[str, int]:
        """Return the host and port it listens on.

        Raises:
            RuntimeError: it does not listen.
        """
        if self._listener is None:
            raise RuntimeError("the balancer has no address before start() or after stop()")
        host, port = self._listener.sockets[0].getsockname()[:2]
        return host, port

    @property
    def affinity(self) -> Affinity:
        """What ties a client to a server; a change counts from the next request on."""
        return self._router.affinity

    @affinity.setter
    def affinity(self, affinity: Affinity) -> None:
        self._check(affinity)
        self._router.affinity = affinity

    def _check(self, affinity: Affinity) -> None:
        if affinity is Affinity.ROUTE and not self._has_key:
            raise ConfigError("Affinity.ROUTE takes key=, the newest secret of the servers")

    def report(self) -> tuple[Report, ...]:
        """Return the state and counts of every server, in the order they were given."""
        return self._group.report()

    def drain(self, name: str) -> None:
        """Give a server no new clients; those it has still go to it."""
        self._group.drain(name, draining=True)

    def undrain(self, name: str) -> None:
        """Give a server new clients again, once it is well."""
        self._group.drain(name, draining=False)

    def mark_down(self, name: str) -> None:
        """Take a server down at once, before a check can fail; its checks bring it back."""
        self._group.observe(name, Observation.GONE)

    async def start(self) -> None:
        """Listen, and begin to check the servers."""
        self._pool = Pool(self._limits)
        self._forwarder = Forwarder(
            self._group, self._router, self._cookie, self._pool, self._limits
        )
        host, port = self._at
        self._listener = await asyncio.start_server(self._accept, host, port, backlog=1024)
        self._checks = [
            asyncio.create_task(probe.watch(self._group, server, self._pool))
            for server in self._group.servers.values()
        ]

    async def stop(self) -> None:
        """Stop listening and let requests in flight finish, for ``limits.grace`` seconds.

        Idle connections and WebSockets are closed at once. Stopping twice is no error.
        """
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        listener.close()
        busy = [task for task, connection in self._connections.items() if connection.shutdown()]
        if busy:
            await asyncio.wait(busy, timeout=self._limits.grace)
        await _end([*self._checks, *self._connections])
        await self._pool.close()
        await listener.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Peer(reader, writer, Side.CLIENT, self._limits)
        address = writer.get_extra_info("peername")
        if not address:  # it is gone again already
            return client.abort()
        own = writer.get_extra_info("sockname")
        connection = ClientConnection(
            client, self._forwarder, address=address[0], own=authority(*own[:2])
        )
        task = asyncio.create_task(connection.run())
        self._connections[task] = connection
        task.add_done_callback(self._on_done)
        return None

    def _on_done(self, task: asyncio.Task[None]) -> None:
        del self._connections[task]
        if not task.cancelled() and (error := task.exception()):
            context = {"message": "a visit to the balancer failed", "exception": error}
            task.get_loop().call_exception_handler(context)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
