"""What is ambiguous, oversized or late is refused, and never reaches a server."""

import asyncio

import pytest

from sessile.balance import BalancerLimits

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HOST = b"Host: shop.test\r\n"


@pytest.fixture
def refused(run, behind, ask):
    """Send bytes; return the answer and what the server heard of them."""

    def refused(data, **settings):
        heard = []

        async def play(server):
            while head := await server.head():
                if b"sessile-balance" not in head:
                    heard.append(head)
                await server.say(OK)

        async def go():
            async with behind(play, **settings) as balancer:
                return await ask(balancer, data)

        return run(go()), heard

    return refused


SMUGGLED = b"GET /admin HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKS = b"0\r\n\r\n" + SMUGGLED
POST = b"POST / HTTP/1.1\r\n" + HOST

MALFORMED = {
    "length-and-coding": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    "coding-and-length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + CHUNKS,
    "two-lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + CHUNKS,
    "list-of-lengths": POST + b"Content-Length: 5, 6\r\n\r\n" + CHUNKS,
    "signed-length": POST + b"Content-Length: +5\r\n\r\n" + CHUNKS,
    "hex-length": POST + b"Content-Length: 0x5\r\n\r\n" + CHUNKS,
    "space-before-colon": POST + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKS,
    "old-coding": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad-chunk-size": POST + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\n" + SMUGGLED,
    "no-host": b"GET / HTTP/1.1\r\n\r\n" + SMUGGLED,
    "two-hosts": b"GET / HTTP/1.1\r\n" + HOST + b"Host: evil.test\r\n\r\n" + SMUGGLED,
    "no-target": b"GET admin HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "other-scheme": b"GET ftp://x/ HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "null-in-value": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n" + SMUGGLED,
    "not-http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n" + SMUGGLED,
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed_requests_are_refused(refused, data):
    """A request two readers could read differently is 400, alone, and the connection closes."""
    answer, heard = refused(data)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"connection: close" in answer.lower()
    assert not heard or b"/admin" not in b"".join(heard)


@pytest.mark.parametrize(
    "data",
    [
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS,
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + CHUNKS,
        b"CONNECT shop.test:443 HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
        b"TRACE / HTTP/1.1\r\n" + HOST + b"Cookie: sid=1\r\n\r\n" + SMUGGLED,
    ],
    ids=["other-coding", "two-codings", "connect", "trace"],
)
def test_what_is_not_implemented_is_refused(refused, data):
    """Other codings, tunnels and echoes are 501, and nothing behind them is read."""
    answer, heard = refused(data)

    assert answer.startswith(b"HTTP/1.1 501 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert not heard


def test_bytes_behind_the_last_request_are_ignored(refused):
    """A client that says close and sends more is answered once, for what it asked first."""
    answer, heard = refused(
        POST + b"Connection: close\r\nContent-Length: 4\r\n\r\nbody\r\n" + SMUGGLED
    )

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"/admin" not in b"".join(heard)


LIMITS = BalancerLimits(head=4096)


@pytest.mark.parametrize("size", [4096, 6000, 100_000])
def test_a_large_head_is_refused(refused, size):
    """A head above the limit is 431, whether it came at once or never ends."""
    answer, heard = refused(
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * size + b"\r\n\r\n", limits=LIMITS
    )

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert not heard


def test_a_head_within_the_limit_passes(refused):
    """The limit is not below what it says."""
    answer, heard = refused(
        b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\nX: " + b"x" * 4000 + b"\r\n\r\n",
        limits=LIMITS,
    )

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert len(heard) == 1


def test_a_refusal_is_not_stored(refused):
    """A refusal is short plain text that no cache keeps."""
    answer, _ = refused(b"GET / HTTP/1.1\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Content-Type: text/plain" in answer
    assert b"Cache-Control: no-store" in answer
    assert len(answer.split(b"\r\n\r\n")[1]) < 100


def test_a_head_that_never_ends_is_408(refused):
    """A client that begins a request and stops is told that it was too slow."""
    answer, _ = refused(b"GET / HTTP/1.1\r\nHo", limits=BalancerLimits(idle=0.1))

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_is_closed_without_a_word(refused):
    """A client that asks nothing is not answered."""
    answer, _ = refused(b"", limits=BalancerLimits(idle=0.1))

    assert answer == b""


def test_a_body_that_stops_is_408(run, behind, ask):
    """A client that owes its body and falls silent is told; the server sees no whole request."""
    seen = []

    async def play(server):
        if b"sessile-balance" not in await server.head():
            seen.append(await server.rest())

    async def stop():
        limits = BalancerLimits(stall=0.1, answer=5)
        async with behind(play, limits=limits) as balancer:
            return await ask(balancer, POST + b"Content-Length: 10\r\n\r\nhalf")

    assert run(stop()).startswith(b"HTTP/1.1 408 ")
    assert seen in ([b"half"], [b""])


def test_a_refusal_survives_an_unread_body(run, behind, raw_client):
    """A client that is still sending gets to read why it was refused."""

    async def play(server):
        await server.head()

    async def pour():
        async with behind(play) as balancer, raw_client(balancer) as client:
            await client.say(POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(20):
                await client.say(b"x" * 100_000)
                await asyncio.sleep(0)
            return await client.rest()

    assert run(pour()).startswith(b"HTTP/1.1 400 ")
