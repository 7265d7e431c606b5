"""Flask: ``flask.session`` is a session of sessile, with everything Flask does to a session."""

import subprocess
import sys

import flask
import httpx
import pytest
from flask.sessions import SessionMixin
from werkzeug.test import EnvironBuilder
from werkzeug.wsgi import ClosingIterator

from harness.applications import count_of
from harness.browsers import WsgiBrowser
from harness.recording_store import take_commands
from harness.servers import serve_wsgi
from sessile import Session
from sessile.core.session_values import FLASHES
from sessile.errors import ConfigError, StoreUnavailable, TooLate
from sessile.service.sessions import context_of
from sessile.web.flask import Sessile, session
from web.flask_shop import count, customer, route, shop, show, stream


@pytest.fixture
def app(sessions):
    return shop(sessions)


@pytest.fixture
def browser(app, sessions):
    """A browser whose session holds n = 1."""
    return customer(app, sessions)


def test_lines_of_the_readme(sessions):
    """``Sessile(app, sessions)``, and ``flask.session`` logs in and keeps nested changes."""
    app = flask.Flask("flask shop")
    Sessile(app, sessions)

    @app.post("/login")
    def login():
        flask.session.login("alice")
        return {}

    @app.post("/cart")
    def add():
        flask.session.setdefault("cart", []).append("socks")
        return {"user": flask.session.user, "cart": flask.session["cart"]}

    client = app.test_client()
    client.post("/cart")
    client.post("/login")

    assert client.post("/cart").json == {"user": "alice", "cart": ["socks", "socks"]}


def test_init_app_does_the_same(sessions):
    """An extension made first and bound later works alike."""
    extension = Sessile(sessions=sessions)
    app = flask.Flask("flask shop")
    extension.init_app(app)
    route(app, "/")(count)

    assert WsgiBrowser(app).get().one("set-cookie").startswith("sid=")


def test_init_app_takes_no_sessions(sessions):
    """As other extensions take an option there, it is told where sessions belong."""
    app = flask.Flask("flask shop")
    with pytest.raises(ConfigError, match=r"Sessile\(sessions=sessions\) beside the function"):
        Sessile(sessions=sessions).init_app(app, sessions)


def test_sessions_default_to_the_environment(monkeypatch):
    """Without ``sessions`` they are found as ``Sessions()`` finds them."""
    monkeypatch.setenv("SESSILE_URL", "memory://")
    app = flask.Flask("flask shop")

    Sessile(app)
    route(app, "/")(count)

    assert WsgiBrowser(app).get().one("set-cookie").startswith("__Host-sid=")


def test_session_is_a_session(app, browser):
    """``flask.session`` has the session's own type, and a typed name beside it."""

    @route(app, "/view")
    def view():
        assert isinstance(flask.session._get_current_object(), Session)
        assert session._get_current_object() is flask.session._get_current_object()
        assert not flask.session.new
        flask.session.modified = True

    assert browser.get("/view").status == 200


def test_untouched_view_costs_nothing(app, sessions, browser):
    """No store command and no header where the view leaves the session alone."""
    route(app, "/none")(lambda: "plain")

    reply = browser.get("/none")

    assert (reply.all("vary"), reply.all("set-cookie")) == ([], [])
    assert take_commands(sessions) == []


def test_reader_varies_and_writes_nothing(app, sessions, browser):
    """A read is one store command; ``Vary: Cookie`` joins what the view said."""

    @route(app, "/vary")
    def view():
        reply = flask.make_response(show())
        reply.vary.add("Accept")
        return reply

    reply = browser.get("/vary")

    assert (reply.body, reply.one("vary")) == (b"1", "Accept, Cookie")
    assert reply.one("set-cookie") is None
    assert take_commands(sessions) == ["read"]


def test_logout_ends_the_session(app, sessions, browser):
    """Logout in a view is the end on the server, and the deletion cookie."""
    old = browser.cookie

    @route(app, "/logout")
    def view():
        flask.session.logout()

    assert "Max-Age=0" in browser.get("/logout").one("set-cookie")
    assert count_of(sessions, old) == "None"


def test_flask_asks_what_it_asks_of_any_session(app, sessions, browser):
    """``accessed``, ``modified`` and ``new`` say the truth, and Flask may set what it sets."""
    said = []

    @route(app, "/view")
    def view():
        mine = flask.session._get_current_object()
        assert isinstance(mine, SessionMixin)
        mine.accessed = mine.modified = True
        said.append((mine.accessed, take_commands(sessions)))
        said.append((mine.new, mine.modified, mine.accessed))
        mine["n"] = 2
        said.append((mine.new, mine.modified, mine.accessed))

    assert browser.get("/view").status == 200
    assert said == [(False, []), (False, False, True), (False, True, True)]

    said.clear()
    take_commands(sessions)
    assert WsgiBrowser(app).get("/view").one("set-cookie").startswith("sid=")
    assert said == [(False, []), (True, False, True), (True, True, True)]


