"""An application behind real nginx and HAProxy, by the lines of docs/deployment.md."""

import socket
import ssl
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI, Request, WebSocket
from websockets.sync.client import connect

from harness.certificates import Authority
from harness.proxies import COMMANDS, serve_proxy
from harness.servers import serve_asgi
from sessile import Cookie, Proxies, Sessions, minutes
from sessile.service import events
from sessile.testing.clock import FakeClock
from sessile.web.asgi import SessionMiddleware
from sessile.web.starlette import get_session

HOST = "shop.example"
CLIENT = "127.0.0.2"  # an address of this machine too, and not the proxy's


def shop(sessions):
    app = FastAPI()
    app.add_middleware(SessionMiddleware, sessions=sessions, exclude=("/health",))

    @app.get("/health")
    async def health():
        return "ok"

    @app.post("/login")
    async def login(request: Request):
        request.session.login("alice")
        return str(request.url)

    @app.get("/who")
    async def who(request: Request):
        return request.session.user

    @app.post("/upload")
    @app.post("/pictures")
    async def upload(request: Request):
        session = get_session(request)
        session["sizes"] = [*session.get("sizes", ()), len(await request.body())]
        return session["sizes"]

    @app.websocket("/live")
    async def live(websocket: WebSocket):
        await websocket.accept()
        await websocket.send_json(get_session(websocket).user)
        await websocket.close()

    return app


class Site:
    """The shop behind a proxy.

    Attributes:
        clock: of its sessions.
        told: the events of its sessions.
        http: the proxy's port of http.
        https: and that of https.
    """

    def __init__(self, sessions, clock, told, authority):
        self.sessions, self.clock, self.told = sessions, clock, told
        self.context = ssl.create_default_context(cafile=authority.file)

    def browse(self):
        """Return a browser, from an address of its own."""
        transport = httpx.HTTPTransport(verify=self.context, local_address=CLIENT)
        return httpx.Client(
            transport=transport,
            base_url=f"https://127.0.0.1:{self.https}",
            headers={"Host": HOST, "User-Agent": "Mozilla/5.0 Firefox/140.0"},
        )

    def ask(self, browser, method, path, **request):
        """Ask by the site's name, and not by the address."""
        return browser.request(method, path, extensions={"sni_hostname": HOST}, **request)


@pytest.fixture(params=COMMANDS)
def kind(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["sessile reads", "uvicorn reads too"])
def site(request, kind, tmp_path):
    """The shop behind each proxy, and behind a server that reads the proxy's headers itself."""
    authority, clock, told = Authority(tmp_path), FakeClock(), []
    sessions = Sessions(
        "memory://", proxies=Proxies(trusted=["127.0.0.1"]), clock=clock, hooks=[told.append]
    )
    site = Site(sessions, clock, told, authority)
    with serve_asgi(shop(sessions), proxy_headers=request.param) as address:
        place = (tmp_path / kind, authority.issue(HOST), urlsplit(address).netloc)
        with serve_proxy(kind, *place) as (_, site.http, site.https):
            yield site


def test_client_is_whoever_connected_to_the_proxy(site):
    """The proxy's word on the address is taken, and what the client wrote there itself is not."""
    with site.browse() as browser:
        forged = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
        site.ask(browser, "POST", "/login", headers=forged)
        (info,) = site.sessions.sync.of("alice")

    assert info.address == CLIENT


def test_own_pages_may_post_and_others_may_not(site):
    """The host that the browser asked for arrives: an older browser says no more than Origin."""
    with site.browse() as browser:
        own, other = (
            site.ask(browser, "POST", "/login", headers={"Origin": f"https://{name}"})
            for name in (HOST, "evil.example")
        )

    assert (own.status_code, other.status_code) == (200, 403)


def test_secure_cookie_travels_and_nobody_is_warned(site, caplog):
    """The application hears plain http, and the browser keeps the cookie all the same."""
    with site.browse() as browser:
        login = site.ask(browser, "POST", "/login")
        assert site.ask(browser, "GET", "/who").json() == "alice"

    assert login.headers["set-cookie"].startswith(f"{Cookie().full_name}=")
    assert caplog.records == []


def test_plain_http_is_sent_to_https(site):
    """Nobody logs in on port 80."""
    reply = httpx.get(f"http://127.0.0.1:{site.http}/who?a=1", headers={"Host": HOST})

    assert (reply.status_code, reply.headers["location"]) == (301, f"https://{HOST}/who?a=1")


def test_websocket_has_its_session(site):
    """The handshake passes the proxy with its cookie, and by the site's own origin."""
    with site.browse() as browser:
        site.ask(browser, "POST", "/login")
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    with (
        socket.create_connection(("127.0.0.1", site.https)) as peer,
        connect(
            f"wss://{HOST}/live",
            sock=peer,
            ssl=site.context,
            additional_headers={"Cookie": cookies},
            origin=f"https://{HOST}",
        ) as live,
    ):
        assert live.recv() == '"alice"'


@pytest.mark.parametrize("path", ["/pictures", "/upload"])
def test_upload_that_the_proxy_holds_back_is_saved(site, path):
    """While the body comes slowly the page's ticket turns twice; it is no theft, and is saved."""
    with site.browse() as browser:
        site.ask(browser, "POST", "/login")
        before = dict(browser.cookies)

        def body():
            yield b"a" * 1000
            for _ in range(2):
                site.clock.advance(minutes(16))
                site.ask(browser, "GET", "/who")
                site.ask(browser, "GET", "/who")
            assert dict(browser.cookies) != before
            yield b"b" * 1000

        with site.browse() as uploader:
            uploader.cookies.update(before)
            reply = site.ask(uploader, "POST", path, content=body())
        assert site.ask(browser, "POST", "/pictures", content=b"c").json() == [2000, 1]

    assert reply.json() == [2000]
    assert not any(isinstance(event, events.Replayed) for event in site.told)
