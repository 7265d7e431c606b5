"""What a client asks reaches a server, and what the server answers reaches the client."""

import asyncio
import hashlib

import httpx
import pytest

from sessile.balance import Balancer, BalancerLimits

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"


def always(answer):
    """A play that gives one answer to every head, for as long as the connection lasts."""

    async def play(server):
        while await server.head():
            await server.say(answer)

    return play


def test_a_request_arrives_whole(run, servers, url):
    """Method, path, query, headers and body reach the server as they were sent."""

    async def ask():
        async with Balancer(servers) as balancer, httpx.AsyncClient() as client:
            return await client.patch(
                url(balancer) + "/a%2Fb/%C3%A4?q=1&q=2",
                content=b"body",
                headers={"X-One": "1", "Host": "shop.test"},
            )

    heard = run(ask()).json()
    headers = dict(heard["headers"])

    assert (heard["method"], heard["path"], heard["query"]) == ("PATCH", "/a%2Fb/%C3%A4", "q=1&q=2")
    assert heard["body"] == "body"
    assert headers["x-one"] == "1"
    assert headers["host"] == headers["x-forwarded-host"] == "shop.test"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["via"] == "1.1 sessile"


def test_a_large_body_comes_back_unchanged(run, raw_server, url):
    """Megabytes survive the way there in chunks and the way back with a length."""
    body = hashlib.shake_256(b"seed").digest(3_000_000)

    async def pieces():
        for start in range(0, len(body), 70_001):
            yield body[start : start + 70_001]

    async def echo(server):
        head = await server.head()
        if b"sessile-balance" in head:
            return
        assert b"transfer-encoding: chunked" in head.lower()
        received = b""
        while size := int(await server.reader.readline(), 16):
            received += await server.reader.readexactly(size)
            await server.reader.readexactly(2)
        await server.reader.readexactly(2)
        await server.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(received))
        await server.say(received)
        assert not await server.head()

    async def ask():
        async with (
            raw_server(echo) as server,
            Balancer([server]) as balancer,
            httpx.AsyncClient() as client,
        ):
            return await client.post(url(balancer), content=pieces())

    assert run(ask()).content == body


def test_a_connection_serves_many_requests(run, behind, raw_client):
    """Client and server connections are both kept open between requests."""
    connections = []

    async def play(server):
        connections.append(server)
        await always(OK)(server)

    async def ask():
        async with behind(play) as balancer, raw_client(balancer) as client:
            for _ in range(5):
                await client.say(GET)
                assert (await client.head()).startswith(b"HTTP/1.1 200")
                assert await client.reader.readexactly(2) == b"ok"

    run(ask())

    # the first health check has a connection of its own
    assert len(connections) == 2


def test_pipelined_requests_are_answered_in_order(run, behind, ask):
    """A client may send its next requests before the first is answered."""

    async def play(server):
        while head := await server.head():
            path = head.split()[1]
            await server.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + path)

    async def pipeline():
        async with behind(play) as balancer:
            first, second = (GET.replace(b"/ ", path, 1) for path in (b"/1 ", b"/2 "))
            return await ask(balancer, first + second + LAST.replace(b"/ ", b"/3 ", 1))

    answers = run(pipeline())

    assert [answers.index(path) for path in (b"/1", b"/2", b"/3")] == sorted(
        answers.index(path) for path in (b"/1", b"/2", b"/3")
    )
    assert answers.count(b"200 OK") == 3


def test_spare_connections_are_bounded(run, behind, url, until):
    """After a burst no more than ``spare`` connections to a server stay open."""
    open_now, all_here = set(), asyncio.Event()

    async def play(server):
        head = await server.head()
        if b"sessile-balance" in head:
            return
        open_now.add(server)
        if len(open_now) == 6:
            all_here.set()
        await all_here.wait()
        await server.say(OK)
        assert not await server.rest()
        open_now.discard(server)

    async def burst():
        async with (
            behind(play, limits=BalancerLimits(spare=2)) as balancer,
            httpx.AsyncClient() as client,
        ):
            await asyncio.gather(*(client.get(url(balancer)) for _ in range(6)))
            await until(lambda: len(open_now) == 2)

    run(burst())


