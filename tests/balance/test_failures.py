"""Servers that refuse, die, stall and lie: each becomes one honest answer, or another server's."""

import asyncio

import httpx
import pytest

from sessile.balance import BackendServer, Balancer, BalancerLimits, HealthCheck, State
from sessile.balance.fault import Fault, PeerFailed, Side
from sessile.balance.peer import Peer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"
RARE = HealthCheck(interval=600, fall=99)


def on_request(play):
    """A play for requests; checks are answered well."""

    async def perform(server):
        while head := await server.head():
            if b"sessile-balance" in head:
                await server.say(OK)
            else:
                await play(server, head)

    return perform


async def answer_ok(server, head):
    await server.say(OK)


def test_a_refused_connection_goes_elsewhere(run, raw_server, url, dead_port):
    """A server where nobody listens is down at once, and its request is another's, POST too."""

    async def ask():
        async with raw_server(on_request(answer_ok), "b") as well:
            dead = BackendServer("a", "127.0.0.1", dead_port)
            balancer = Balancer([dead, well], check=RARE)
            async with balancer, httpx.AsyncClient() as client:
                codes = [(await client.post(url(balancer), content=b"x")).status_code]
                codes += [(await client.get(url(balancer))).status_code for _ in range(3)]
                return codes, balancer.report()

    codes, (dead, well) = run(ask())

    assert codes == [200] * 4
    assert (dead.state, dead.requests) == (State.DOWN, 0)
    assert (well.state, well.requests) == (State.UP, 4)


