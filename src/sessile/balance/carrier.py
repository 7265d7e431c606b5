"""Carry a request to a server and its answer back. ``visit`` calls it, ``routing`` chooses.

The order of things, and nothing else: which server, what a message looks like on the other side
and what a failure means to the client are decided in ``routing``, ``message`` and ``refusal``.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import h11

from sessile.balance import refusal
from sessile.balance.cookie import RouteCookie
from sessile.balance.fault import Fault, PeerFailed, Side, Unreachable
from sessile.balance.fleet import Fleet
from sessile.balance.headers import values
from sessile.balance.health import Seen, State
from sessile.balance.limits import Limits
from sessile.balance.message import Reply, is_replayable, to_server
from sessile.balance.peer import Peer
from sessile.balance.pool import Pool
from sessile.balance.refusal import Refusal, Refused
from sessile.balance.routing import Choice, Router, Visitor
from sessile.balance.server import Server
from sessile.balance.tunnel import tunnel

log = logging.getLogger("sessile.balance")


@dataclass(frozen=True, slots=True)
class Call:
    """One request: who asks, what, and from where."""

    client: Peer
    request: h11.Request
    address: str
    own: str


@dataclass(frozen=True, slots=True)
class Carrier:
    """Carries requests for all clients of one balancer."""

    fleet: Fleet
    router: Router
    cookie: RouteCookie
    pool: Pool
    limits: Limits

    async def answer(self, call: Call) -> None:
        """Answer one request: with a server's answer, or with a refusal.

        Raises:
            PeerFailed: the client is gone, or its answer broke off; drop the connection.
        """
        if reason := refusal.of_request(call.request, head=self.limits.head):
            return await refuse(call.client, reason, call.request.method)
        try:
            await self._forward(call)
        except Refused as refused:
            await refuse(call.client, refused.refusal, call.request.method)
        except PeerFailed as failed:
            await excuse(call.client, failed, call.request.method)
        return None

    async def _forward(self, call: Call) -> None:
        """Try servers until one has taken the request. Each failed try rules something out."""
        visitor = Visitor(call.address, self.cookie.read(values(call.request.headers, b"cookie")))
        tried: dict[str, State] = {}
        connect = self.pool.take
        while choice := self.router.choose(visitor, {**self.fleet.states, **tried}):
            server = self.fleet.servers[choice.name]
            try:
                upstream = await connect(server)
            except Unreachable:
                self.fleet.observe(server.name, Seen.GONE)
                tried[server.name] = State.DOWN
                continue
            try:
                with self.fleet.busy(server.name):
                    return await self._carry(call, choice, server, upstream)
            except PeerFailed as failed:
                if not (_was_stale(upstream, failed) and is_replayable(call.request)):
                    log.info("a request to server %s failed: %s", server.name, failed)
                    raise
                self.fleet.forget(server.name)
                connect = self.pool.dial  # a new connection is never stale: once is enough
        raise Refused(refusal.NO_SERVER)

    async def _carry(self, call: Call, choice: Choice, server: Server, upstream: Peer) -> None:
        """Send the request and the answer, each as fast as the other side takes it."""
        head = to_server(call.request, address=call.address, cookie=self.cookie, own=call.own)
        try:
            async with _uploading(head, call.client, upstream, self.limits.stall):
                switched = await self._download(call, choice, upstream)
            if switched:
                await tunnel(call.client, upstream, silence=self.limits.stall)
                await upstream.close()
        finally:
            self.pool.give(server, upstream)

    async def _download(self, call: Call, choice: Choice, upstream: Peer) -> bool:
        """Pass the answer on; return whether it changed the protocol."""
        route = None if choice.token is None else self.cookie.write(choice.token)
        reply = Reply(call.request.http_version, route)
        silence: float | None = self.limits.answer
        while True:
            events = await upstream.receive(silence)
            if any(refusal.breaks_framing(event) for event in events):
                raise upstream.fail(Fault.PROTOCOL)
            await call.client.send(*reply.to_client(events, last=call.client.leaving))
            if call.client.has_switched:
                return True
            if any(isinstance(event, h11.EndOfMessage) for event in events):
                return False
            if not call.client.is_unanswered:
                silence = None  # a stream may be quiet for as long as its client stays


@asynccontextmanager
async def _uploading(
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
    """Return whether a server closed a kept connection before it saw the request on it."""
    gone = failed.side is Side.SERVER and failed.fault is Fault.CLOSED
    return gone and upstream.reused and not upstream.heard


async def excuse(client: Peer, failed: PeerFailed, method: bytes | None) -> None:
    """Tell a client what failed.

    Raises:
        PeerFailed: it is too late to tell: the client is gone or its answer has begun.
    """
    reason = refusal.of_failure(failed)
    if reason is None or not client.is_unanswered:
        raise failed
    await refuse(client, reason, method)


async def refuse(client: Peer, reason: Refusal, method: bytes | None) -> None:
    """Send a refusal. The connection stays open if the request was sound and is all here."""
    with suppress(PeerFailed):
        client.ready()
    client.leaving = client.leaving or client.is_sending or reason.blames_request
    await client.send(*reason.events(method, close=client.leaving))