def test_flashes_are_flasks_own(app, browser):
    """``flask.flash`` and ours leave messages that either side takes, with their categories."""

    @route(app, "/view")
    def leave():
        flask.flash("saved", "info")
        flask.session.flash("careful", "warning")

    route(app, "/take")(lambda: str(flask.get_flashed_messages(with_categories=True)))
    route(app, "/ours")(lambda: str(flask.session.flashes()))

    browser.get("/view")
    assert browser.get("/take").body == b"[('info', 'saved'), ('warning', 'careful')]"
    assert browser.get("/take").body == b"[]"
    browser.get("/view")
    assert browser.get("/ours").body == b"[('info', 'saved'), ('warning', 'careful')]"


def test_flash_shown_at_once_is_not_stored(app, sessions, browser):
    """A message left and taken in one request is not written."""

    @route(app, "/view")
    def view():
        flask.flash("now")
        assert FLASHES in flask.session
        return str(flask.get_flashed_messages())

    assert browser.get("/view").body == b"['now']"
    assert take_commands(sessions) == ["read"]


def test_hooks_around_the_view_use_the_session_too(app, browser):
    """What ``before_request`` and ``after_request`` set is saved with the view's changes."""

    @app.before_request
    def before():
        flask.session["before"] = 1

    @app.after_request
    def after(response):
        flask.session["after"] = 1
        return response

    route(app, "/all")(lambda: str(sorted(flask.session)))
    browser.get()

    assert browser.get("/all").body == b"['after', 'before', 'n']"


def test_saved_answer_reaches_the_server_as_flask_made_it(app):
    """A body that Flask holds in full is not wrapped again."""
    environ = EnvironBuilder().get_environ()

    body = app(environ, lambda *_: None)

    assert type(body) is ClosingIterator


def test_session_transaction_reads_and_writes(app):
    """Flask's test client can prepare a session and look at it."""
    client = app.test_client()

    with client.session_transaction() as prepared:
        prepared["n"] = 41
    assert client.get("/").text == "42"

    with client.session_transaction() as seen:
        assert seen["n"] == 42
    assert client.get("/").text == "43"


def test_session_transaction_logs_in_and_out(app, sessions):
    """A test logs its client in before the request, and out again after it."""
    client = app.test_client()
    route(app, "/me")(lambda: str(flask.session.user))

    with client.session_transaction() as prepared:
        prepared.login("alice")
    assert client.get("/me").text == "alice"

    with client.session_transaction() as seen:
        assert (seen.user, seen.new) == ("alice", False)
        seen.logout()
    assert client.get_cookie("sid") is None
    assert sessions.sync.of("alice") == []


def test_session_transaction_that_does_nothing_costs_nothing(app, sessions):
    """A test that only enters and leaves asks no store and gets no cookie."""
    client = app.test_client()

    with client.session_transaction():
        pass

    assert take_commands(sessions) == []
    assert client.get_cookie("sid") is None


def test_session_transaction_tells_of_an_outage(app, sessions):
    """What a test prepares is stored, or the test is told that it is not."""

    def prepare():
        with app.test_client().session_transaction() as prepared:
            prepared["n"] = 41
            context_of(sessions).store.down = True

    with pytest.raises(StoreUnavailable):
        prepare()


def test_session_can_be_read_after_the_request_in_a_test(app):
    """``with client`` keeps the session readable, and closed, once the answer is there."""
    with app.test_client() as client:
        client.get("/")
        assert flask.session["n"] == 1
        with pytest.raises(TooLate):
            flask.session["n"] = 2


def test_stream_may_use_the_session_until_its_first_byte(app, browser):
    """A stream with a context may open and change its session; then the headers leave with it."""
    stream(app, lambda: "", count, show)

    reply = browser.get("/stream")

    assert (reply.body, reply.one("vary")) == (b"22", "Cookie")
    assert browser.get("/show").body == b"2"


def test_stream_may_not_change_it_after_its_first_byte(app, browser):
    """A later change raises."""
    stream(app, count, count)

    with pytest.raises(TooLate, match="before the first byte"):
        browser.get("/stream")


def test_nested_change_after_the_save_is_noticed(app, browser):
    """A list that grows in ``teardown_request`` is too late, and that is said."""

    @app.teardown_request
    def teardown(_):
        flask.session["cart"].append("hat")

    @route(app, "/view")
    def view():
        flask.session["cart"] = ["socks"]

    with pytest.raises(TooLate, match="changed in place"):
        browser.get("/view")


def test_sent_file_is_saved_with_its_session(app, sessions):
    """A view that sends a file may begin a session."""

    @route(app, "/view")
    def view():
        count()
        return flask.send_file(__file__)

    assert count_of(sessions, WsgiBrowser(app).get("/view").cookie) == "1"


def test_session_lives_over_http(app):
    """A real client on a real threaded server keeps its session."""
    with serve_wsgi(app) as url, httpx.Client(base_url=url) as client:
        assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]


def test_missing_flask_names_the_extra():
    """Without Flask the error says what to install."""
    code = (
        "import sys; sys.modules['flask'] = None\n"
        "try:\n    import sessile.web.flask\n"
        "except ImportError as error: print('ImportError')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.startswith("MissingExtra sessile.web.flask needs sessile[flask]")
