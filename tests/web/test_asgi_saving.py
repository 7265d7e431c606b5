"""When an ASGI request's session is saved, and what comes too late for it."""

import asyncio

import pytest

from harness.applications import asgi_app
from harness.browsers import request_scope
from harness.recording_store import fresh_sessions, take_commands
from sessile.errors import TooLate, UnsupportedValue
from sessile.service.sessions import context_of
from sessile.web.asgi import SessionMiddleware
from web.asgi_shop import bare, cart, customer, end, shop, start


def test_session_is_stored_before_the_headers_leave():
    """Whoever has seen the answer's headers finds the session in the store."""
    sessions, found = fresh_sessions(), []

    async def ask():
        async def send(message):
            found.append((message["type"], len(context_of(sessions).store._rows)))

        app = SessionMiddleware(asgi_app(cart), sessions)
        await app(request_scope(), None, send)

    asyncio.run(ask())

    assert found == [("http.response.start", 1), ("http.response.body", 1)]


def test_failed_handler_saves_nothing():
    """A handler that raises before it answers leaves the session as it was."""
    sessions, held = fresh_sessions(), []

    def fail(session):
        cart(session)
        held.append(session)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        shop(fail, sessions).get()

    assert take_commands(sessions) == []
    with pytest.raises(TooLate, match="handler failed"):
        held[0]["later"] = 1


@pytest.mark.parametrize("act", [cart, lambda session: session.login("alice")])
def test_failure_that_a_framework_answers_saves_nothing(act):
    """A 500 that is made inside, as by Litestar, is a handler that raised; a 502 is an answer."""
    sessions, held = fresh_sessions(), []

    async def app(scope, send):
        held.append(scope["session"])
        act(held[-1])
        await start(send, status[0])
        await end(send)

    status = [500]
    failed = bare(app, sessions).get()
    assert (failed.status, failed.one("set-cookie")) == (500, None)
    assert "cookie" in failed.one("vary").lower()
    assert take_commands(sessions) == []
    with pytest.raises(TooLate, match="handler failed"):
        held[0]["later"] = 1
    status = [502]
    assert bare(app, sessions).get().one("set-cookie") is not None


def test_failed_logout_leaves_the_session():
    """A handler that logged out and then failed has not logged out: the page says it failed."""
    sessions = fresh_sessions()
    cookie = customer(sessions)

    async def app(scope, send):
        scope["session"].logout()
        await start(send, 500)
        await end(send)

    assert bare(app, sessions, cookie=cookie).get().one("set-cookie") is None
    found = []
    shop(lambda session: found.append(dict(session)), sessions, cookie=cookie).get()
    assert found == [{"cart": ["socks"]}]


def test_write_after_the_headers_is_refused():
    """A change in the middle of a stream raises; it is never lost in silence."""

    async def app(scope, send):
        await start(send)
        scope["session"]["late"] = 1

    with pytest.raises(TooLate, match="before the first byte"):
        bare(app).get()


def test_nested_change_after_the_headers_is_noticed():
    """A list that grows after it was saved raises when the request ends, and names the key."""
    sessions = fresh_sessions()

    async def app(scope, send):
        items = scope["session"]["cart"]
        await start(send)
        items.append("hat")
        await end(send)

    with pytest.raises(TooLate, match=r"session\['cart'\] was changed in place too late"):
        bare(app, sessions, cookie=customer(sessions)).get()


def test_nested_change_before_the_headers_is_no_late_one():
    """A list that was saved as it is raises nothing at the end of the request."""

    async def app(scope, send):
        cart(scope["session"])
        cart(scope["session"])
        await start(send)
        assert scope["session"]["cart"] == ["socks", "socks"]
        await end(send)

    assert bare(app).get().status == 200


def test_reading_after_the_headers_is_allowed():
    """A stream may go on reading what it was opened with."""

    async def app(scope, send):
        await start(send)
        await end(send, scope["session"]["cart"][0].encode())

    sessions = fresh_sessions()

    assert bare(app, sessions, cookie=customer(sessions)).get().body == b"socks"


def test_session_that_is_held_longer_says_why_it_is_closed():
    """Whoever still holds the session after its request learns that the answer has left."""
    held = []
    shop(held.append).get()

    with pytest.raises(TooLate, match="before the first byte"):
        held[0]["late"] = 1


def test_value_that_cannot_be_kept_stops_the_answer():
    """A nested value that no store could keep is an error before anything leaves."""
    left = []

    async def app(scope, send):
        scope["session"]["cart"] = []
        scope["session"]["cart"].append(object())
        try:
            await start(send)
        finally:
            left.append("start")

    with pytest.raises(UnsupportedValue, match="cart"):
        bare(app).get()
    assert left == ["start"]


def test_application_may_answer_for_a_value_that_cannot_be_kept():
    """After a failed commit the application's own error page leaves, without a session."""
    sessions = fresh_sessions()

    async def app(scope, send):
        scope["session"]["cart"] = []
        scope["session"]["cart"].append(object())
        with pytest.raises(UnsupportedValue):
            await start(send)
        await start(send, 422)
        await end(send)

    reply = bare(app, sessions).get()

    assert (reply.status, reply.fields, take_commands(sessions)) == (422, [], [])


def test_parallel_writers_both_survive():
    """Two requests of one client hold a session each; changes of different keys are both kept."""
    sessions, seen = fresh_sessions(), []
    cookie = customer(sessions)
    both = asyncio.Barrier(2)

    async def app(scope, send):
        scope["session"][scope["path"]] = 1
        await both.wait()
        await start(send)

    async def ask():
        browser = bare(app, sessions, cookie=cookie)
        await asyncio.gather(browser.ask("/a"), browser.ask("/b"))

    asyncio.run(ask())
    shop(seen.extend, sessions, cookie=cookie).get()

    assert seen[0] == "cart"
    assert set(seen[1:]) == {"/a", "/b"}
