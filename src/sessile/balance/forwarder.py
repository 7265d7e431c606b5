"""Forward a request to a server and its answer back. ``connection`` calls, ``routing`` chooses.

The order of things, and nothing else: which server, what a message looks like on the other side
and what a failure means to the client are decided in ``routing``, ``message`` and
``error_response``.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import h11

from sessile.balance.cookie import RouteCookie
from sessile.balance.error_response import (
    NO_SERVER,
    ErrorResponse,
    GatewayError,
    breaks_framing,
    response_to_failure,
    response_to_request,
)
from sessile.balance.fault import Fault, PeerFailed, Side, Unreachable
from sessile.balance.group import ServerGroup
from sessile.balance.headers import values
from sessile.balance.health import Observation, State
from sessile.balance.limits import BalancerLimits
from sessile.balance.message import ResponseRewriter, is_replayable, to_server
from sessile.balance.peer import Peer
from sessile.balance.pool import Pool
from sessile.balance.routing import Affinity, Route, Router, Visitor
from sessile.balance.server import BackendServer
from sessile.balance.tunnel import tunnel

log = logging.getLogger("sessile.balance")


@dataclass(frozen=True, slots=True)
class IncomingRequest:
    """One request: who asks, what, and from where."""

    client: Peer
    request: h11.Request
    address: str
    own: str


@dataclass(frozen=True, slots=True)
class Forwarder:
    """Forwards requests for all clients of one balancer."""

    group: ServerGroup
    router: Router
    cookie: RouteCookie
    pool: Pool
    limits: BalancerLimits

    async def answer(self, incoming: IncomingRequest) -> None:
        """Answer one request: with a server's response, or with an error response.

        Raises:
            PeerFailed: the client is gone, or its answer broke off; drop the connection.
        """
        if response := response_to_request(incoming.request, head=self.limits.head):
            return await send_error(incoming.client, response, incoming.request.method)
        try:
            await self._forward(incoming)
        except GatewayError as error:
            await send_error(incoming.client, error.response, incoming.request.method)
        except PeerFailed as failed:
            await send_failure(incoming.client, failed, incoming.request.method)
        return None

    async def _forward(self, incoming: IncomingRequest) -> None:
        """Try servers until one has taken the request. Each failure rules out a server or reuse."""
        visitor = Visitor(
            incoming.address, self.cookie.read(values(incoming.request.headers, b"cookie"))
        )
        tried: dict[str, State] = {}
        connect = self.pool.acquire
        while route := self.router.choose(
            visitor, {**self.group.states, **tried}, self.group.active
        ):
            server = self.group.servers[route.name]
            upstream: Peer | None = None
            try:
                with self.group.count_request(server.name):  # while it is connected, too
                    upstream = await connect(server)
                    return await self._relay(incoming, route, server, upstream)
            except Unreachable:
                self.group.uncount_request(server.name)
                self.group.observe(server.name, Observation.GONE)
                tried[server.name] = State.DOWN
            except PeerFailed as failed:
                if upstream is None or not (
                    _was_stale(upstream, failed) and is_replayable(incoming.request)
                ):
                    log.info("a request to server %s failed: %s", server.name, failed)
                    raise
                self.group.uncount_request(server.name)
                connect = self.pool.connect  # a new connection is never stale: once is enough
        raise GatewayError(NO_SERVER)

    async def _relay(
        self, incoming: IncomingRequest, route: Route, server: BackendServer, upstream: Peer
    ) -> None:
        """Send the request and the answer, each as fast as the other side takes it."""
        hidden = self.cookie if self.router.affinity is Affinity.COOKIE else None
        head = to_server(
            incoming.request, address=incoming.address, cookie=hidden, own=incoming.own
        )
        try:
            async with _background_upload(head, incoming.client, upstream, self.limits.stall):
                switched = await self._download(incoming, route, upstream)
            if switched:
                await tunnel(incoming.client, upstream, silence=self.limits.stall)
                await upstream.close()
        finally:
            self.pool.release(server, upstream)

    async def _download(self, incoming: IncomingRequest, route: Route, upstream: Peer) -> bool:
        """Pass the answer on; return whether it changed the protocol."""
        set_cookie = None if route.token is None else self.cookie.write(route.token)
        rewriter = ResponseRewriter(incoming.request.http_version, set_cookie)
        silence: float | None = self.limits.answer
        while True:
            events = await upstream.receive(silence)
            if any(breaks_framing(event) for event in events):
                raise upstream.fail(Fault.PROTOCOL)
            await incoming.client.send(*rewriter.to_client(events, last=incoming.client.closing))
            if incoming.client.has_switched:
                return True
            if any(isinstance(event, h11.EndOfMessage) for event in events):
                return False
            if not incoming.client.is_unanswered:
                silence = None  # a stream may be quiet for as long as its client stays


@asynccontextmanager
async def _background_upload(
    head: h11.Request, client: Peer, upstream: Peer, stall: float
) -> AsyncIterator[None]:
    """Send the request while the block reads the answer.

    Raises:
        PeerFailed: the client failed; this comes before whatever the block then ran into.
    """
    task = asyncio.create_task(_upload(head, client, upstream, stall))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (blame := task.exception()):
            raise blame


async def _upload(head: h11.Request, client: Peer, upstream: Peer, stall: float) -> None:
    """Send the request, then stay to notice when the client leaves."""
    try:
        await upstream.send(head, *_body(client, client.ready()))
        while client.is_sending:
            await upstream.send(*_body(client, await client.receive(stall)))
        await client.watch()
    except PeerFailed as failed:
        if failed.side is Side.CLIENT:
            upstream.abort()  # ends the download, which then finds the blame here
            raise


def _body(client: Peer, events: list[h11.Event]) -> list[h11.Event]:
    """Return the body's pieces; its end is ours to say, so that a second try can say it too."""
    pieces: list[h11.Event] = [event for event in events if isinstance(event, h11.Data)]
    return pieces if client.is_sending else [*pieces, h11.EndOfMessage()]


def _was_stale(upstream: Peer, failed: PeerFailed) -> bool:
    """Return whether a server closed a reused connection before it saw the request on it."""
    closed = failed.side is Side.SERVER and failed.fault is Fault.CLOSED
    return closed and upstream.reused and not upstream.has_sent


async def send_failure(client: Peer, failed: PeerFailed, method: bytes | None) -> None:
    """Send the error response to a failure.

    Raises:
        PeerFailed: it is too late: the client is gone or its answer has begun.
    """
    response = response_to_failure(failed)
    if response is None or not client.is_unanswered:
        raise failed
    await send_error(client, response, method)


async def send_error(client: Peer, response: ErrorResponse, method: bytes | None) -> None:
    """Send an error response. The connection stays open after a sound request that is all here."""
    with suppress(PeerFailed):
        client.ready()
    client.closing = client.closing or client.is_sending or response.blames_request
    await client.send(*response.events(method, close=client.closing))
