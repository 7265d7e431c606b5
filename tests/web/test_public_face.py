"""The lines on the first page of the documentation, as a user types them, over real HTTP."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI, Request

from harness.servers import serve_asgi
from sessile import Cookie, Sessions
from sessile.web.asgi import SessionMiddleware


def shop(sessions):
    app = FastAPI()
    app.add_middleware(SessionMiddleware, sessions=sessions)

    @app.post("/login")
    async def login(request: Request):
        request.session.login("alice")

    @app.post("/cart")
    async def add(request: Request):
        request.session.setdefault("cart", []).append("socks")

    @app.post("/logout")
    async def logout(request: Request):
        request.session.logout()

    @app.get("/me")
    async def me(request: Request):
        session = request.session
        return {"user": session.user, "cart": session.get("cart"), "id": session.id}

    return app


@pytest.fixture(params=["sqlite", "memory"])
def sessions(request, tmp_path):
    """Sessions as they are made with one line, but for plain http."""
    url = {"sqlite": f"sqlite:///{tmp_path}/shop.db", "memory": "memory://"}[request.param]
    sessions = Sessions(url, cookie=Cookie(secure=False))
    yield sessions
    sessions.sync.close()


@pytest.fixture
def browser(sessions):
    """A browser that keeps cookies, before the served shop."""
    with serve_asgi(shop(sessions)) as address, httpx.Client(base_url=address) as client:
        yield client


def test_the_three_lines_and_the_three_verbs(browser):
    """A visitor fills a cart, logs in with a fresh id, keeps the cart, and logs out."""
    browser.post("/cart")
    visitor = browser.get("/me").json()
    browser.post("/cart")
    browser.post("/login")
    customer = browser.get("/me").json()
    gone = browser.post("/logout")

    assert (visitor["user"], visitor["cart"]) == (None, ["socks"])
    assert (customer["user"], customer["cart"]) == ("alice", ["socks", "socks"])
    assert customer["id"] != visitor["id"]
    assert "Max-Age=0" in gone.headers["set-cookie"]
    assert "sid" not in browser.cookies
    assert browser.get("/me").json()["cart"] is None


def test_old_cookie_is_dead_after_the_login(browser):
    """Whoever planted or stole the anonymous cookie gains nothing by the login."""
    browser.post("/cart")
    planted = browser.cookies["sid"]
    browser.post("/login")

    reply = httpx.get(browser.base_url.join("/me"), cookies={"sid": planted})

    assert reply.json()["user"] is None
    assert "set-cookie" not in reply.headers


def test_operator_ends_a_session_from_anywhere(browser, sessions):
    """A session that is ended on the server is refused by the next request."""
    browser.post("/login")
    (info,) = sessions.sync.of("alice")

    assert asyncio.run(sessions.end(info.id))
    assert browser.get("/me").json()["user"] is None


def test_stored_cookie_goes_through_a_real_server(browser):
    """The answer's headers are those of the specification, after a real server wrote them."""
    reply = browser.post("/cart")

    assert reply.headers["vary"] == "Cookie"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax")
