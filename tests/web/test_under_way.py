"""Requests and WebSockets that are under way at a server with a name: ``service.worker``."""

import asyncio

import pytest

from harness.applications import PLAIN, asgi_app
from harness.browsers import AsgiBrowser, WsgiBrowser
from harness.clients import AsgiClient, FlaskClient, WsgiClient
from sessile import Sessions
from sessile.service.sessions import context_of
from sessile.stores.memory import MemoryStore
from sessile.testing.world import SECRET
from sessile.web import asgi, wsgi
from web.asgi_chat import accept, talk


@pytest.fixture
def sessions():
    made = Sessions(store=MemoryStore(), secrets=[SECRET], server="a")
    yield made
    made.sync.close()


@pytest.fixture
def traffic(sessions):
    return context_of(sessions).worker.traffic


def numbers(traffic):
    return len(traffic.requests), len(traffic.sockets)


@pytest.mark.parametrize("kind", [AsgiClient, WsgiClient, FlaskClient])
def test_request_is_under_way_until_it_is_answered(kind, sessions, traffic):
    """However it is answered, and whether or not its path has a session."""
    found = []

    def act(session):
        found.append(numbers(traffic))
        if len(found) == 2:
            raise RuntimeError

    client = kind(act, sessions)
    client.ask()
    if kind is FlaskClient:
        client.ask()
    else:
        with pytest.raises(RuntimeError):
            client.ask()

    assert found == [(1, 0)] * 2
    assert numbers(traffic) == (0, 0)


def test_path_without_a_session_counts_too(sessions, traffic):
    """A download is cut as well when its server stops."""
    found = []

    async def app(scope, receive, send):
        found.append(numbers(traffic))
        await asgi_app(lambda _: None)({**scope, "session": {}}, receive, send)

    AsgiBrowser(asgi.SessionMiddleware(app, sessions, exclude=("/file",))).get("/file")

    assert found == [(1, 0)]
    assert numbers(traffic) == (0, 0)


def test_websocket_is_under_way_until_it_is_closed(sessions, traffic):
    """It is no request, of which all end by themselves."""
    found = []

    async def act(_, send):
        await accept(send)
        found.append(numbers(traffic))

    talk(act, sessions)

    assert found == [(0, 1)]
    assert numbers(traffic) == (0, 0)


def test_stream_of_wsgi_is_under_way_until_it_is_closed(sessions, traffic):
    """Its body is sent after the application has returned; the server says when it is done."""
    found = []

    def app(_, start_response):
        start_response("200 OK", list(PLAIN))
        for piece in (b"a", b"b"):
            found.append(numbers(traffic))
            yield piece

    assert WsgiBrowser(wsgi.SessionMiddleware(app, sessions)).get().body == b"ab"
    assert found == [(1, 0)] * 2
    assert numbers(traffic) == (0, 0)


class ClosingBody:
    """A body with work to do once it was sent, as Werkzeug's ``call_on_close`` has it."""

    def __init__(self, traffic, found):
        self._traffic, self._found = traffic, found

    def __iter__(self):
        return iter((b"a",))

    def close(self):
        self._found.append(numbers(self._traffic))


def test_work_at_the_end_of_wsgi_counts(sessions, traffic):
    """Until its body is closed, however that goes."""
    found = []

    def app(_, start_response):
        start_response("200 OK", list(PLAIN))
        return ClosingBody(traffic, found)

    WsgiBrowser(wsgi.SessionMiddleware(app, sessions)).get()

    assert found == [(1, 0)]
    assert numbers(traffic) == (0, 0)


def test_body_of_wsgi_that_nobody_closes_counts_no_more(sessions, traffic):
    """Some servers of ASGI that serve WSGI do not, and a drain would never end."""

    def app(_, start_response):
        start_response("200 OK", list(PLAIN))
        yield b"a"

    environ = {"PATH_INFO": "/", "REQUEST_METHOD": "GET"}
    body = wsgi.SessionMiddleware(app, sessions)(environ, lambda *_: None)
    assert [*body] == [b"a"]
    assert numbers(traffic) == (1, 0)
    del body

    assert numbers(traffic) == (0, 0)


@pytest.mark.parametrize("browser", [AsgiBrowser, WsgiBrowser])
def test_request_below_two_middlewares_counts_once(sessions, traffic, browser):
    """As long as the outer one has it."""
    found = []
    if browser is AsgiBrowser:
        inner = asgi.SessionMiddleware(asgi_app(lambda _: None), sessions)

        async def app(scope, receive, send):
            await inner(scope, receive, send)
            found.append(numbers(traffic))

        outer = asgi.SessionMiddleware(app, sessions)
    else:

        def answer(_, start_response):
            start_response("200 OK", list(PLAIN))
            yield b"a"

        inner = wsgi.SessionMiddleware(answer, sessions)

        def app(environ, start_response):
            chunks = inner(environ, start_response)
            yield from chunks
            chunks.close()
            found.append(numbers(traffic))

        outer = wsgi.SessionMiddleware(app, sessions)
    browser(outer).get()

    assert found == [(1, 0)]
    assert numbers(traffic) == (0, 0)


def test_list_of_wsgi_is_handed_on_as_it_is(sessions, traffic):
    """The server may tell its length; whether it was sent nobody knows."""
    body = [b"a"]

    def app(_, start_response):
        start_response("200 OK", list(PLAIN))
        return body

    environ = {"PATH_INFO": "/", "REQUEST_METHOD": "GET"}

    assert wsgi.SessionMiddleware(app, sessions)(environ, lambda *_: None) is body
    assert numbers(traffic) == (0, 0)


def test_requests_at_once_are_counted_each(sessions, traffic):
    """Those of one event loop, for example."""

    async def main():
        barrier, found = asyncio.Barrier(5), []

        async def app(scope, receive, send):
            await barrier.wait()
            found.append(numbers(traffic)[0])
            await asgi_app(lambda _: None)(scope, receive, send)

        browser = AsgiBrowser(asgi.SessionMiddleware(app, sessions))
        await asyncio.gather(*(browser.ask() for _ in range(5)))
        return found

    assert asyncio.run(main()) == [5, 4, 3, 2, 1]
    assert numbers(traffic) == (0, 0)


def test_lifespan_has_the_worker_look(sessions):
    """It knows whether it drains before its first client."""

    async def app(scope, receive, send):
        pass

    asyncio.run(asgi.SessionMiddleware(app, sessions)({"type": "lifespan"}, None, None))

    assert context_of(sessions).worker.rounds.rounds is not None
