"""Clients find their server again: by cookie, by address, or not at all when not wanted."""

import asyncio
import sys
from collections import Counter
from contextlib import asynccontextmanager

import httpx
import pytest

from sessile.balance import Affinity, Balancer, HealthCheck, State
from sessile.errors import ConfigError

RARE = HealthCheck(interval=600, fall=99)


@asynccontextmanager
async def balanced(servers, affinity):
    async with Balancer(servers, affinity=affinity, check=RARE) as balancer:
        yield balancer


async def who(client, balancer):
    response = await client.get("http://{}:{}/".format(*balancer.address))
    return response.headers["x-server"]


async def visits(balancer, count, **settings):
    """Return the servers that answered one client's requests, and its cookies."""
    async with httpx.AsyncClient(**settings) as client:
        return [await who(client, balancer) for _ in range(count)], client.cookies


def test_without_affinity_requests_take_turns(run, servers):
    """Each request goes to the next server, and no cookie is set."""

    async def go():
        async with balanced(servers, Affinity.NONE) as balancer:
            return await visits(balancer, 4)

    seen, cookies = run(go())

    assert seen == ["a", "b", "a", "b"]
    assert not cookies


def test_a_cookie_keeps_a_client(run, servers):
    """A client stays where its first request went; the next client goes to the next server."""

    async def go():
        async with balanced(servers, Affinity.COOKIE) as balancer:
            return [await visits(balancer, 3) for _ in range(2)]

    (first, cookies), (second, _) = run(go())

    assert (first, second) == (["a"] * 3, ["b"] * 3)
    assert list(cookies) == ["sessile-route"]


def test_the_cookie_is_given_once_and_tells_nothing(run, servers):
    """The route cookie comes with the first answer only and names neither server nor address."""

    async def go():
        async with balanced(servers, Affinity.COOKIE) as balancer, httpx.AsyncClient() as client:
            answers = [await client.get("http://{}:{}/".format(*balancer.address)) for _ in "12"]
            return [answer.headers.get("set-cookie") for answer in answers], answers[1].json()

    (given, again), heard = run(go())
    value, *attributes = given.split("; ")

    assert attributes == ["HttpOnly", "Path=/", "SameSite=Lax"]
    assert not any(str(server.port) in value for server in servers)
    assert again is None
    assert "cookie" not in dict(heard["headers"])


@pytest.mark.parametrize("value", ["garbage", "a", "", "x" * 4000])
def test_a_garbage_cookie_is_a_new_client(run, servers, value):
    """A route we did not issue is ignored and replaced."""

    async def go():
        async with balanced(servers, Affinity.COOKIE) as balancer, httpx.AsyncClient() as client:
            return await client.get(
                "http://{}:{}/".format(*balancer.address),
                headers={"Cookie": f"sid=1; sessile-route={value}"},
            )

    answer = run(go())

    assert answer.cookies["sessile-route"] not in {value, ""}
    assert dict(answer.json()["headers"])["cookie"] == "sid=1"


def test_the_same_key_gives_the_same_route(run, servers):
    """With a key of one's own, a route outlives the balancer that gave it."""

    async def go():
        routes = []
        for _ in range(2):
            balancer = Balancer(servers, affinity=Affinity.COOKIE, key=b"k" * 32, check=RARE)
            async with balancer:
                _, cookies = await visits(balancer, 1)
                routes.append(cookies["sessile-route"])
        return routes

    first, second = run(go())

    assert first == second


def test_a_dead_servers_clients_are_moved(run, servers, raw_server):
    """When its server dies a client is moved, stays there, and the others notice nothing."""

    async def play(server):
        while await server.head():
            await server.say(b"HTTP/1.1 200 OK\r\nX-Server: dying\r\nContent-Length: 0\r\n\r\n")

    async def go():
        async with httpx.AsyncClient() as client, httpx.AsyncClient() as other:
            async with raw_server(play, "dying") as dying:
                balancer = Balancer([dying, *servers], affinity=Affinity.COOKIE, check=RARE)
                await balancer.start()
                before = [await who(client, balancer), await who(other, balancer)]
            after = [await who(client, balancer) for _ in range(3)]
            after.append(await who(other, balancer))
            await balancer.stop()
            return before, after

    before, after = run(go())

    assert before == ["dying", "a"]
    assert after == ["b", "b", "b", "a"]


def test_drain_keeps_the_bound_and_refuses_the_new(run, servers):
    """A draining server answers those it has; new clients go elsewhere until it is undrained."""

    async def go():
        async with balanced(servers, Affinity.COOKIE) as balancer, httpx.AsyncClient() as bound:
            first = await who(bound, balancer)
            balancer.drain("a")
            states = [report.state for report in balancer.report()]
            kept = await who(bound, balancer)
            new = {(await visits(balancer, 1))[0][0] for _ in range(4)}
            balancer.undrain("a")
            later = {(await visits(balancer, 1))[0][0] for _ in range(4)}
            return first, states, kept, new, later

    first, states, kept, new, later = run(go())

    assert (first, kept) == ("a", "a")
    assert states == [State.DRAIN, State.UP]
    assert new == {"b"}
    assert later == {"a", "b"}


def test_an_unknown_name_cannot_be_drained(servers):
    """A mistake in a name is told, with the names there are."""
    with pytest.raises(ConfigError, match="a, b"):
        Balancer(servers).drain("c")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux answers on all of 127.0.0.0/8")
def test_an_address_keeps_a_client_without_a_cookie(run, servers):
    """Clients of one address share a server, clients of many are spread, and no cookie is set."""
    addresses = [f"127.0.0.{i}" for i in range(2, 14)]

    async def go():
        async with balanced(servers, Affinity.ADDRESS) as balancer:
            return [
                await visits(balancer, 2, transport=httpx.AsyncHTTPTransport(local_address=address))
                for address in addresses
            ]

    seen = run(go())

    assert all(one == other for (one, other), _ in seen)
    assert set(Counter(one for (one, _), _ in seen)) == {"a", "b"}
    assert not any(cookies for _, cookies in seen)


def test_requests_are_counted(run, behind, raw_client):
    """The report counts requests given and those not yet finished."""
    asked, finish = asyncio.Event(), asyncio.Event()

    async def play(server):
        if b"sessile-balance" in await server.head():
            return
        asked.set()
        await finish.wait()
        await server.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def go():
        async with behind(play) as balancer, raw_client(balancer) as client:
            await client.say(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            await asked.wait()
            during = balancer.report()[0]
            finish.set()
            await client.rest()
            return during, balancer.report()[0]

    during, after = run(go())

    assert (during.requests, during.active) == (1, 1)
    assert (after.requests, after.active) == (1, 0)
