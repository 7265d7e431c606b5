"""The WSGI middleware: what a session costs, what is answered when it cannot be kept."""

from concurrent.futures import ThreadPoolExecutor
from wsgiref.validate import validator

import flask
import httpx
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
from harness.recording_store import fresh_sessions, take_commands
from harness.servers import serve_wsgi
from sessile import OnLimit, Policy, Session
from sessile.errors import ConfigError, LostRace, NotLoaded, StoreUnavailable, TooLate
from sessile.service.sessions import context_of
from sessile.web.wsgi import KEY, SessionMiddleware


def test_lines_of_the_readme(sessions):
    """``app = SessionMiddleware(app, sessions)``; ``environ["sessile.session"]`` is a session."""

    def app(environ, start_response):
        session = environ["sessile.session"]
        assert isinstance(session, Session)
        session.setdefault("cart", []).append("socks")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"{session['cart']}".encode()]

    browser = WsgiBrowser(validator(SessionMiddleware(validator(app), sessions)))

    assert browser.get().body == b"['socks']"
    assert browser.get().body == b"['socks', 'socks']"


def test_untouched_request_costs_nothing(sessions):
    """No store command, no header, and the very list the application returned."""
    body, headers = [b"a", b"b"], list(PLAIN)

    def app(_, start_response):
        start_response("200 OK", headers)
        return body

    sent = []
    environ = {"HTTP_COOKIE": counting_cookie(sessions), "PATH_INFO": "/", "REQUEST_METHOD": "GET"}
    returned = SessionMiddleware(app, sessions)(environ, lambda *started: sent.append(started))

    assert returned is body
    assert sent == [("200 OK", headers)]
    assert take_commands(sessions) == []


@pytest.mark.parametrize("shape", [wsgi_app(touch), wsgi_stream(touch)], ids=["list", "generator"])
def test_reader_sends_vary_and_no_cookie(sessions, shape):
    """A read is one store command and ``Vary: Cookie``, nothing else."""
    browser = WsgiBrowser(validate(shape, sessions))
    browser.cookie = counting_cookie(sessions)

    reply = browser.get()

    assert reply.body == b"1"
    assert reply.headers == [*PLAIN, ("vary", "Cookie")]
    assert take_commands(sessions) == ["read"]


def test_anonymous_reader_varies_as_well(sessions):
    """A page that looked for a session varies even where it found none."""
    reply = WsgiBrowser(validate(wsgi_app(touch), sessions)).get()

    assert reply.one("vary") == "Cookie"
    assert take_commands(sessions) == []


def test_header_rules_are_those_of_headers(sessions):
    """Vary is merged, ``private`` is kept beside the cookie, and the given list stays as it was."""
    headers = [*PLAIN, ("Vary", "Accept"), ("Cache-Control", "private")]
    kept = list(headers)

    def app(environ, start_response):
        count(environ[KEY])
        start_response("200 OK", headers)
        return [b"done"]

    reply = WsgiBrowser(SessionMiddleware(app, sessions)).get()

    assert reply.one("vary") == "Accept, Cookie"
    assert reply.one("cache-control") == "private"
    assert reply.one("set-cookie").startswith("sid=")
    assert headers == kept


def test_logout_ends_the_session_and_the_cookie(sessions):
    """Logout removes the record and sends the one deletion cookie."""
    browser = WsgiBrowser(validate(wsgi_app(lambda s: s.logout()), sessions))
    browser.cookie = counting_cookie(sessions)
    old = browser.cookie

    reply = browser.get()

    assert "Max-Age=0" in reply.one("set-cookie")
    assert count_of(sessions, old) == "None"


