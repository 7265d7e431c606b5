"""What a scope and an environ say, in the words of ``core.request``."""

import gc
import weakref

import pytest

from harness.applications import asgi_app, wsgi_app
from harness.browsers import WsgiBrowser, request_scope
from harness.recording_store import fresh_sessions
from sessile.web.asgi import SessionMiddleware
from sessile.web.request import AsgiRequest, EnvironRequest
from sessile.web.wsgi import KEY
from sessile.web.wsgi import SessionMiddleware as WsgiMiddleware

ENVIRON = {
    "REQUEST_METHOD": "POST",
    "REMOTE_ADDR": "192.0.2.7",
    "QUERY_STRING": "a=%41&b=\xff",
    "HTTP_COOKIE": "a=b; c=d",
    "HTTP_X_FORWARDED_FOR": "192.0.2.1, 192.0.2.2",
    "HTTP_USER_AGENT": "na\xefve",
    "CONTENT_TYPE": "text/plain",
    "CONTENT_LENGTH": "7",
}
SCOPE = {
    "type": "http",
    "method": "POST",
    "client": ("192.0.2.7", 4711),
    "query_string": b"a=%41&b=\xff",
    "headers": [
        (b"cookie", b"a=b"),
        (b"x-forwarded-for", b"192.0.2.1"),
        (b"user-agent", b"na\xefve"),
        (b"cookie", b"c=d"),
        (b"content-type", b"text/plain"),
        (b"x-forwarded-for", b"192.0.2.2"),
        (b"content-length", b"7"),
    ],
}


@pytest.mark.parametrize("path", ["/caf\xe9/9", "/\u0436", "/plain"])
def test_both_interfaces_say_the_same_path(path):
    """PEP 3333 tells its bytes as Latin-1, and they are UTF-8: ``Origins(exempt=)`` names it."""
    told = path.encode().decode("latin-1")
    environ = EnvironRequest({"SCRIPT_NAME": "", "PATH_INFO": told})

    assert environ.path == AsgiRequest({"headers": [], "path": path}).path == path


@pytest.mark.parametrize("path", ["/\xff\xfe", "/\u0436", "/\ud800"])
def test_path_that_is_no_utf_8_is_text_all_the_same(path):
    """Nor is any that a server tells against the rules an error."""
    assert EnvironRequest({"PATH_INFO": path}).path.startswith("/")


@pytest.mark.parametrize("request_", [AsgiRequest(SCOPE), EnvironRequest(ENVIRON)])
def test_both_interfaces_say_the_same(request_):
    """Fields that stand twice are joined as HTTP says; any byte is text; the body comes later."""
    assert (request_.method, request_.peer) == ("POST", "192.0.2.7")
    assert request_.query == "a=%41&b=\xff"
    assert request_.header("cookie") == "a=b; c=d"
    assert request_.header("x-forwarded-for") == "192.0.2.1, 192.0.2.2"
    assert request_.header("user-agent") == "na\xefve"
    assert request_.header("content-type") == "text/plain"
    assert request_.header("content-length") == "7"
    assert request_.header("origin") == ""
    assert request_.body == b""


@pytest.mark.parametrize(
    "request_",
    [
        AsgiRequest({"headers": []}),
        AsgiRequest({"headers": [], "client": None}),
        EnvironRequest({}),
    ],
)
def test_what_is_missing_is_empty(request_):
    """A socket on a Unix path has no peer, a WebSocket no method, a test next to nothing."""
    assert (request_.method, request_.peer, request_.query) == ("GET", "", "")


class Line(bytes):
    """The value of a header that must not be added to others one by one."""

    def __radd__(self, other):
        raise AssertionError("a long text was copied for each line")

    __add__ = __radd__


def test_repeated_headers_are_joined_at_once():
    """A hundred thousand short lines would otherwise keep a server busy for seconds."""
    headers = [(b"a", Line(b"b"))] * 3

    assert AsgiRequest({"headers": headers}).header("a") == "b, b, b"


class Canary:
    """Dies with the scope or the environ that holds it."""


def test_scope_goes_with_its_request():
    """Nothing that a request leaves behind keeps its scope until the collector comes."""
    import asyncio

    canary = Canary()
    alive = weakref.ref(canary)
    app = SessionMiddleware(asgi_app(lambda s: s.get("n")), fresh_sessions())

    async def once(held):
        async def receive():
            raise AssertionError("nothing to read")

        async def send(message):
            pass

        await app(request_scope() | {"canary": held}, receive, send)

    gc.collect()
    gc.disable()
    try:
        asyncio.run(once(canary))
        del canary
        assert alive() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("handle", [lambda s: None, lambda s: s.increment("n") and None])
def test_environ_goes_with_its_request(handle):
    """The environ holds the session, and the session lets go of the environ when it is saved."""
    canary = Canary()
    alive = weakref.ref(canary)
    browser = WsgiBrowser(WsgiMiddleware(wsgi_app(handle), fresh_sessions()))
    gc.collect()
    gc.disable()
    try:
        browser.get(canary=canary)
        del canary
        assert alive() is None
    finally:
        gc.enable()


def test_session_that_is_held_longer_holds_no_environ():
    """An application may keep the session object; the request's streams are not kept with it."""
    held, canary = [], Canary()
    alive = weakref.ref(canary)

    def app(environ, start_response):
        held.append(environ[KEY])
        environ[KEY].increment("n")
        start_response("200 OK", [])
        return [b"done"]

    WsgiBrowser(WsgiMiddleware(app, fresh_sessions())).get(canary=canary)
    del canary
    gc.collect()

    assert held[0]["n"] == 1
    assert alive() is None
