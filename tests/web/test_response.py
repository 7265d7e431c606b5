"""WSGI answers keep to PEP 3333, and the session is saved before their headers leave."""

import sys
from io import BytesIO
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest

from harness.applications import (
    PLAIN,
    count,
    count_of,
    counting_cookie,
    touch,
    validate,
    wsgi_app,
    wsgi_stream,
)
from harness.browsers import WsgiBrowser
from harness.recording_store import take_commands
from sessile.errors import StoreUnavailable, TooLate
from sessile.service.sessions import context_of
from sessile.web.wsgi import KEY, SessionMiddleware


def test_session_may_change_until_the_first_byte(sessions):
    """After ``start_response`` and empty chunks a change is saved and its cookie is sent."""
    app = wsgi_stream(
        lambda _: b"", lambda s: count(s) and b"", count, lambda _: b"", lambda _: b"!"
    )

    reply = WsgiBrowser(validate(app, sessions)).get()

    assert reply.body == b"2!"
    assert count_of(sessions, reply.one("set-cookie").partition(";")[0]) == "2"


def test_generator_application_is_served(sessions):
    """An application that is a generator calls ``start_response`` at its first chunk."""

    def app(environ, start_response):
        count(environ[KEY])
        start_response("200 OK", list(PLAIN))
        yield b"a"
        yield b"b"

    reply = WsgiBrowser(validate(app, sessions)).get()

    assert reply.body == b"ab"
    assert count_of(sessions, reply.one("set-cookie").partition(";")[0]) == "1"


@pytest.mark.parametrize("body", [[], (), [b""], iter(())], ids=["list", "tuple", "blank", "iter"])
def test_empty_body_is_saved_at_its_end(sessions, body):
    """An answer without a byte sends its cookie as well."""

    def app(environ, start_response):
        count(environ[KEY])
        start_response("302 Found", [*PLAIN, ("Location", "/")])
        return body

    reply = WsgiBrowser(validator(SessionMiddleware(app, sessions))).get()

    assert (reply.status, reply.body) == (302, b"")
    assert count_of(sessions, reply.one("set-cookie").partition(";")[0]) == "1"


def test_head_request_is_saved(sessions):
    """HEAD sends the headers that GET would."""
    app = validate(wsgi_app(count), sessions)

    assert WsgiBrowser(app).get(method="HEAD").one("set-cookie").startswith("sid=")


def test_write_after_the_first_byte_is_refused(sessions):
    """A change once the headers have left raises; it is never lost quietly."""
    browser = WsgiBrowser(SessionMiddleware(wsgi_stream(count, count), sessions))

    with pytest.raises(TooLate, match="before the first byte"):
        browser.get()


def test_first_look_after_the_first_byte_is_refused(sessions):
    """A stream cannot begin to depend on a session when it is too late to say Vary."""
    browser = WsgiBrowser(SessionMiddleware(wsgi_stream(lambda _: b"a", touch), sessions))

    with pytest.raises(TooLate, match="Vary: Cookie"):
        browser.get()


def test_later_looks_are_allowed(sessions):
    """A stream that looked in time may go on looking."""
    browser = WsgiBrowser(validate(wsgi_stream(count, touch, touch), sessions))

    assert browser.get().body == b"111"


def test_nested_change_after_the_first_byte_is_noticed(sessions):
    """A list that grows after it was saved raises at the end of the body."""

    def first(session):
        session["cart"] = ["socks"]
        return b"a"

    app = wsgi_stream(first, lambda s: s["cart"].append("hat") or b"b")

    with pytest.raises(TooLate, match=r"session\['cart'\] was changed in place too late"):
        WsgiBrowser(SessionMiddleware(app, sessions)).get()


def test_session_is_saved_before_the_server_gets_the_headers(sessions):
    """When ``start_response`` reaches the server, the store holds the change."""
    seen = []

    def app(environ, start_response):
        count(environ[KEY])
        start_response("200 OK", list(PLAIN))
        return [b"done"]

    def server(*_):
        seen.extend(take_commands(sessions))

    environ = {"PATH_INFO": "/", "REQUEST_METHOD": "GET"}
    SessionMiddleware(app, sessions)(environ, server)

    assert seen == ["create"]