def test_outage_is_503_and_leaves_the_cookie_alone(sessions):
    """A store that is down is 503 with ``Retry-After``; when it is back, the session is there."""
    browser = WsgiBrowser(validate(wsgi_app(count), sessions))
    browser.cookie = counting_cookie(sessions)
    context_of(sessions).store.down = True

    reply = browser.get()

    assert reply.status == 503
    assert reply.one("retry-after") == "1"
    assert reply.one("set-cookie") is None
    assert b"memory" not in reply.body
    context_of(sessions).store.down = False
    assert browser.get().body == b"2"


@pytest.mark.parametrize("wrap", [validate, SessionMiddleware])
@pytest.mark.parametrize("shape", [wsgi_app, wsgi_stream], ids=["list", "generator"])
def test_outage_at_the_commit_replaces_the_answer(sessions, shape, wrap):
    """When the change cannot be stored the application's answer does not leave."""
    held = []

    def break_store(session):
        held.append(session)
        count(session)
        context_of(sessions).store.down = True
        return b"secret"

    browser = WsgiBrowser(wrap(shape(break_store), sessions))
    browser.cookie = counting_cookie(sessions)

    reply = browser.get()

    assert (reply.status, reply.one("set-cookie")) == (503, None)
    assert b"secret" not in reply.body
    with pytest.raises(TooLate, match="nothing of its session is saved"):
        held[0].clear()


def test_outage_in_a_stream_before_its_first_byte_is_503(sessions):
    """A body that meets the outage before the headers leave is replaced as well."""
    browser = WsgiBrowser(validate(wsgi_stream(touch), sessions))
    browser.cookie = counting_cookie(sessions)
    context_of(sessions).store.down = True

    assert browser.get().status == 503


def test_refusal_of_a_head_request_has_no_body(sessions):
    """A 503 to HEAD is headers alone."""
    browser = WsgiBrowser(validate(wsgi_app(touch), sessions))
    browser.cookie = counting_cookie(sessions)
    context_of(sessions).store.down = True

    reply = browser.get(method="HEAD")

    assert (reply.status, reply.body) == (503, b"")


def catching(status):
    """A framework that catches every exception and makes its own answer of it."""

    def app(environ, start_response):
        try:
            touch(environ[KEY])
        except StoreUnavailable:
            start_response(status, list(PLAIN))
        return [b"my own page"]

    return app


@pytest.mark.parametrize(("status", "seen"), [("500 Oops", 503), ("200 OK", 200)])
def test_frameworks_own_500_becomes_503(sessions, status, seen):
    """A 500 made of an outage is an outage; an application's own answer to it is respected."""
    browser = WsgiBrowser(validate(catching(status), sessions))
    browser.cookie = counting_cookie(sessions)
    context_of(sessions).store.down = True

    reply = browser.get()

    assert (reply.status, reply.one("set-cookie")) == (seen, None)


def test_other_500s_are_the_applications_own(sessions):
    """Without an outage a 500 passes through."""
    browser = WsgiBrowser(validate(wsgi_app(touch, status="500 Oops"), sessions))

    assert browser.get().status == 500


def crash():
    """A Flask application that fails once its session was changed."""
    app = flask.Flask("crash")

    @app.get("/")
    def fail():
        flask.request.environ[KEY].login("alice")
        raise ZeroDivisionError

    return app


@pytest.mark.parametrize("app", [crash(), wsgi_app(count, status="500 Oops")])
def test_failure_that_a_framework_answers_saves_nothing(sessions, app):
    """A 500 that is made inside is a handler that raised; any other status is an answer."""
    browser = WsgiBrowser(validate(app, sessions))
    failed = browser.get()

    assert (failed.status, failed.one("set-cookie")) == (500, None)
    assert "cookie" in failed.one("vary").lower()
    assert take_commands(sessions) == []
    answers = WsgiBrowser(validate(wsgi_app(count, status="502 Oops"), sessions))
    assert answers.get().one("set-cookie") is not None


def test_lost_race_is_503(sessions):
    """Bounded retries that ran out are answered like an outage: try again."""

    def lose(session):
        raise LostRace(session.id, attempts=128)

    assert WsgiBrowser(validate(wsgi_app(lose), sessions)).get().status == 503


