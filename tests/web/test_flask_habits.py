"""What people write in Flask out of habit: it is taken over, or refused at start with our line."""

import logging
from datetime import timedelta

import flask
import jinja2
import pytest

from harness.browsers import WsgiBrowser
from harness.recording_store import fresh_sessions, take_commands
from sessile import Cookie, Policy, SameSite, Sessions, days
from sessile.errors import ConfigError, TooLate
from sessile.web.flask import Sessile
from sessile.wire import log
from web.flask_shop import customer, route, shop, show

NO_ONE = Policy.aal2()


@pytest.fixture
def app(sessions):
    return shop(sessions)


@pytest.fixture
def browser(app, sessions):
    """A browser whose session holds n = 1."""
    return customer(app, sessions)


@pytest.fixture(autouse=True)
def _log_anew():
    log.log_late_permanent.cache_clear()
    log.log_refused_permanent.cache_clear()


def set_user():
    flask.session["user_id"] = 42


def log_in():
    flask.session.login("alice")


def put():
    flask.session["cart"] = ["socks"]


@pytest.mark.parametrize("begin", [set_user, log_in, put])
@pytest.mark.parametrize("first", [True, False])
def test_permanent_remembers_what_begins_in_its_request(app, sessions, begin, first):
    """Before or after a login, by ``login`` or by other code, or with a visitor's first value."""

    @route(app, "/begin")
    def view():
        if first:
            flask.session.permanent = True
        begin()
        flask.session.permanent = True
        return str(flask.session.permanent)

    reply = WsgiBrowser(app).get("/begin")

    assert reply.body == b"True"
    assert "Max-Age=2592000" in reply.one("set-cookie")


def test_login_that_says_otherwise_counts(app):
    """``login(remember=False)`` is what it says, and ``permanent = False`` remembers nobody."""

    @route(app, "/begin")
    def view():
        flask.session.permanent = True
        flask.session.login("alice", remember=False)

    @route(app, "/not")
    def not_permanent():
        flask.session.permanent = False
        flask.session.login("alice")

    assert "Max-Age" not in WsgiBrowser(app).get("/begin").one("set-cookie")
    assert "Max-Age" not in WsgiBrowser(app).get("/not").one("set-cookie")


def test_permanent_before_every_request_costs_nothing(app, sessions, browser):
    """The usual ``before_request`` asks no store, and makes no session for a visitor."""
    app.before_request(lambda: setattr(flask.session, "permanent", True))
    route(app, "/nothing")(lambda: None)

    assert browser.get("/nothing").one("vary") is None
    assert WsgiBrowser(app).get("/show").one("set-cookie") is None
    assert take_commands(sessions) == []


def test_permanent_that_comes_too_late_is_told_once(app, browser, caplog):
    """In a session that has begun it changes nothing; a line in the log says what to write."""

    @route(app, "/late")
    def view():
        flask.session.permanent = True
        flask.session["n"] = 2

    with caplog.at_level(logging.WARNING):
        assert [browser.get("/late").status, browser.get("/late").status] == [200, 200]

    assert caplog.text.count("login(user, remember=True)") == 1


def test_permanent_under_a_policy_that_remembers_nobody(caplog):
    """The login goes on, its cookie ends with the browser, and the log says why."""
    app = shop(fresh_sessions(policy=NO_ONE))

    @route(app, "/begin")
    def view():
        flask.session.permanent = True
        log_in()

    with caplog.at_level(logging.WARNING):
        reply = WsgiBrowser(app).get("/begin")

    assert (reply.status, "Max-Age" in reply.one("set-cookie")) == (200, False)
    assert "remembers nobody" in caplog.text


SETTINGS = [
    ({"SESSION_COOKIE_SAMESITE": "Strict"}, r"Cookie\(same_site=SameSite\.STRICT\)"),
    ({"SESSION_COOKIE_NAME": "shop"}, r"Cookie\(name='shop'\)"),
    ({"SESSION_COOKIE_DOMAIN": "shop.example"}, r"Cookie\(domain='shop.example'\)"),
    ({"SESSION_COOKIE_PATH": "/shop"}, r"Cookie\(path='/shop'\)"),
    ({"SESSION_COOKIE_PARTITIONED": True}, r"Cookie\(partitioned=True\)"),
    ({"SESSION_COOKIE_HTTPONLY": False}, "never see"),
    ({"PERMANENT_SESSION_LIFETIME": timedelta(days=7)}, r"remember_absolute=days\(7\)"),
    ({"PERMANENT_SESSION_LIFETIME": 86_400}, r"remember_idle=days\(1\)"),
    ({"SESSION_TYPE": "redis"}, r"redis://"),
]


