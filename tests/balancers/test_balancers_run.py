"""Balancers that are started with what ``sessile balancer print`` prints, and their clients."""

import tempfile
from collections import Counter
from pathlib import Path

import httpx
import pytest

from harness.balancers import (
    CLIENT,
    HOST,
    NAMES,
    WORDS,
    BalancedSite,
    serve_site,
    wait_until,
)
from sessile import Proxies

MADE_UP = "A" * 20
LEFT_OUT = ("b", "c")  # where a is not


@pytest.fixture(scope="module", params=WORDS)
def site(request):
    """Three servers behind each balancer, by cookie."""
    with serve_site(request.param) as site:
        yield site


@pytest.fixture(params=WORDS)
def kind(request):
    return request.param


def test_token_goes_to_its_server(site):
    """Each time, on one connection and on another, whoever's token was there before."""
    for name in (*NAMES, *reversed(NAMES)):
        assert site.names(site.token(name), times=4) == [name] * 4


def test_client_may_change_its_server(site):
    """The application writes another token, and the next request goes there: it is moved."""
    with site.browse() as client:
        names = [site.ask(client, site.token(name))["name"] for name in (*NAMES, *NAMES)]

    assert names == [*NAMES, *NAMES]


@pytest.mark.parametrize("token", [None, MADE_UP], ids=["no token", "a token that is made up"])
def test_new_clients_go_everywhere(site, token):
    """Whoever's cookie names nobody is new."""
    assert set(site.names(token, times=60)) == {*NAMES}


def test_application_sees_the_cookie_and_the_client(site):
    """What it gets is what ``Proxies`` reads, and a client's own word on its address is not."""
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}
    with site.browse() as client:
        told = site.ask(client, token := site.token("b"), "/who?a=1", **forged)
    headers = httpx.Headers(told["headers"])
    proxies = Proxies(trusted=["127.0.0.1"])

    assert (told["path"], headers["cookie"]) == (
        "/who?a=1",
        f"sid=1; sessile-route={token}; last=2",
    )
    assert proxies.client("127.0.0.1", headers[proxies.name]) == CLIENT
    assert proxies.host("127.0.0.1", headers[proxies.host_name]) == HOST
    assert (headers["host"], headers["x-forwarded-proto"]) == (HOST, "https")


def test_websocket_goes_to_its_server(site):
    """The handshake has the cookie, and what follows passes."""
    for name in NAMES:
        assert site.listen(site.token(name)) == name


def test_plain_http_goes_to_https(site):
    """Nobody sends a cookie where others can read it; and it is found where it listens."""
    asked = {"Host": f"{HOST}:{site.http}"}
    reply = httpx.get(f"http://127.0.0.1:{site.http}/who?a=1", headers=asked)

    assert reply.status_code in (301, 308)
    assert reply.headers["location"] == f"https://{HOST}:{site.https}/who?a=1"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_dead_server_answers_nobody_with_an_error(kind, method):
    """Whoever belongs to it is with another one from the first request on, and so are new ones.

    But for a POST that went out over a connection which the dead one had open: whether that was
    carried out nobody knows, and it is not sent again.
    """
    with serve_site(kind) as site, site.browse() as client:
        assert {site.ask(client, site.token("a"))["name"] for _ in range(5)} == {"a"}
        site.servers["a"].kill()
        names = []
        if method == "GET":
            names.append(site.ask(client, site.token("a"))["name"])
        else:
            client.post("/", headers={"Cookie": f"sessile-route={site.token('a')}"})
        names += [site.ask(client, site.token("a"))["name"] for _ in range(10)]
        new = {site.ask(client)["name"] for _ in range(20)}

    assert {*names} <= {*LEFT_OUT}
    assert new == {*LEFT_OUT}


def test_server_that_drains_keeps_its_own(kind):
    """Printed so, nobody new comes to it, and whoever's cookie names it stays."""
    with serve_site(kind, "--drain=a") as site:
        assert set(site.names(times=40)) == {*LEFT_OUT}
        assert site.names(site.token("a"), times=4) == ["a"] * 4
        assert site.names(site.token("b"), times=4) == ["b"] * 4


@pytest.mark.parametrize("way", ["by command", "by its health page"])
def test_haproxy_drains_a_server_that_runs(way):
    """Without being started again, by the command on the page or by what the server says itself."""
    with serve_site("haproxy") as site:
        if way == "by command":
            assert site.command("set server shop/a state drain") == "\n"
        else:
            httpx.post(f"http://{site.servers['a'].place}/drain")
        wait_until(lambda: "a" not in site.names(times=12))

        assert site.names(site.token("a"), times=4) == ["a"] * 4
        assert set(site.names(times=20)) == {*LEFT_OUT}


@pytest.mark.parametrize("kind", ["caddy", "envoy"])
def test_health_page_takes_a_server_out(kind):
    """To those who know no drain a 404 is a server that is down, also for its own clients."""
    with serve_site(kind) as site:
        assert site.names(site.token("a")) == ["a"]
        httpx.post(f"http://{site.servers['a'].place}/drain")
        wait_until(lambda: "a" not in site.names(site.token("a"), times=4))

        assert set(site.names(times=30)) == {*LEFT_OUT}


def test_address_goes_to_its_server(kind):
    """Each time, whatever cookie it sends; and when the server dies, its clients alone move."""
    addresses = [f"127.0.0.{number}" for number in range(2, 32)]
    with serve_site(kind, "--affinity=address") as site:
        homes = {}
        for address in addresses:
            (homes[address],) = set(site.names(site.token("a"), times=2, address=address))
        site.servers["a"].kill()
        later = {address: site.names(address=address)[0] for address in addresses}

    assert min(Counter(homes.values())[name] for name in NAMES) > 0
    assert "a" not in later.values()
    assert all(later[address] == home for address, home in homes.items() if home != "a")


def test_none_goes_everywhere(kind):
    """No cookie is looked at."""
    with serve_site(kind, "--affinity=none") as site:
        assert set(site.names(site.token("a"), times=40)) == {*NAMES}


@pytest.mark.parametrize("affinity", ["cookie", "address", "none"])
@pytest.mark.parametrize("drains", ["", "a", "a,c"])
def test_balancer_takes_what_is_printed(kind, affinity, drains):
    """Judged by the program itself, without a warning."""
    servers = {name: Place(name, n) for n, name in enumerate(("a", "Web-1_x.y", "c"), start=1)}
    with tempfile.TemporaryDirectory() as folder:
        words = (f"--affinity={affinity}", f"--drain={drains}", "--health=/ready.txt")
        site = BalancedSite(kind, Path(folder), servers, words)
        judged = site.check()

    assert judged.returncode == 0, judged.stderr
    said = (judged.stdout + judged.stderr).lower().splitlines()
    warned = [line for line in said if "warn" in line and "certificate" not in line]
    # which is what the server that leads to https is there for
    assert [line for line in warned if "listening only on the http port" not in line] == []


class Place:
    """A server that is not there."""

    def __init__(self, name, number):
        self.name, self.place = (
            name,
            f"[fd00::{number}]:8000" if number == 3 else f"10.0.0.{number}:80",
        )