HEADS = [
    pytest.param((b"HEAD", b"200 OK\r\nContent-Length: 99", b"content-length: 99"), id="head"),
    pytest.param((b"HEAD", b"200 OK\r\nTransfer-Encoding: chunked", b"200"), id="head-chunked"),
    pytest.param((b"GET", b"204 No Content", b"204"), id="no-content"),
    pytest.param((b"GET", b"304 Not Modified\r\nContent-Length: 99", b"304"), id="not-modified"),
]


@pytest.mark.parametrize("case", HEADS)
def test_answers_without_a_body_end_at_the_head(run, behind, ask, case):
    """HEAD, 204 and 304 have no body, whatever their length says; the connection goes on."""
    method, answer, expected = case
    answers = {method: b"HTTP/1.1 " + answer + b"\r\n\r\n"}

    async def play(server):
        while head := await server.head():
            await server.say(OK if b"/last" in head else answers.get(head.split()[0], OK))

    async def both():
        async with behind(play) as balancer:
            first = GET.replace(b"GET", method)
            return await ask(balancer, first + LAST.replace(b"/ ", b"/last ", 1))

    first, second = run(both()).split(b"\r\n\r\n", 1)

    assert expected in first.lower()
    assert second.startswith(b"HTTP/1.1 200 OK")
    assert second.endswith(b"\r\n\r\nok")


def test_old_clients_get_old_framing(run, behind, ask):
    """An HTTP/1.0 client gets no chunks and no 1xx: the end of the connection ends the body."""
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"

    async def old():
        async with behind(always(interim + chunks)) as balancer:
            return await ask(balancer, b"GET / HTTP/1.0\r\n\r\n")

    head, body = run(old()).split(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200")
    assert b"transfer-encoding" not in head.lower()
    assert body == b"hello"


def test_old_servers_are_understood(run, behind, ask):
    """A body that ends with the server's connection is passed on in chunks."""

    async def play(server):
        await server.head()
        await server.say(b"HTTP/1.0 200 OK\r\n\r\nhello")

    async def old():
        async with behind(play) as balancer:
            return await ask(balancer, LAST)

    head, body = run(old()).split(b"\r\n\r\n", 1)

    assert b"transfer-encoding: chunked" in head.lower()
    assert body == b"5\r\nhello\r\n0\r\n\r\n"


def test_early_hints_pass(run, behind, ask):
    """A 103 goes to the client before the answer, and counts as no answer."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\nConnection: x\r\nX: 1\r\n\r\n"

    async def hinted():
        async with behind(always(hints + OK)) as balancer:
            return await ask(balancer, LAST)

    first, second, body = run(hinted()).split(b"\r\n\r\n")

    assert first.startswith(b"HTTP/1.1 103")
    assert b"Link: </s.css>" in first
    assert b"X: 1" not in first
    assert second.startswith(b"HTTP/1.1 200")
    assert body == b"ok"


EXPECT = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"


def test_continue_comes_from_the_server(run, behind, raw_client):
    """A client that asks may send its body when the server says so, and not before."""

    async def play(server):
        if b"Expect: 100-continue" not in await server.head():
            return
        await server.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await server.reader.readexactly(4) == b"body"
        await server.say(OK)

    async def polite():
        async with behind(play) as balancer, raw_client(balancer) as client:
            await client.say(EXPECT)
            assert (await client.head()).startswith(b"HTTP/1.1 100")
            await client.say(b"body")
            return await client.head()

    assert run(polite()).startswith(b"HTTP/1.1 200")


def test_a_server_may_refuse_before_the_body(run, behind, ask):
    """A final answer in place of 100 is passed on, and the body is not waited for."""
    refusal = b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno"

    async def refused():
        async with behind(always(refusal)) as balancer:
            return await ask(balancer, EXPECT)

    assert run(refused()).startswith(b"HTTP/1.1 417")
