"""Servers hand out their routes with their sessions, and the balancer obeys them."""

from contextlib import ExitStack

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from harness.servers import serve_asgi
from sessile import Cookie, Sessions
from sessile.balance import Affinity, BackendServer, Balancer, HealthCheck
from sessile.core.route import ROUTE_COOKIE, route_token
from sessile.errors import ConfigError
from sessile.stores.memory import MemoryStore
from sessile.testing.world import SECRET
from sessile.web.starlette import SessionMiddleware, get_session

KEY = SECRET.encode()
RARE = HealthCheck(path="/", interval=600, fall=99)


def site(name, store):
    """Return an application that says which server it is, and whose session it has."""
    sessions = Sessions(
        store=store, secrets=[SECRET], server=name, cookie=Cookie("sid", secure=False)
    )

    async def start(request):
        get_session(request)["v"] = 1
        return PlainTextResponse(name)

    async def look(request):
        value = get_session(request).get("v")
        routes = ROUTE_COOKIE in request.headers.get("cookie", "")
        return PlainTextResponse(name, headers={"x-v": str(value), "x-route": str(routes)})

    app = Starlette(routes=[Route("/start", start), Route("/", look)])
    return SessionMiddleware(app, sessions=sessions)


@pytest.fixture
def servers():
    store = MemoryStore()
    with ExitStack() as stack:
        urls = {name: stack.enter_context(serve_asgi(site(name, store))) for name in "abc"}
        yield [BackendServer(name, "127.0.0.1", httpx.URL(url).port) for name, url in urls.items()]


def play(run, servers, story, **options):
    """Have a browser visit the balancer, as the story says."""

    async def go():
        async with Balancer(servers, key=KEY, check=RARE, **options) as balancer:
            address = "http://{}:{}".format(*balancer.address)
            async with httpx.AsyncClient(base_url=address) as browser:
                return await story(browser, balancer)

    return run(go())


def test_session_stays_with_the_server_that_made_it(run, servers):
    """Before there is one, nobody is tied to any."""

    async def story(browser, balancer):
        before = {(await browser.get("/")).text for _ in range(6)}
        home = (await browser.get("/start")).text
        token = browser.cookies[ROUTE_COOKIE]
        return before, home, token, [await browser.get("/") for _ in range(6)]

    before, home, token, after = play(run, servers, story, affinity=Affinity.ROUTE)

    assert before == {"a", "b", "c"}
    assert token == route_token(home, KEY)
    assert {(one.text, one.headers["x-v"], one.headers["x-route"]) for one in after} == {
        (home, "1", "True")
    }
    assert [one for one in after if "set-cookie" in one.headers] == []


@pytest.mark.parametrize("affinity", [Affinity.NONE, Affinity.ADDRESS])
def test_route_is_handed_on_where_no_cookie_ties_anybody(run, servers, affinity):
    """It is the servers' own then, which take it back when a session ends."""

    async def story(browser, balancer):
        await browser.get("/start")
        return [await browser.get("/") for _ in range(3)]

    after = play(run, servers, story, affinity=affinity)

    assert {one.headers["x-route"] for one in after} == {"True"}


def test_dead_server_takes_no_session_along(run, servers):
    """Its clients are at another one with their next request, and stay there."""

    async def story(browser, balancer):
        home = (await browser.get("/start")).text
        balancer.mark_down(home)
        return home, [await browser.get("/") for _ in range(4)], browser.cookies[ROUTE_COOKIE]

    home, after, token = play(run, servers, story, affinity=Affinity.ROUTE)

    (stays,) = {one.text for one in after}
    assert stays != home
    assert token == route_token(stays, KEY)
    assert {one.headers["x-v"] for one in after} == {"1"}


def test_drained_server_keeps_who_it_has(run, servers):
    """And gets nobody new."""

    async def story(browser, balancer):
        home = (await browser.get("/start")).text
        balancer.drain(home)
        stays = (await browser.get("/")).text
        browser.cookies.clear()
        return home, stays, {(await browser.get("/")).text for _ in range(6)}

    home, stays, new = play(run, servers, story, affinity=Affinity.ROUTE)

    assert stays == home
    assert new == {"a", "b", "c"} - {home}


def test_secret_of_the_servers_is_needed(servers):
    """Another one makes other tokens, and nobody would ever come back."""
    with pytest.raises(ConfigError, match="takes key=, the newest secret of the servers"):
        Balancer(servers, affinity=Affinity.ROUTE)
    with pytest.raises(ConfigError, match="takes key="):
        Balancer(servers).affinity = Affinity.ROUTE
