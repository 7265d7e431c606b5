"""Lazy loading under ASGI: nothing is read until the application asks."""

import asyncio

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from harness.browsers import AsgiBrowser
from harness.recording_store import fresh_sessions, take_commands
from sessile.errors import NotLoaded, StoreUnavailable, TooLate
from sessile.service.sessions import context_of
from sessile.web.asgi import Load, SessionMiddleware, load_session
from web.asgi_shop import bare, cart, customer, end, outage, shop, start


def test_untouched_lazy_request_passes_straight_through():
    """Nothing is read, and the application's messages leave as they are."""
    sessions = fresh_sessions()
    cookie = customer(sessions)
    message = {"type": "http.response.start", "status": 200, "headers": []}

    async def app(scope, send):
        await send(message)

    reply = bare(app, sessions, cookie=cookie, load="lazy").get()

    assert take_commands(sessions) == []
    assert reply.messages[0] is message


@pytest.mark.parametrize(
    "use",
    [
        lambda session: session["cart"],
        lambda session: session.get("cart"),
        lambda session: session.update(a=1),
        lambda session: session.__setitem__("a", 1),
        lambda session: session.__delitem__("a"),
        lambda session: setattr(session, "modified", True),
        lambda session: "cart" in session,
        list,
        len,
        bool,
        dict,
        lambda session: session | {},
        lambda session: session.user,
        lambda session: session.login("alice"),
        lambda session: session.logout(),
    ],
)
def test_lazy_session_names_the_fix(use):
    """Every use of a session that was not loaded raises, and says how it is loaded."""
    with pytest.raises(NotLoaded, match=r"await load_session\(request\)"):
        shop(use, load=Load.LAZY).get()


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Starlette, r"\(from sessile\.web\.starlette\)$"),
        (FastAPI, r"SessionDep \(from sessile\.web\.fastapi\), or"),
        (type("Ours", (Starlette,), {}), r"\(from sessile\.web\.starlette\)$"),
        (None, r"\(from sessile\.web\.asgi\)$"),
    ],
)
def test_lazy_session_names_the_import_of_its_framework(kind, told):
    """What is to be written stands where the application's other imports do."""

    async def plain(scope, receive, send):
        scope["session"]["a"] = 1

    app = plain
    if kind is not None:
        app = kind()
        app.mount("/", plain)
    with pytest.raises(NotLoaded, match=told):
        AsgiBrowser(SessionMiddleware(app, fresh_sessions(), load="lazy")).get()


def test_lazy_session_can_be_printed():
    """Looking at a scope in a debugger or a log raises nothing."""
    shown = []

    shop(lambda session: shown.append(repr(session)), load="lazy").get()

    assert shown == ["<session, not loaded>"]


def test_lazy_session_is_saved_once_it_is_loaded():
    """A loaded session is the request's session like any other."""
    sessions = fresh_sessions()
    cookie = customer(sessions)

    async def app(scope, send):
        session = await load_session(scope)
        assert session is scope["session"] is await load_session(scope)
        cart(session)
        await start(send)

    reply = bare(app, sessions, cookie=cookie, load="lazy").get()

    assert take_commands(sessions) == ["read", "commit"]
    assert reply.one("vary") == "Cookie"


def test_loading_twice_at_once_gives_one_session():
    """Two dependencies that ask at the same moment share what they change."""
    sessions = fresh_sessions()
    cookie = customer(sessions)
    both = asyncio.Barrier(2)
    read = context_of(sessions).store.read

    async def slow(key):
        await both.wait()
        return await read(key)

    context_of(sessions).store.read = slow

    async def app(scope, send):
        one, other = await asyncio.gather(load_session(scope), load_session(dict(scope)))
        assert one is other
        await start(send)

    assert bare(app, sessions, cookie=cookie, load="lazy").get().status == 200


def test_loading_after_the_headers_is_refused():
    """A session cannot be loaded in the middle of a stream whose headers did not say so."""
    sessions = fresh_sessions()
    cookie = customer(sessions)

    async def app(scope, send):
        await start(send)
        await load_session(scope)

    with pytest.raises(TooLate, match="Vary"):
        bare(app, sessions, cookie=cookie, load="lazy").get()


@pytest.mark.parametrize("framework", [False, True])
def test_outage_while_loading_is_503(framework):
    """An outage is answered as one, also around a framework that makes a 500 of every error."""
    sessions = fresh_sessions()
    cookie = customer(sessions)
    context_of(sessions).store.down = True

    async def app(scope, send):
        try:
            await load_session(scope)
        except StoreUnavailable:
            if framework:
                await start(send, 500)
                await end(send, b"Internal Server Error")
            raise

    assert outage(bare(app, sessions, cookie=cookie, load="lazy").get())


def test_handler_may_answer_an_outage_itself():
    """An application that catches the outage and has an answer of its own gives that one."""
    sessions = fresh_sessions()
    cookie = customer(sessions)
    context_of(sessions).store.down = True

    async def app(scope, send):
        with pytest.raises(StoreUnavailable):
            await load_session(scope)
        await start(send, 200)
        await end(send, b"a page for everybody")

    reply = bare(app, sessions, cookie=cookie, load="lazy").get()

    assert (reply.status, reply.body) == (200, b"a page for everybody")