def writing(*chunks, then=()):
    """An application that uses the ``write`` callable."""

    def app(environ, start_response):
        write = start_response("200 OK", list(PLAIN))
        for chunk in chunks:
            write(chunk(environ[KEY]))
        return list(then)

    return app


def test_write_callable_saves_at_its_first_byte(sessions):
    """``write`` with a byte sends the headers; until then the session may change."""
    app = writing(lambda s: count(s) and b"", count, touch, then=[b"!"])

    reply = WsgiBrowser(validate(app, sessions)).get()

    assert reply.body == b"22!"
    assert count_of(sessions, reply.one("set-cookie").partition(";")[0]) == "2"


def test_change_after_write_is_refused(sessions):
    """What was written by ``write`` has left, and so have the headers."""
    with pytest.raises(TooLate, match="before the first byte"):
        WsgiBrowser(SessionMiddleware(writing(count, count), sessions)).get()


def test_nested_change_after_write_is_noticed(sessions):
    """The body returned after ``write`` ends with the same check as any stream."""

    def nest(session):
        session.setdefault("cart", []).append("socks")
        return b"a"

    def stray(session):
        session["cart"].append("hat")
        return b"b"

    with pytest.raises(TooLate, match="changed in place"):
        WsgiBrowser(SessionMiddleware(writing(nest, stray), sessions)).get()


def test_outage_replaces_what_is_written(sessions):
    """A commit that fails at ``write`` is a 503, and nothing of the application's body leaves."""

    def fails_at_commit(session):
        count(session)
        context_of(sessions).store.down = True
        return b"secret"

    app = SessionMiddleware(writing(fails_at_commit, touch, then=[b"!"]), sessions)
    reply = WsgiBrowser(app).get()

    assert reply.status == 503
    assert reply.body == b"Sessions are unavailable for a moment; try again.\n"


def test_outage_after_write_is_raised(sessions):
    """Once something was written no 503 can be sent: the server gets the error."""

    def fail(_):
        raise StoreUnavailable("memory://", "a test says so")

    with pytest.raises(StoreUnavailable):
        WsgiBrowser(SessionMiddleware(writing(count, fail), sessions)).get()


def test_start_response_twice_is_an_error(sessions):
    """A second ``start_response`` without ``exc_info`` is refused, as by any server."""

    def app(_, start_response):
        start_response("200 OK", list(PLAIN))
        start_response("200 OK", list(PLAIN))
        return [b""]

    with pytest.raises(AssertionError, match="start_response was called twice"):
        WsgiBrowser(SessionMiddleware(app, sessions)).get()


def test_start_response_never_called_is_the_servers_to_tell(sessions):
    """An application that never starts its answer meets the server's own complaint."""

    def app(environ, _):
        count(environ[KEY])
        return [b"done"]

    with pytest.raises(AssertionError, match=r"write\(\) before start_response"):
        WsgiBrowser(SessionMiddleware(app, sessions)).get()
    assert take_commands(sessions) == []


def test_failed_handler_saves_nothing(sessions):
    """An exception goes on to the server, the store is left alone, the session is closed."""
    held = []

    def fail(session):
        count(session)
        held.append(session)
        raise RuntimeError("a bug")

    browser = WsgiBrowser(SessionMiddleware(wsgi_app(fail), sessions))
    browser.cookie = counting_cookie(sessions)

    with pytest.raises(RuntimeError, match="a bug"):
        browser.get()

    assert take_commands(sessions) == ["read"]
    with pytest.raises(TooLate, match="the handler failed"):
        held[0].clear()


def test_stream_that_fails_before_its_first_byte_saves_nothing(sessions):
    """The same holds for the first chunk of a body."""
    browser = WsgiBrowser(
        SessionMiddleware(wsgi_stream(lambda s: count(s) and b"", lambda _: 1 / 0), sessions)
    )
    browser.cookie = counting_cookie(sessions)

    with pytest.raises(ZeroDivisionError):
        browser.get()

    assert take_commands(sessions) == ["read"]


def recovering(start):
    """An application that starts well, fails, and starts again with ``exc_info``."""

    def app(environ, start_response):
        write = start_response("200 OK", list(PLAIN))
        start(environ[KEY], write)
        try:
            _ = 1 / 0
        except ZeroDivisionError:
            start_response("500 Oh No", [("Content-Type", "text/html")], sys.exc_info())
        return [str(environ[KEY].get("n")).encode()]

    return app


