"""A Secure cookie over plain http: who loses it is told why, and nobody else."""

import asyncio
from urllib.request import HTTPCookieProcessor, Request, build_opener

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from harness.servers import serve_asgi, serve_wsgi
from sessile import Cookie, Sessions
from sessile.core.plain_http import loses
from sessile.core.request import PlainRequest
from sessile.web import wsgi
from sessile.web.starlette import SessionMiddleware, get_session

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LINE = "Sessions(cookie=Cookie(secure=False))"


def asgi_shop(**options):
    """An application that logs in at one path and says who came at another."""

    async def login(request):
        get_session(request).login("alice")
        return PlainTextResponse("Hello")

    async def who(request):
        return PlainTextResponse(str(get_session(request).user))

    app = Starlette(routes=[Route("/login", login, methods=["POST"]), Route("/", who)])
    app.add_middleware(SessionMiddleware, sessions=Sessions("memory://", **options))
    return app


def wsgi_shop(**options):
    """The same for WSGI."""

    def shop(environ, start_response):
        session = environ[wsgi.KEY]
        if environ["PATH_INFO"] == "/login":
            session.login("alice")
        start_response("200 OK", [])
        return [str(session.user).encode()]

    return wsgi.SessionMiddleware(shop, Sessions("memory://", **options))


def ask_test_client(app, base):
    with TestClient(app, **base) as client:
        client.post("/login")
        client.post("/login")
        return client.get("/").text


def ask_httpx(app, base):
    async def ask():
        transport = httpx.ASGITransport(app)
        base.setdefault("base_url", "http://test")
        async with httpx.AsyncClient(transport=transport, **base) as client:
            await client.post("/login")
            await client.post("/login")
            return (await client.get("/")).text

    return asyncio.run(ask())


@pytest.mark.parametrize("ask", [ask_test_client, ask_httpx])
def test_test_client_is_told_why_its_login_does_not_last(ask, caplog):
    """With its default address a test client loses the cookie, and one line says what to write."""
    assert ask(asgi_shop(), {}) == "None"
    (line,) = caplog.records
    assert line.levelname == "WARNING"
    assert LINE in line.getMessage()
    assert 'base_url="https://testserver"' in line.getMessage()
    caplog.clear()

    assert ask(asgi_shop(), {"base_url": "https://testserver"}) == "alice"
    assert ask(asgi_shop(cookie=Cookie(secure=False)), {}) == "alice"
    assert caplog.records == []


@pytest.mark.parametrize(
    ("shop", "serve"), [(asgi_shop, serve_asgi), (wsgi_shop, serve_wsgi)], ids=["asgi", "wsgi"]
)
def test_login_over_http_is_told_why_it_does_not_last(shop, serve, caplog):
    """Over a real server too: an office's browser at http://shop.lan, once for many logins."""
    headers = {"Host": "shop.lan", "User-Agent": FIREFOX}
    with serve(shop()) as address:
        for _ in range(3):
            httpx.post(f"{address}/login", headers=headers)

    (line,) = (line for line in caplog.records if line.name == "sessile")
    assert LINE in line.getMessage()
    assert "'shop.lan'" in line.getMessage()


@pytest.mark.parametrize(
    "headers",
    [
        {"User-Agent": FIREFOX},  # at 127.0.0.1, as every server here
        {"Host": "localhost:8000", "User-Agent": FIREFOX},
        {"Host": "shop.localhost", "User-Agent": FIREFOX},
        {"Host": "shop.example", "X-Forwarded-Proto": "https"},
        {"Host": "shop.example", "Forwarded": 'for="[2001:db8::1]";proto=https'},
        {"Host": "shop.example", "Sec-Fetch-Site": "same-origin"},
    ],
)
@pytest.mark.parametrize(
    ("shop", "serve"), [(asgi_shop, serve_asgi), (wsgi_shop, serve_wsgi)], ids=["asgi", "wsgi"]
)
def test_whoever_keeps_the_cookie_is_not_warned(shop, serve, headers, caplog):
    """A browser on this host, and one to whom a proxy speaks https, send the cookie back."""
    with serve(shop()) as address:
        assert httpx.post(f"{address}/login", headers=headers).status_code == 200

    assert [line for line in caplog.records if line.name == "sessile"] == []


def test_program_on_this_host_loses_it_too(caplog):
    """What keeps cookies as http.cookiejar does sends a Secure one to no http, not to localhost."""
    with serve_wsgi(wsgi_shop()) as address:
        client = build_opener(HTTPCookieProcessor())
        client.open(Request(f"{address}/login", method="POST")).close()
        with client.open(f"{address}/") as answer:
            assert answer.read() == b"None"

    assert LINE in caplog.text


@pytest.mark.parametrize(
    ("host", "lost"),
    [
        ("localhost", False), ("LOCALHOST:80", False), ("localhost.", False), ("127.0.0.1", False),
        ("127.8.9.1:8000", False), ("[::1]:8000", False), ("a.b.localhost:1", False),
        ("localhost.example.com", True), ("notlocalhost", True), ("127.0.0.1.example", True),
        ("192.168.0.7:8000", True), ("", True), ("[::2]", True),
    ],
)  # fmt: skip
def test_local_hosts_are_known_by_their_names(host, lost):
    """This host is known by its names and loopback addresses, and by nothing that looks alike."""
    request = PlainRequest({"host": host, "user-agent": FIREFOX}, scheme="http")

    assert loses(Cookie(), request) is lost
    assert not loses(Cookie(secure=False), request)
    assert not loses(Cookie(), PlainRequest({"host": host}, scheme="wss"))