def test_nobody_left_is_503(run, ask, dead_port):
    """When every server is down the client is asked to come back, in few words."""

    async def alone():
        dead = [BackendServer(name, "127.0.0.1", dead_port) for name in "ab"]
        async with Balancer(dead, check=RARE) as balancer:
            return await ask(balancer, GET)

    head, body = run(alone()).split(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1" in head
    assert b"text/plain" in head
    assert 0 < len(body) < 100


def test_a_503_keeps_the_connection(run, raw_client, dead_port):
    """A sound request that nobody could take does not cost the client its connection."""

    async def twice():
        dead = BackendServer("a", "127.0.0.1", dead_port)
        async with Balancer([dead], check=RARE) as balancer, raw_client(balancer) as client:
            for _ in range(2):
                await client.say(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await client.head()).startswith(b"HTTP/1.1 503 ")

    run(twice())


NONSENSE = {
    "not-http": b"hello\r\n\r\n",
    "closes": b"",
    "half-a-head": b"HTTP/1.1 200 OK\r\nContent-",
    "length-and-coding": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    "two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "unasked-switch": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_502(run, behind, ask, nonsense):
    """A server that breaks the protocol before its answer has begun is 502."""

    async def play(server):
        await server.head()
        await server.say(nonsense)

    async def go():
        async with behind(play) as balancer:
            return await ask(balancer, GET)

    assert run(go()).startswith(b"HTTP/1.1 502 ")


def test_silence_is_504(run, behind, ask):
    """A server that takes a request and says nothing is given up in time."""

    async def play(server):
        await server.rest()

    async def go():
        async with behind(play, limits=BalancerLimits(answer=0.1)) as balancer:
            return await ask(balancer, GET)

    assert run(go()).startswith(b"HTTP/1.1 504 ")


@pytest.mark.parametrize(
    "head", [b"Content-Length: 10\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"]
)
def test_half_an_answer_does_not_look_whole(run, behind, ask, head):
    """An answer that breaks off breaks off for the client too: no length is met, no end is said."""

    async def play(server):
        await server.head()
        await server.say(b"HTTP/1.1 200 OK\r\n" + head)

    async def go():
        async with behind(play) as balancer:
            return await ask(balancer, GET)

    answer = run(go())

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith((b"half", b"half\r\n", b"\r\n\r\n"))
    assert not answer.endswith(b"0\r\n\r\n")


def test_a_server_that_cannot_be_reached_is_tried_once_per_request(
    run, ask, dead_port, monkeypatch
):
    """A request gives up a server that refuses it, even if others say that it is well."""
    monkeypatch.setattr("sessile.balance.group.ServerGroup.observe", lambda *_: None)

    async def alone():
        async with Balancer([BackendServer("a", "127.0.0.1", dead_port)], check=RARE) as balancer:
            return await ask(balancer, GET)

    assert run(alone()).startswith(b"HTTP/1.1 503 ")


class Stale:
    """A server that answers once per connection, then closes it when the next request comes."""

    def __init__(self):
        self.heard = []

    async def play(self, server):
        if b"sessile-balance" in await server.head():
            return
        self.heard.append("answered")
        await server.say(OK)
        if await server.head():
            self.heard.append("dropped")


def test_a_stale_connection_is_replaced(run, behind, raw_client):
    """A kept connection that dies under an idempotent request costs the client nothing."""
    stale = Stale()

    async def twice():
        async with behind(stale.play) as balancer, raw_client(balancer) as client:
            for _ in range(2):
                await client.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert (await client.head()).startswith(b"HTTP/1.1 200 ")
                await client.reader.readexactly(2)
            return balancer.report()

    (report,) = run(twice())

    assert stale.heard == ["answered", "dropped", "answered"]
    assert report.requests == 2


def test_a_stale_connection_does_not_repeat_a_post(run, behind, raw_client):
    """What may have been done is not done again: a POST lost on a kept connection is 502."""
    stale = Stale()

    async def twice():
        async with behind(stale.play) as balancer, raw_client(balancer) as client:
            post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
            await client.say(post)
            await client.head()
            await client.reader.readexactly(2)
            await client.say(post)
            return await client.head()

    assert run(twice()).startswith(b"HTTP/1.1 502 ")
    assert stale.heard == ["answered", "dropped"]


@pytest.mark.parametrize("begun", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_an_answer_that_has_begun_is_not_asked_for_again(run, behind, raw_client, begun):
    """A kept connection that dies within an answer was not stale: the request had arrived."""
    heard = []

    async def play(server, head):
        heard.append(head)
        await server.say(OK if len(heard) == 1 else begun)
        if len(heard) > 1:
            await server.close()

    async def twice():
        async with behind(on_request(play)) as balancer, raw_client(balancer) as client:
            await client.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await client.head()
            await client.reader.readexactly(2)
            await client.say(GET)
            return await client.rest()

    assert b"HTTP/1.1 502 " in run(twice())
    assert len(heard) == 2


def test_an_old_spare_connection_is_not_used(run, behind, raw_client, monkeypatch):
    """A connection that has been idle for long may be closing; a new one is made instead."""
    monkeypatch.setattr("sessile.balance.pool._FRESH", 0.0)
    connections = set()

    async def play(server):
        while b"sessile-balance" not in (head := await server.head()) and head:
            connections.add(server)
            await server.say(OK)

    async def twice():
        async with behind(play) as balancer, raw_client(balancer) as client:
            for _ in range(2):
                await client.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                await client.head()
                await client.reader.readexactly(2)

    run(twice())

    assert len(connections) == 2


def test_a_new_connection_that_dies_is_not_retried(run, behind, ask):
    """A server that dies under a request is not asked the same thing again."""
    heard = []

    async def play(server, head):
        heard.append(head)
        await server.close()

    async def go():
        async with behind(on_request(play)) as balancer:
            return await ask(balancer, GET)

    assert run(go()).startswith(b"HTTP/1.1 502 ")
    assert len(heard) == 1


def test_a_closed_spare_connection_is_noticed(run, behind, raw_client):
    """A server that closes a kept connection in peace costs nobody an answer, not even a POST."""
    closed = asyncio.Event()

    async def play(server):
        if b"sessile-balance" in await server.head():
            return
        await server.say(OK)
        await server.close()
        closed.set()

    async def twice():
        async with behind(play) as balancer, raw_client(balancer) as client:
            for _ in range(2):
                await client.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                assert (await client.head()).startswith(b"HTTP/1.1 200 ")
                await client.reader.readexactly(2)
                await closed.wait()
                await asyncio.sleep(0.05)

    run(twice())


@pytest.mark.parametrize("later", [False, True], ids=["at-once", "later"])
def test_an_unasked_answer_is_given_to_nobody(run, behind, raw_client, later):
    """What a server says unasked does not become the answer to the next request."""
    said = asyncio.Event()

    async def play(server, head):
        if b"/second" in head:
            await server.say(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond")
            return
        await server.say(OK)
        if later:
            await asyncio.sleep(0.05)
        await server.say(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        said.set()

    async def go():
        async with behind(on_request(play)) as balancer, raw_client(balancer) as client:
            await client.say(b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n")
            await client.head()
            await client.reader.readexactly(2)
            await said.wait()
            await asyncio.sleep(0.05)
            await client.say(b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
            await client.head()
            return await client.reader.readexactly(6)

    assert run(go()) == b"second"


class ClosedWriter:
    """As of uvloop, once the connection is closed; asyncio's own says nothing then."""

    def write(self, _):
        raise RuntimeError("the handler is closed")


def test_server_that_is_gone_has_failed_on_uvloop_too():
    """The client gets an answer, or another server's, as on asyncio's own loop."""

    async def scene():
        peer = Peer(asyncio.StreamReader(), ClosedWriter(), Side.SERVER, BalancerLimits())
        with pytest.raises(PeerFailed) as failed:
            await peer.write(b"GET / HTTP/1.1\r\n")
        assert failed.value.fault is Fault.CLOSED

    asyncio.run(scene())
