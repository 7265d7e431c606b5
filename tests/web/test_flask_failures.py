"""Flask when something fails: a view, a value, the store. Nothing half done is ever saved."""

import flask
import pytest
from markupsafe import Markup
from werkzeug.exceptions import ImATeapot
from werkzeug.local import LocalProxy

from harness.browsers import WsgiBrowser
from harness.recording_store import fresh_sessions
from sessile import OnLimit, Policy
from sessile.core.session_values import FLASHES
from sessile.errors import StoreUnavailable, TooManySessions, UnsupportedValue
from sessile.service.sessions import context_of
from web.flask_shop import count, customer, route, shop, show, stream


@pytest.fixture
def app(sessions):
    return shop(sessions)


@pytest.fixture
def browser(app, sessions):
    """A browser whose session holds n = 1."""
    return customer(app, sessions)


def test_failed_view_saves_nothing(app, browser):
    """A 500 keeps nothing of the view that failed, not even its login."""

    @route(app, "/boom")
    def boom():
        count()
        flask.session.login("alice")
        raise RuntimeError("a bug")

    reply = browser.get("/boom")

    assert (reply.status, reply.one("set-cookie")) == (500, None)
    assert browser.get("/show").body == b"1"


def test_error_page_has_a_session_of_its_own(app, browser):
    """The page for a 500 sees what is stored and may leave a message."""

    @route(app, "/boom")
    def boom():
        count()
        raise RuntimeError("a bug")

    @app.errorhandler(500)
    def sorry(_):
        flask.flash("sorry")
        return show(), 500

    route(app, "/take")(lambda: str(flask.get_flashed_messages()))

    assert browser.get("/boom").body == b"1"
    assert browser.get("/take").body == b"['sorry']"


def test_aborted_view_is_an_answer(app, browser):
    """``abort`` is an answer like any other: what the view did before is saved."""

    @route(app, "/teapot")
    def teapot():
        count()
        flask.abort(418)

    assert browser.get("/teapot").status == 418
    assert browser.get("/show").body == b"2"


def test_announced_abort_is_an_answer_as_well(app, browser):
    """Extensions that announce every ``abort`` as a failed request do not undo the view."""

    @route(app, "/teapot")
    def teapot():
        count()
        flask.got_request_exception.send(app, exception=ImATeapot())
        flask.abort(418)

    assert browser.get("/teapot").status == 418
    assert browser.get("/show").body == b"2"


def test_exception_propagates_when_testing(app, browser):
    """With ``TESTING`` the exception goes through, and nothing is saved."""
    app.testing = True
    route(app, "/boom")(lambda: count() / 0)

    with pytest.raises(TypeError):
        browser.get("/boom")

    assert browser.get("/show").body == b"1"


def test_value_that_cannot_be_kept_is_a_500(app, browser):
    """A nested value that cannot be stored fails the request, not the session."""

    @route(app, "/view")
    def view():
        flask.session.setdefault("cart", []).append(object())

    reply = browser.get("/view")

    assert (reply.status, reply.one("set-cookie")) == (500, None)


def test_flash_of_markup_comes_back_as_text(app, browser):
    """Markup, a kind of text, is kept as text: a template escapes it, unless it is told not to."""

    @route(app, "/flash")
    def flash():
        flask.flash(Markup("<b>saved</b>"))

    route(app, "/take")(
        lambda: flask.render_template_string(
            "{% for text in get_flashed_messages() %}{{ text }}{{ text|safe }}{% endfor %}"
        )
    )
    browser.get("/flash")

    assert browser.get("/take").body == b"&lt;b&gt;saved&lt;/b&gt;<b>saved</b>"


def test_flash_of_what_cannot_be_kept_is_refused_where_it_stands(app, browser):
    """What only says that it is a text is refused in the view that flashes it, naming the key."""
    said = []

    @route(app, "/flash")
    def flash():
        with pytest.raises(UnsupportedValue, match=r"session\['_flashes'\]: .*Proxy") as refused:
            flask.flash(LocalProxy(lambda: "saved"))
        said.append(refused.value.key)

    browser.get("/flash")

    assert said == [FLASHES]


@pytest.mark.parametrize("testing", [False, True])
@pytest.mark.parametrize("path", ["/", "/show"])
def test_outage_is_503(app, sessions, browser, path, testing):
    """A store that is down is 503 with ``Retry-After``, debugging or not; then it goes on."""
    app.testing = testing
    context_of(sessions).store.down = True

    reply = browser.get(path)

    assert (reply.status, reply.one("retry-after"), reply.one("set-cookie")) == (503, "1", None)
    context_of(sessions).store.down = False
    assert browser.get("/show").body == b"1"


def breaking(sessions):
    """A view whose change cannot be stored."""

    def view():
        count()
        context_of(sessions).store.down = True
        return "secret"

    return view


def test_outage_at_the_commit_replaces_the_answer(app, sessions, browser):
    """When the change cannot be stored, the view's answer does not leave."""
    route(app, "/break")(breaking(sessions))

    reply = browser.get("/break")

    assert (reply.status, reply.one("retry-after"), reply.one("set-cookie")) == (503, "1", None)
    assert b"secret" not in reply.body
    assert int(reply.one("content-length")) == len(reply.body)


def test_outage_in_a_stream_is_503(app, sessions, browser):
    """The same before the first byte of a stream."""
    stream(app, breaking(sessions))

    assert browser.get("/stream").status == 503


def test_hook_that_meets_the_outage_again_is_503_too(app, sessions, browser):
    """A login extension that looks at the session after each request turns no 503 into a 500."""

    @app.after_request
    def after(response):
        show()
        return response

    context_of(sessions).store.down = True

    assert browser.get("/show").status == 503


def test_application_may_answer_an_outage_itself(app, sessions, browser):
    """The application's own page for an outage comes before ours, at a touch and at the commit."""
    app.register_error_handler(StoreUnavailable, lambda _: ("our own page", 503))
    route(app, "/break")(breaking(sessions))

    assert browser.get("/break").body == b"our own page"
    assert browser.get("/show").body == b"our own page"


@pytest.fixture
def limited():
    """An application where alice may log in once, and has."""
    sessions = fresh_sessions(policy=Policy(limit=1, on_limit=OnLimit.REFUSE))
    login(sessions).get("/login")
    return sessions


def login(sessions, page=None):
    """A browser of an application with a login, and maybe a page for those who are refused."""
    app = shop(sessions)
    route(app, "/login")(lambda: flask.session.login("alice"))
    route(app, "/take")(lambda: str(flask.get_flashed_messages()))
    if page is not None:
        app.register_error_handler(TooManySessions, page)
    return WsgiBrowser(app)


def test_login_beyond_the_limit_is_403(limited):
    """A refused login is a 403 without a cookie."""
    reply = login(limited).get("/login")

    assert (reply.status, reply.one("set-cookie")) == (403, None)


def test_page_of_a_refused_login_may_use_the_session(limited):
    """The application's page for a refused login may leave a message for the next one."""

    def enough(error):
        flask.flash(f"at most {error.limit}")
        return flask.redirect("/")

    browser = login(limited, page=enough)

    assert browser.get("/login").status == 302
    assert browser.get("/take").body == b"['at most 1']"