def test_exc_info_replaces_headers_and_drops_changes(sessions):
    """Before the first byte ``exc_info`` gives another answer; what the handler did is dropped."""
    browser = WsgiBrowser(validate(recovering(lambda session, _: count(session)), sessions))
    browser.cookie = counting_cookie(sessions)

    reply = browser.get()

    assert (reply.status, reply.body) == (500, b"1")
    assert reply.fields == [("Content-Type", "text/html"), ("vary", "Cookie")]
    assert take_commands(sessions) == ["read", "read"]


def test_exc_info_after_the_first_byte_raises_the_error(sessions):
    """Once headers have left ``exc_info`` is raised again, and what was saved stays."""
    browser = WsgiBrowser(SessionMiddleware(recovering(lambda s, write: write(count(s))), sessions))
    browser.cookie = counting_cookie(sessions)

    with pytest.raises(ZeroDivisionError):
        browser.get()

    assert count_of(sessions, browser.cookie) == "2"


def test_value_that_cannot_be_kept_stops_the_answer(sessions):
    """A nested value that cannot be kept is found before the headers leave."""

    def nest(session):
        session.setdefault("cart", []).append(object())

    with pytest.raises(TypeError, match=r"session\['cart'\]"):
        WsgiBrowser(SessionMiddleware(wsgi_app(nest), sessions)).get()


class Spied:
    """A body that counts how often it was closed."""

    def __init__(self, *chunks):
        self.chunks, self.closed = iter(chunks), 0

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.chunks)

    def close(self):
        self.closed += 1


def returning(body, act=touch):
    def app(environ, start_response):
        act(environ[KEY])
        start_response("200 OK", list(PLAIN))
        return body

    return app


def test_body_is_closed_once(sessions):
    """The application's ``close`` is called once when the server calls ours."""
    body = Spied(b"a", b"b")

    assert WsgiBrowser(SessionMiddleware(returning(body), sessions)).get().body == b"ab"
    assert body.closed == 1


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_body_is_closed_once_when_the_client_is_gone(sessions, taken):
    """A server that stops in the middle, or before the start, closes the body all the same."""
    body = Spied(b"a", b"b", b"c")
    environ = {"PATH_INFO": "/", "REQUEST_METHOD": "GET"}
    ours = SessionMiddleware(returning(body), sessions)(environ, lambda *_: None)
    chunks = iter(ours)
    for _ in range(taken):
        next(chunks)

    ours.close()
    del chunks

    assert body.closed == 1


def test_body_of_a_refused_answer_is_closed(sessions):
    """A 503 in its place does not keep the application's body open."""
    body = Spied(b"a")

    def break_store(session):
        count(session)
        context_of(sessions).store.down = True

    reply = WsgiBrowser(SessionMiddleware(returning(body, break_store), sessions)).get()

    assert (reply.status, body.closed) == (503, 1)


def test_file_reaches_the_server_as_it_is(sessions):
    """The server's own file wrapper is passed on, so that it can send the file its own way."""
    body = FileWrapper(BytesIO(b"file"))
    environ = {"PATH_INFO": "/", "REQUEST_METHOD": "GET", "wsgi.file_wrapper": FileWrapper}
    sent = []

    app = SessionMiddleware(returning(body), sessions)
    returned = app(environ, lambda *started: sent.append(started))

    assert returned is body
    assert ("vary", "Cookie") in sent[0][1]


def test_file_wrapper_may_be_a_function(sessions):
    """A server whose file wrapper is no class gets the file's bytes."""
    app = SessionMiddleware(returning(BytesIO(b"file")), sessions)

    assert WsgiBrowser(app).get(**{"wsgi.file_wrapper": lambda file: file}).body == b"file"


def test_file_is_closed_when_its_answer_cannot_be_saved(sessions):
    """A file that never reaches the server is closed here."""
    file = BytesIO(b"file")

    def nest(session):
        session.setdefault("cart", []).append(object())

    app = SessionMiddleware(returning(FileWrapper(file), nest), sessions)
    with pytest.raises(TypeError):
        WsgiBrowser(app).get(**{"wsgi.file_wrapper": FileWrapper})

    assert file.closed