@pytest.mark.parametrize(("setting", "line"), SETTINGS)
@pytest.mark.parametrize("later", [False, True])
def test_setting_that_says_otherwise_is_refused(setting, line, later):
    """At start, or, where it was set in between, at the first request: with the line to write."""
    app = flask.Flask("flask shop")
    extension = Sessile(sessions=Sessions("memory://"))
    if later:
        extension.init_app(app)
    app.config |= setting

    with pytest.raises(ConfigError, match=line):
        _ = WsgiBrowser(app).get() if later else extension.init_app(app)


def test_settings_that_agree_may_stay():
    """What both say alike is no contradiction; nor is Flask's own default."""
    app = flask.Flask("flask shop")
    app.config |= {
        "SESSION_COOKIE_SAMESITE": "Strict",
        "SESSION_COOKIE_SECURE": True,
        "SESSION_COOKIE_NAME": "shop",
        "SESSION_COOKIE_PATH": "/",
        "PERMANENT_SESSION_LIFETIME": timedelta(days=7),
        "SESSION_REFRESH_EACH_REQUEST": False,
    }
    cookie = Cookie(name="shop", same_site=SameSite.STRICT)
    policy = Policy(remember_idle=days(7), remember_absolute=days(7))

    Sessile(app, Sessions("memory://", cookie=cookie, policy=policy))


def test_teardown_reads_a_session_that_the_view_left_alone(app, browser):
    """Once the answer is complete a first look harms nobody; a change is too late."""
    seen = []
    route(app, "/untouched")(lambda: None)

    @app.teardown_request
    def look(_):
        seen.append(flask.session.get("n"))
        with pytest.raises(TooLate):
            flask.session["n"] = 2

    reply = browser.get("/untouched")

    assert (seen, reply.status, reply.one("vary")) == ([1], 200, None)


def test_test_reads_a_session_that_the_view_left_alone(app, sessions):
    """``with client:`` shows the session after any request, as with Flask's own."""
    route(app, "/untouched")(lambda: None)
    with app.test_client() as client:
        client.get("/")
        client.get("/untouched")
        assert flask.session["n"] == 1
        assert flask.session.get("missing") is None
        with pytest.raises(TooLate):
            flask.session.permanent = True


def test_test_reads_flashes(app):
    """A test may look at the messages after the request; they wait for the next page."""
    route(app, "/flash")(lambda: flask.flash("saved"))
    route(app, "/take")(lambda: str(flask.get_flashed_messages()))
    with app.test_client() as client:
        client.get("/flash")
        assert flask.get_flashed_messages(with_categories=True) == [("message", "saved")]
        assert client.get("/take").text == "['saved']"
        assert flask.get_flashed_messages() == ["saved"]
        client.get("/take")
        assert flask.get_flashed_messages() == []


def test_stream_may_not_look_first_after_its_first_byte(app, browser):
    """While an answer is on its way its caching depends on the first look, as before."""
    app.testing = True

    @app.get("/stream")
    def view():
        return flask.stream_with_context(step() for step in (lambda: "a", show))

    with pytest.raises(TooLate, match="Vary"):
        browser.get("/stream")


PAGES = {
    "page": "{{ session.user or 'nobody' }}",
    "macro": "{% macro m() %}{{ session.user or 'nobody' }}{% endmacro %}{{ m() }}",
    "import": "{% from 'macros' import m %}{{ m() }}",
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_stored_value_wins_in_templates(app, page):
    """``{% if session.user %}`` is the value that the application put there."""
    app.jinja_loader = jinja2.DictLoader({"macros": PAGES["macro"]})

    @route(app, "/in")
    def view():
        flask.session["user"] = "bob"
        flask.session["device"] = "desk"

    route(app, "/me")(lambda: flask.render_template_string(page))
    route(app, "/all")(
        lambda: flask.render_template_string(
            "{{ session['user'] }} {{ session.device }} {{ session.get('n', 5) }}"
            " {{ session|length }} {{ 'user' in session }} {{ session|list|join }}"
            " {{ session.items()|list|length }} {{ session.assurance }}{{ session.missing }}"
        )
    )
    browser = WsgiBrowser(app)

    assert browser.get("/me").body == b"nobody"
    browser.get("/in")
    assert browser.get("/me").body == b"bob"
    assert browser.get("/all").body == b"bob desk 5 2 True userdevice 2 0"


def test_login_shows_in_templates_where_no_value_is_stored(app):
    """``session.user`` is who is logged in, as long as nothing else has that name."""
    route(app, "/in")(log_in)
    route(app, "/me")(lambda: flask.render_template_string("{{ session.user }}"))
    browser = WsgiBrowser(app)
    browser.get("/in")

    assert browser.get("/me").body == b"alice"
