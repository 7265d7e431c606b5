"""A WebSocket passes through as the bytes it is, in both directions, to its last byte."""

import asyncio
import socket
import struct

import pytest
import websockets

from sessile.balance import Affinity, Balancer, BalancerLimits
from sessile.balance.pool import Pool

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def on_upgrade(play):
    """A play for upgrades; other requests get no answer."""

    async def perform(server):
        if b"Upgrade: websocket" in await server.head():
            await play(server)

    return perform


def ws(balancer):
    return "ws://{}:{}/ws".format(*balancer.address)


def test_messages_pass_both_ways(run, servers):
    """Text and a megabyte of bytes come back unchanged, and closing is orderly."""
    blob = bytes(range(256)) * 4096

    async def go():
        async with Balancer(servers) as balancer:
            async with websockets.connect(ws(balancer), max_size=None) as chat:
                await chat.send("grüße")
                text = await chat.recv()
                await chat.send(blob)
                data = await chat.recv()
                active = [report.active for report in balancer.report()]
            return text, data, active, chat.close_code

    assert run(go()) == ("grüße", blob, [1, 0], 1000)


def test_a_websocket_is_sticky_too(run, servers):
    """The route cookie comes with the 101, and brings the next WebSocket to the same server."""

    async def twice():
        async with Balancer(servers, affinity=Affinity.COOKIE) as balancer:
            async with websockets.connect(ws(balancer)) as first:
                headers = first.response.headers
            cookie = headers["Set-Cookie"].split(";")[0]
            seen = [headers["X-Server"]]
            for _ in range(2):
                async with websockets.connect(
                    ws(balancer), additional_headers={"Cookie": cookie}
                ) as again:
                    seen.append(again.response.headers["X-Server"])
                    assert "Set-Cookie" not in again.response.headers
            return seen

    assert run(twice()) == ["a"] * 3


def test_early_bytes_are_not_lost(run, behind, raw_client):
    """Frames sent in one breath with the handshake, by either side, arrive."""

    @on_upgrade
    async def play(server):
        await server.say(SWITCH + b"early server")
        await server.say(await server.reader.readexactly(12))
        assert not await server.rest()

    async def go():
        async with behind(play) as balancer, raw_client(balancer) as client:
            await client.say(UPGRADE + b"early client")
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")
            return await client.reader.readexactly(24)

    assert run(go()) == b"early serverearly client"


def test_a_client_may_finish_first(run, behind, raw_client):
    """A client that has finished sending still receives all that the server has to say."""

    @on_upgrade
    async def play(server):
        await server.say(SWITCH)
        said = await server.rest()
        await server.say(b"you said " + said + b"." * 500_000)

    async def go():
        async with behind(play) as balancer, raw_client(balancer) as client:
            await client.say(UPGRADE)
            await client.head()
            await client.say(b"goodbye")
            client.writer.write_eof()
            return await client.rest()

    assert run(go()) == b"you said goodbye" + b"." * 500_000


def test_a_server_may_finish_first(run, behind, raw_client):
    """A server that has finished sending still receives all that the client has to say."""
    heard = asyncio.Queue()

    @on_upgrade
    async def play(server):
        await server.say(SWITCH + b"goodbye")
        server.writer.write_eof()
        await heard.put(await server.rest())

    async def go():
        async with behind(play) as balancer, raw_client(balancer) as client:
            await client.say(UPGRADE)
            await client.head()
            assert await client.rest() == b"goodbye"
            await client.say(b"you too")
            client.writer.write_eof()
            return await heard.get()

    assert run(go()) == b"you too"


def test_the_last_bytes_are_waited_for(run, behind, raw_client, until, monkeypatch):
    """When both have finished, what a slow server has not yet taken is still delivered."""
    connected, closing, heard = [], asyncio.Event(), asyncio.Queue()
    connect = Pool.connect

    async def noted(pool, server):
        connected.append(await connect(pool, server))
        return connected[-1]

    monkeypatch.setattr(Pool, "connect", noted)

    @on_upgrade
    async def play(server):
        await server.say(SWITCH)
        server.writer.write_eof()
        await closing.wait()
        await heard.put(len(await server.rest()))

    async def fill(client, transport):
        """Send until the kernel takes no more and the first bytes wait in the balancer."""
        sent = 0
        while not transport.get_write_buffer_size():
            await client.say(b"." * 16384)
            sent += 16384
            for _ in range(5):
                await asyncio.sleep(0)
        return sent

    async def go():
        async with behind(play) as balancer, raw_client(balancer) as client:
            await client.say(UPGRADE)
            await client.head()
            transport = connected[-1]._writer.transport
            sent = await fill(client, transport)
            client.writer.write_eof()
            await until(transport.is_closing)
            closing.set()
            return sent, await heard.get()

    sent, received = run(go())

    assert received == sent


def test_an_end_that_never_finishes_is_not_waited_for(run, behind, raw_client, until):
    """When one side has finished and the other stays silent, the tunnel closes in time."""

    @on_upgrade
    async def play(server):
        await server.say(SWITCH)
        await server.rest()
        await asyncio.Event().wait()

    async def go():
        limits = BalancerLimits(stall=0.1)
        async with behind(play, limits=limits) as balancer, raw_client(balancer) as client:
            await client.say(UPGRADE)
            await client.head()
            client.writer.write_eof()
            assert not await client.rest()
            await until(lambda: balancer.report()[0].active == 0)

    run(go())


def test_a_client_that_breaks_off_ends_the_tunnel(run, behind, raw_client, until):
    """A connection reset on one side closes the other."""
    ended = asyncio.Event()

    @on_upgrade
    async def play(server):
        await server.say(SWITCH)
        await server.rest()
        ended.set()

    async def go():
        async with behind(play) as balancer:
            async with raw_client(balancer) as client:
                await client.say(UPGRADE)
                await client.head()
                # closing without lingering resets the connection
                linger = struct.pack("ii", 1, 0)
                client.writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
                client.writer.transport.abort()
            await ended.wait()
            await until(lambda: balancer.report()[0].active == 0)

    run(go())


def test_a_refused_upgrade_is_an_answer(run, behind, raw_client):
    """A server may refuse the upgrade; its answer is passed on and the connection goes on."""

    async def play(server):
        while await server.head():
            await server.say(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")

    async def go():
        async with behind(play) as balancer, raw_client(balancer) as client:
            for _ in range(2):
                await client.say(UPGRADE)
                assert (await client.head()).startswith(b"HTTP/1.1 403 ")
                assert await client.reader.readexactly(2) == b"no"

    run(go())


def test_other_upgrades_are_ignored(run, servers):
    """A request for h2c gets a plain answer: no tunnel past the balancer's rules."""

    async def go():
        async with Balancer(servers) as balancer:
            reader, writer = await asyncio.open_connection(*balancer.address)
            writer.write(
                b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\n"
                b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
            )
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

    answer = run(go())

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"upgrade"' not in answer
    assert b'"http2-settings"' not in answer


def test_stopping_does_not_wait_for_websockets(run, servers):
    """A tunnel has no end of its own; when the balancer stops it is closed at once."""

    async def go():
        async with Balancer(servers, limits=BalancerLimits(grace=600)) as balancer:
            chat = await websockets.connect(ws(balancer))
        with pytest.raises(websockets.ConnectionClosed):
            await chat.recv()

    run(go())