def test_outage_after_the_first_byte_is_raised(sessions):
    """When the headers have left, no 503 can be sent: the server gets the error."""

    def fail(_):
        raise StoreUnavailable("memory://", "a test says so")

    with pytest.raises(StoreUnavailable):
        WsgiBrowser(SessionMiddleware(wsgi_stream(lambda _: b"a", fail), sessions)).get()


def test_login_beyond_the_limit_is_403():
    """A refused login is a 403 without a cookie; the session before it lives on."""
    sessions = fresh_sessions(policy=Policy(limit=1, on_limit=OnLimit.REFUSE))
    app = validate(wsgi_app(lambda session: session.login("alice")), sessions)
    first, second = WsgiBrowser(app), WsgiBrowser(app)
    second.cookie = counting_cookie(sessions)
    first.get()

    reply = second.get()

    assert (reply.status, reply.one("set-cookie")) == (403, None)
    assert count_of(sessions, second.cookie) == "1"


@pytest.mark.parametrize("path", ["/static/app.js", "/größe/x"])
def test_excluded_path_has_no_session(sessions, path):
    """Under an excluded prefix the session refuses, with the reason, and nothing is added."""
    app = validate(wsgi_app(touch), sessions, exclude=("/static/", "/größe/"))

    with pytest.raises(NotLoaded, match="exclude="):
        WsgiBrowser(app).get(path.encode().decode("latin-1"))
    assert take_commands(sessions) == []


def test_excluded_prefix_is_below_the_mount(sessions):
    """A prefix counts from where the application is mounted; other paths have their session."""
    app = validate(wsgi_app(touch), sessions, exclude=("/shop/",))

    assert WsgiBrowser(app).get("/cart", root="/shop").body == b"None"


def test_wrong_prefix_is_refused_at_start(sessions):
    """A prefix without its slash is an error when the application starts."""
    with pytest.raises(ConfigError, match="begin with '/'"):
        SessionMiddleware(wsgi_app(touch), sessions, exclude=("static/",))


def test_url_in_place_of_sessions_is_refused_at_start():
    """With words that do not quote it: a URL may hold a password."""
    with pytest.raises(ConfigError, match="a str is no Sessions") as refused:
        SessionMiddleware(wsgi_app(touch), "redis://:hunter2@localhost")
    assert "hunter2" not in str(refused.value)


def shop(environ, start_response):
    session, path = environ[KEY], environ["PATH_INFO"]
    if path == "/login":
        session.login("alice")
    elif path == "/logout":
        session.logout()
    elif path == "/count":
        count(session)
    start_response("200 OK", list(PLAIN))
    yield f"{session.user} {session.get('n')}".encode()


def test_login_and_logout_over_http(sessions):
    """A real client keeps its session through login, and its old cookie is dead after logout."""
    with serve_wsgi(SessionMiddleware(shop, sessions)) as url, httpx.Client(base_url=url) as client:
        client.get("/count")
        assert client.get("/login").text == "alice 1"
        old = client.cookies["sid"]
        assert client.get("/").text == "alice 1"
        assert client.get("/logout").text == "None None"
        assert "sid" not in client.cookies

        assert client.get("/", headers={"cookie": f"sid={old}"}).text == "None None"


def test_parallel_increments_add_up(sessions):
    """Forty requests on eight threads of a real server lose no increment."""
    with serve_wsgi(SessionMiddleware(shop, sessions)) as url, httpx.Client(base_url=url) as client:
        client.get("/count")
        headers = {"cookie": f"sid={client.cookies['sid']}"}
        with ThreadPoolExecutor(8) as pool:
            replies = list(
                pool.map(lambda _: httpx.get(f"{url}/count", headers=headers), range(40))
            )

        assert {reply.status_code for reply in replies} == {200}
        assert client.get("/").text == "None 41"
