"""Three servers of a real application behind balancers that obey the route which it writes."""

import time
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from harness.balancers import NAMES, SECRET, serve_site, wait_until
from harness.servers import serve_asgi
from sessile import Sessions
from sessile.service.bounded_load import FEWEST
from sessile.service.traffic import PERIOD
from sessile.web.asgi import SessionMiddleware


class Shop:
    """A server of the shop, in a thread of its own."""

    def __init__(self, name, url):
        self.name, self.ahead = name, 0.0
        self.sessions = Sessions(
            url, secrets=[SECRET], server=name, clock=lambda: time.time() + self.ahead
        )
        routes = [Route(f"/{page.__name__}", page) for page in (self.login, self.who, self.health)]
        self.app = SessionMiddleware(
            Starlette(routes=routes), sessions=self.sessions, exclude=("/health",)
        )

    def serve(self, stack):
        stack.enter_context(closing(self.sessions.sync))
        self.place = urlsplit(stack.enter_context(serve_asgi(self.app))).netloc

    async def login(self, request):
        request.session.login("alice")
        return JSONResponse({"name": self.name})

    async def who(self, request):
        return JSONResponse({"name": self.name, "user": request.session.user})

    async def health(self, _):
        return PlainTextResponse("", 404 if self.sessions.is_drained else 200)


@pytest.fixture(params=["haproxy", "nginx"])
def site(request, tmp_path):
    """The shop behind a balancer, its sessions in one file."""
    shops = {name: Shop(name, f"sqlite:///{tmp_path}/sessile.db") for name in NAMES}
    with ExitStack() as stack:
        for shop in shops.values():
            shop.serve(stack)
        yield stack.enter_context(serve_site(request.param, servers=shops))


def test_client_comes_back_to_the_server_of_its_login(site):
    """By the route that the application writes, and that the balancer obeys without its code."""
    for _ in range(6):
        with site.browse() as browser:
            home = site.ask(browser, path="/login")["name"]
            told = [site.ask(browser, path="/who") for _ in range(4)]

        assert told == [{"name": home, "user": "alice"}] * 4


@pytest.mark.parametrize("site", ["haproxy"], indirect=True)
def test_clients_of_a_drained_server_move_and_stay_logged_in(site):
    """Its health page says it to HAProxy, and its answer to each client, who notices nothing."""
    with site.browse() as browser:
        home = site.ask(browser, path="/login")["name"]
        site.servers[home].sessions.drain()
        wait_until(lambda: home not in {site.ask_anew("/who")["name"] for _ in range(12)})
        told = [site.ask(browser, path="/who") for _ in range(5)]

    assert told[0]["name"] == home
    (new,) = {one["name"] for one in told[2:]}
    assert new != home
    assert {one["user"] for one in told} == {"alice"}


def test_clients_of_a_server_with_too_many_move_and_stay_logged_in(site):
    """All are at one, and have been for a while: some go where the balancer finds them room."""
    with ExitStack() as stack:
        # a server tells of itself from its first request on
        wait_until(lambda: {site.ask_anew("/who")["name"] for _ in range(6)} == {*NAMES})
        browsers = [stack.enter_context(site.browse()) for _ in range(FEWEST + 4)]
        for browser in browsers:
            assert site.ask(browser, site.token("a"), path="/login")["name"] == "a"

        def ask():
            """Have everybody come; a minute passes in eight seconds, between looks not too many."""
            for shop in site.servers.values():
                shop.ahead = (time.monotonic() - began) * PERIOD / 8
            return [site.ask(browser, path="/who") for browser in browsers]

        began = time.monotonic()
        wait_until(lambda: len({one["name"] for one in ask()}) > 1, seconds=120)
        told = ask()

    assert {one["user"] for one in told} == {"alice"}
    assert "a" in {one["name"] for one in told}
