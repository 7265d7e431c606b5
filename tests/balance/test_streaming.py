"""Bodies flow: piece by piece, both ways, and no faster than the slower side."""

import asyncio

from sessile.balance import BalancerLimits

GET = b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MEGABYTE = b"." * (1 << 20)


def not_a_check(play):
    """Leave health checks unanswered."""

    async def perform(server):
        if b"sessile-balance" not in await server.head():
            await play(server)

    return perform


async def settled(count):
    """Wait until a count has not changed for a while, and return it."""
    before = -1
    while before != count():
        before = count()
        await asyncio.sleep(0.15)
    return before


def test_an_answer_flows_piece_by_piece(run, behind, raw_client):
    """The first piece reaches the client before the server has sent the second."""
    read = asyncio.Event()

    @not_a_check
    async def play(server):
        await server.say(CHUNKED + b"5\r\nfirst\r\n")
        await read.wait()
        await server.say(b"6\r\nsecond\r\n0\r\n\r\n")

    async def listen():
        async with behind(play) as balancer, raw_client(balancer) as client:
            await client.say(GET)
            await client.head()
            assert await client.reader.readexactly(10) == b"5\r\nfirst\r\n"
            read.set()
            assert await client.reader.readexactly(11) == b"6\r\nsecond\r\n"

    run(listen())


def test_a_request_flows_piece_by_piece(run, behind, raw_client):
    """The first piece reaches the server before the client has sent the second."""
    read = asyncio.Event()

    @not_a_check
    async def play(server):
        assert await server.reader.readexactly(10) == b"5\r\nfirst\r\n"
        read.set()
        assert await server.reader.readexactly(16) == b"6\r\nsecond\r\n0\r\n\r\n"
        await server.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def speak():
        async with behind(play) as balancer, raw_client(balancer) as client:
            await client.say(POST + b"5\r\nfirst\r\n")
            await read.wait()
            await client.say(b"6\r\nsecond\r\n0\r\n\r\n")
            return await client.head()

    assert run(speak()).startswith(b"HTTP/1.1 200")


def test_both_ways_at_once(run, behind, raw_client):
    """A server may answer while it is still being asked, and the two take turns."""

    @not_a_check
    async def play(server):
        await server.say(CHUNKED)
        for _ in range(3):
            await server.say(await server.reader.readexactly(6))
        await server.say(b"0\r\n\r\n")

    async def converse():
        async with behind(play) as balancer, raw_client(balancer) as client:
            await client.say(POST)
            await client.head()
            for piece in (b"1\r\na\r\n", b"1\r\nb\r\n", b"1\r\nc\r\n"):
                await client.say(piece)
                assert await client.reader.readexactly(6) == piece
            await client.say(b"0\r\n\r\n")
            assert await client.reader.readexactly(5) == b"0\r\n\r\n"

    run(converse())


def test_a_slow_reader_slows_the_server(run, behind, raw_client):
    """While a client does not read, the server cannot send: the balancer hoards nothing."""
    sent, total = [], 128

    @not_a_check
    async def play(server):
        await server.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (total << 20))
        for _ in range(total):
            await server.say(MEGABYTE)
            sent.append(1)

    async def dawdle():
        async with behind(play) as balancer, raw_client(balancer) as client:
            await client.say(GET)
            await client.head()
            held = await settled(lambda: len(sent))
            await client.reader.readexactly(total << 20)
            return held

    held = run(dawdle())

    # what the kernel's socket buffers hold, a few megabytes per hop, is not ours to bound
    assert held < 40
    assert len(sent) == total


def test_a_slow_server_slows_the_client(run, behind, raw_client):
    """While a server does not read, the client cannot send."""
    sent, total, awake = [], 128, asyncio.Event()

    @not_a_check
    async def play(server):
        await awake.wait()
        await server.reader.readexactly(total << 20)
        await server.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def pour(client):
        await client.say(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (total << 20))
        for _ in range(total):
            await client.say(MEGABYTE)
            sent.append(1)

    async def upload():
        async with behind(play) as balancer, raw_client(balancer) as client:
            pouring = asyncio.create_task(pour(client))
            held = await settled(lambda: len(sent))
            awake.set()
            await pouring
            assert (await client.head()).startswith(b"HTTP/1.1 200")
            return held

    assert run(upload()) < 40


def test_an_early_answer_ends_the_request(run, behind, raw_client):
    """A server that answers before it was fully asked is heard; the connection then closes."""

    @not_a_check
    async def play(server):
        await server.say(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch")

    async def pour():
        async with behind(play) as balancer, raw_client(balancer) as client:
            await client.say(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n")
            await client.say(MEGABYTE)
            return await client.rest()

    answer = run(pour())

    assert answer.startswith(b"HTTP/1.1 413")
    assert answer.endswith(b"much")


def test_a_client_that_leaves_ends_the_stream(run, behind, raw_client):
    """When a client leaves, its server learns of it, though the answer was still quiet."""
    noticed = asyncio.Event()

    @not_a_check
    async def play(server):
        await server.say(CHUNKED)
        assert not await server.rest()
        noticed.set()

    async def leave():
        async with behind(play) as balancer:
            async with raw_client(balancer) as client:
                await client.say(GET)
                await client.head()
            await noticed.wait()

    run(leave())


def test_a_client_that_leaves_within_its_body_is_not_completed(run, behind, raw_client):
    """Half a request never looks whole to the server."""
    seen = []
    ended = asyncio.Event()

    @not_a_check
    async def play(server):
        seen.append(await server.rest())
        ended.set()

    async def leave():
        async with behind(play) as balancer:
            async with raw_client(balancer) as client:
                await client.say(POST + b"4\r\nhalf\r\n")
            await ended.wait()

    run(leave())

    assert seen in ([b"4\r\nhalf\r\n"], [b""])


def test_a_quiet_stream_stays_open(run, behind, raw_client):
    """Once an answer has begun, silence is no failure: events may be rare."""

    @not_a_check
    async def play(server):
        await server.say(CHUNKED)
        await asyncio.sleep(0.3)
        await server.say(b"4\r\nlate\r\n")
        await server.rest()

    async def listen():
        limits = BalancerLimits(answer=0.1, stall=0.1)
        async with behind(play, limits=limits) as balancer, raw_client(balancer) as client:
            await client.say(GET)
            await client.head()
            return await client.reader.readexactly(9)

    assert run(listen()) == b"4\r\nlate\r\n"
