"""The ASGI middleware in process: what each request costs, and what its answer says."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.applications import asgi_app
from harness.browsers import request_scope
from harness.recording_store import fresh_sessions, take_commands
from sessile import Cookie
from sessile.errors import ConfigError, NotLoaded
from sessile.web.asgi import SessionMiddleware, load_session
from web.asgi_shop import bare, cart, customer, end, ignore, shop


def test_visitor_without_a_cookie_costs_nothing():
    """An anonymous visitor costs no store command, even one who looks."""
    sessions = fresh_sessions()

    reply = shop(lambda session: session.get("cart"), sessions).get()

    assert take_commands(sessions) == []
    assert reply.one("set-cookie") is None


def test_nested_change_is_there_in_the_next_request():
    """What one request appended, the next one finds."""
    sessions, seen = fresh_sessions(), []
    cookie = customer(sessions)
    shop(cart, sessions, cookie=cookie).get()

    shop(lambda session: seen.extend(session["cart"]), sessions, cookie=cookie).get()

    assert seen == ["socks", "socks"]


def test_reader_costs_one_read_and_sends_no_cookie():
    """A request that only looks is one read; its answer varies with the cookie."""
    sessions = fresh_sessions()
    reply = shop(lambda session: session["cart"], sessions, cookie=customer(sessions)).get()

    assert take_commands(sessions) == ["read"]
    assert reply.one("vary") == "Cookie"
    assert reply.one("set-cookie") is None


def test_writer_costs_a_read_and_a_commit():
    """A change is one command more."""
    sessions = fresh_sessions()
    shop(cart, sessions, cookie=customer(sessions)).get()

    assert take_commands(sessions) == ["read", "commit"]


def test_untouched_session_leaves_no_mark():
    """An answer that did not look at the session may be cached for everybody."""
    sessions = fresh_sessions()

    reply = shop(ignore, sessions, cookie=customer(sessions)).get()

    assert reply.fields == []


def test_first_value_hands_out_a_cookie_no_cache_keeps():
    """A new session's answer sets the cookie, varies with it, and is not stored."""
    reply = shop(cart).get()

    assert reply.one("set-cookie").startswith("sid=")
    assert (reply.one("vary"), reply.one("cache-control")) == ("Cookie", "no-store")


def test_one_response_for_many_clients_never_gets_a_cookie_in_it():
    """Headers and messages that an application sends again stay as they were."""
    headers = [(b"x", b"y")]
    message = {"type": "http.response.start", "status": 200, "headers": headers}

    async def app(scope, send):
        cart(scope["session"])
        await send(message)
        await end(send)

    bare(app).get()

    assert message == {"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]}
    assert message["headers"] is headers


def test_answer_without_headers_gets_ours():
    """The headers of a start message are optional in ASGI."""

    async def app(scope, send):
        cart(scope["session"])
        await send({"type": "http.response.start", "status": 204})

    assert bare(app).get().one("set-cookie")


def test_several_cookie_fields_are_one():
    """HTTP/2 clients split the Cookie header; the session is found in any part."""
    sessions, seen = fresh_sessions(), []
    cookie = customer(sessions)

    shop(lambda session: seen.append(session.new), sessions).get(cookies=["a=1", cookie, "b=2"])

    assert seen == [False]


def test_cookie_twice_is_anonymous():
    """Of two cookies of our name one may be planted; neither is believed."""
    sessions, seen = fresh_sessions(), []
    cookie = customer(sessions)

    shop(lambda session: seen.append(session.new), sessions).get(cookies=[cookie, cookie])

    assert (seen, take_commands(sessions)) == ([True], [])


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(), st.binary().map(b"sid=".__add__)))
def test_any_bytes_are_a_visitor_without_a_session(value):
    """Whatever stands in the Cookie header: no error, no store command, anonymous."""
    sessions, seen = fresh_sessions(), []

    reply = shop(lambda session: seen.append(session.new), sessions).get(
        cookies=[value.decode("latin-1")]
    )

    assert (reply.status, seen, take_commands(sessions)) == (200, [True], [])


def test_deletion_cookie_is_the_answer_to_the_logout_alone():
    """Logout ends the session first and erases the cookie; a late reader erases nothing."""
    sessions = fresh_sessions()
    cookie = customer(sessions)

    reply = shop(lambda session: session.logout(), sessions, cookie=cookie).get()
    late = shop(lambda session: session.get("cart"), sessions, cookie=cookie).get()

    assert "Max-Age=0" in reply.one("set-cookie")
    assert take_commands(sessions) == ["read", "delete", "read"]
    assert late.one("set-cookie") is None


def test_what_comes_after_the_logout_begins_a_new_session():
    """A value, or a count, that is set after ``logout`` is kept for the visitor who remains."""
    sessions, seen = fresh_sessions(), {}
    browser = shop(
        lambda session: (session.logout(), session.increment("farewells")),
        sessions,
        cookie=customer(sessions),
    )
    old = browser.cookie
    browser.get()

    shop(seen.update, sessions, cookie=browser.cookie).get()

    assert browser.cookie != old
    assert seen == {"farewells": 1}


def test_excluded_path_says_so():
    """A session on an excluded path names the exclusion; nothing was read."""
    sessions = fresh_sessions()
    cookie = customer(sessions)

    with pytest.raises(NotLoaded, match=r"exclude=\('/static/'\)"):
        shop(cart, sessions, cookie=cookie, exclude=("/static/",)).get("/static/logo.png")
    assert take_commands(sessions) == []


def test_excluded_path_cannot_be_loaded_either():
    """Loading by hand does not get around an exclusion."""

    async def app(scope, send):
        await load_session(scope)

    with pytest.raises(NotLoaded, match="exclude"):
        bare(app, load="lazy", exclude=("/static/",)).get("/static/logo.png")


def test_excluded_path_is_below_the_mount():
    """A prefix means the path as the application knows it, wherever it is mounted."""
    sessions = fresh_sessions()
    browser = shop(ignore, sessions, cookie=customer(sessions), exclude=("/static/",))

    browser.get("/static/logo.png", root="/shop")
    assert take_commands(sessions) == []
    browser.get("/cart", root="/static")
    assert take_commands(sessions) == ["read"]


def test_no_middleware_says_so():
    """Loading a session where none was set up says what to write."""
    with pytest.raises(ConfigError, match="add_middleware"):
        asyncio.run(load_session(request_scope()))


@pytest.mark.parametrize("kind", ["lifespan", "something.new"])
def test_what_is_no_request_passes_through(kind):
    """The lifespan, and what ASGI may yet invent, is the application's alone."""
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send))

    scope, receive, send = {"type": kind}, object(), object()
    asyncio.run(SessionMiddleware(app, fresh_sessions())(scope, receive, send))

    assert seen == [({"type": kind}, receive, send)]


def test_wrong_options_are_refused_at_start():
    """A misspelt option is an error that says what to write, before the first request."""
    with pytest.raises(ConfigError, match='write load="eager" or load="lazy"'):
        SessionMiddleware(asgi_app(ignore), fresh_sessions(), load="sometimes")
    with pytest.raises(ConfigError, match="begin with '/'"):
        SessionMiddleware(asgi_app(ignore), fresh_sessions(), exclude=("static",))


def test_cookie_attributes_are_the_sessions_own():
    """The answer's cookie is the one that ``Sessions`` was told to use."""
    sessions = fresh_sessions(cookie=Cookie())

    assert shop(cart, sessions).get().one("set-cookie").startswith("__Host-sid=")
