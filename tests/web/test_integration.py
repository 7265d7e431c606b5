"""What a framework takes to have sessions: the page's own example, run, and what it stands on."""

import ast
import re
from pathlib import Path

import pytest

from harness.browsers import WsgiBrowser
from harness.examples import DOCS, run_example, source_of
from harness.recording_store import fresh_sessions, take_commands
from sessile import ForgeableBody, minutes
from sessile.errors import StoreUnavailable, TokenNeeded, TooLate
from sessile.service.events import Denied
from sessile.service.sessions import context_of
from sessile.web import integration
from sessile.web.integration import LazySession, PlainRequest, RequestSession

EXAMPLE = run_example("frameworks.md", "Framework")
CHECK_CSRF = run_example("frameworks.md", "check_csrf").check_csrf
SOURCE = Path(integration.__file__).parent
FORM = "application/x-www-form-urlencoded"


def show(session):
    return [f"{session.user} {session.get('cart')}".encode()]


def add(session):
    session.setdefault("cart", []).append("socks")
    return [b"added"]


def log_in(session):
    session.login("alice")
    return [b"welcome"]


def log_out(session):
    session.logout()
    return [b"bye"]


def step_up(session):
    session.step_up("pay", factors=("totp",))
    return [b"go on"]


def settings(session):
    return [f"settings of {session.user}".encode()]


def pay(session):
    return [b"paid"]


def leave(session):
    return [b"plain"]


HANDLERS = {
    "/": show,
    "/cart": add,
    "/login": log_in,
    "/logout": log_out,
    "/step-up": step_up,
    "/settings": EXAMPLE.require(settings, fresh=minutes(5)),
    "/pay": EXAMPLE.require(pay, purpose="pay"),
    "/plain": leave,
}


def shop(sessions, **handlers):
    """A shop in the page's framework; more handlers stand at their names."""
    app = EXAMPLE.Framework(sessions)
    app.handlers |= HANDLERS | {f"/{name}": handler for name, handler in handlers.items()}
    return app


@pytest.fixture
def browser(sessions):
    return WsgiBrowser(shop(sessions))


def test_visitor_fills_a_cart_logs_in_and_out(browser):
    """The cart goes along to the login's new session, and nothing is left after the logout."""
    browser.get("/cart")
    visitor = browser.cookie
    browser.get("/login")
    browser.get("/cart")

    assert browser.get("/").body == b"alice ['socks', 'socks']"
    assert WsgiBrowser(browser.app, visitor).get("/").body == b"None None"
    assert "Max-Age=0" in browser.get("/logout").one("set-cookie")
    assert browser.get("/").body == b"None None"


def test_untouched_request_costs_nothing(browser, sessions):
    """A handler that leaves the session alone asks no store and adds no header."""
    browser.get("/cart")
    take_commands(sessions)

    assert browser.get("/plain").fields == [("content-type", "text/plain")]
    assert take_commands(sessions) == []


def test_session_is_stored_before_the_headers_leave(browser, sessions):
    """An answer brings its ticket, and says to caches that it is nobody else's."""
    reply = browser.get("/cart")

    assert take_commands(sessions) == ["create"]
    assert reply.one("set-cookie").startswith("sid=")
    assert (reply.one("vary"), reply.one("cache-control")) == ("Cookie", "no-store")


def test_request_of_another_site_never_reaches_a_handler(browser, sessions):
    """It is a 403 that costs no store command."""
    headers = {"sec-fetch-site": "cross-site", "origin": "https://thief.example"}
    reply = browser.get("/login", method="POST", headers=headers)

    assert (reply.status, reply.one("set-cookie")) == (403, None)
    assert take_commands(sessions) == []


def test_outage_is_503_and_leaves_the_cookie_alone(browser, sessions):
    """Nobody becomes a stranger by it; when the store is back, so is the session."""
    browser.get("/cart")
    context_of(sessions).store.down = True
    reply = browser.get("/")

    assert (reply.status, reply.one("retry-after"), reply.one("set-cookie")) == (503, "1", None)
    context_of(sessions).store.down = False
    assert browser.get("/").body == b"None ['socks']"


def test_outage_at_the_commit_replaces_the_answer(sessions):
    """What could not be stored is not said to be done."""

    def break_store(session):
        context_of(sessions).store.down = True
        return add(session)

    reply = WsgiBrowser(shop(sessions, broken=break_store)).get("/broken")

    assert (reply.status, b"added" in reply.body) == (503, False)


def test_failed_handler_saves_nothing(sessions):
    """Its error goes on, and the session that it left behind refuses changes."""
    held = []

    def fail(session):
        held.append(session)
        add(session)
        raise ZeroDivisionError

    browser = WsgiBrowser(shop(sessions, fail=fail))
    browser.get("/login")
    with pytest.raises(ZeroDivisionError):
        browser.get("/fail")

    assert browser.get("/").body == b"alice None"
    with pytest.raises(TooLate, match="nothing of its session is saved"):
        held[0].clear()


def stream(*steps):
    """A handler that looks at its session, and does each step while its body is sent."""

    def handler(session):
        session.setdefault("cart", [])
        return (step(session) or b"." for step in steps)

    return handler


@pytest.mark.parametrize(
    "change", [lambda s: s.update(n=1), lambda s: s.login("alice"), lambda s: s.logout()]
)
def test_change_after_the_headers_is_too_late(sessions, change):
    """A body that changes the session while it is sent is told so."""
    browser = WsgiBrowser(shop(sessions, stream=stream(lambda _: None, change)))

    with pytest.raises(TooLate, match="before the first byte"):
        browser.get("/stream")


def test_nested_change_after_the_headers_is_noticed(sessions):
    """A list that grows while the body is sent is found at its end."""
    grow = stream(lambda session: session["cart"].append("hat"))

    with pytest.raises(TooLate, match="changed in place too late"):
        WsgiBrowser(shop(sessions, stream=grow)).get("/stream")


def test_require_asks_for_a_login_and_for_a_fresh_one():
    """Nobody meets a 401, an old login a 403, and hooks are told whom it met, and from where."""
    told = []
    sessions = fresh_sessions(hooks=[told.append])
    browser = WsgiBrowser(shop(sessions))
    nobody = browser.get("/settings", REMOTE_ADDR="192.0.2.7")
    browser.get("/login")
    fresh = browser.get("/settings")
    context_of(sessions).clock.advance(minutes(6))
    denied = [event for event in told if isinstance(event, Denied)]

    assert (nobody.status, nobody.one("www-authenticate")) == (401, "Session")
    assert fresh.body == b"settings of alice"
    assert browser.get("/settings").status == 403
    assert [(event.owner, event.client.address) for event in denied] == [(None, "192.0.2.7")]


def test_grant_is_used_once(browser):
    """A step-up opens its door for one request."""
    browser.get("/login")
    browser.get("/step-up")

    assert [browser.get("/pay").status for _ in range(2)] == [200, 403]


def test_ticket_in_a_form_leaves_the_form_to_the_application():
    """``environ_request`` reads a form for the carrier that looks there, and puts it back."""
    sessions = fresh_sessions(carriers=[ForgeableBody("sid")])
    seen = []

    class Echo(EXAMPLE.Framework):
        def __call__(self, environ, start_response):
            chunks = super().__call__(environ, start_response)
            seen.append(environ["wsgi.input"].read())
            return chunks

    browser = WsgiBrowser(Echo(sessions))
    browser.app.handlers |= HANDLERS
    form = f"sid={browser.get('/cart').one('session-ticket')}&size=4".encode()
    headers = {"content-type": FORM, "content-length": str(len(form))}

    assert browser.get("/", method="POST", headers=headers, body=[form]).body == b"None ['socks']"
    assert seen[-1] == form


def life_with(sessions, **request):
    return RequestSession(sessions, PlainRequest(**request))


def headers_after(life):
    """What a browser sends after that answer."""
    headers = dict(life.add_headers([]))
    return {"cookie": headers["set-cookie"].partition(";")[0]}


def test_framework_without_an_environ_makes_a_plain_request(sessions):
    """Headers, a method and an address are all that a session needs to know."""
    first = life_with(sessions)
    LazySession(first)["n"] = 1
    first.commit()
    second = life_with(sessions, headers=headers_after(first))

    assert LazySession(second)["n"] == 1


def test_error_page_uses_the_session_anew(sessions):
    """After ``restart`` the failed handler is forgotten; what its page does is saved."""
    life = life_with(sessions)
    session = LazySession(life)
    session.login("alice")
    life.restart()
    session.flash("sorry")
    life.commit()
    following = LazySession(life_with(sessions, headers=headers_after(life)))

    assert (session.user, following.user) == (None, None)
    assert following.flashes() == [("message", "sorry")]


def test_outage_that_became_a_500_can_be_told(sessions):
    """A framework that catches every error still finds the one that is a 503."""
    life = life_with(sessions, headers={"cookie": "sid=" + "a" * 60})
    context_of(sessions).store.down = True
    with pytest.raises(StoreUnavailable):
        _ = LazySession(life).user

    assert integration.refusal(life.outage).status == 503


def test_csrf_check_of_the_page(sessions):
    """A request that may change something brings its session's token, in a header or the form."""
    first = life_with(sessions)
    token = sessions.csrf_token(LazySession(first))
    first.commit()
    cookie = headers_after(first)

    def check(form=(), method="POST", **headers):
        life = life_with(sessions, method=method, headers=cookie | headers)
        CHECK_CSRF(LazySession(life), dict(form))

    check(method="GET")
    check({"csrf_token": token})
    check(**{"x-csrf-token": token})
    for form in ({}, {"csrf_token": "junk"}):
        with pytest.raises(TokenNeeded):
            check(form)


def imported(code):
    """The modules of ours that a source imports names from."""
    nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    return {node.module for node in nodes if node.module.startswith("sessile")}


def test_example_stands_on_public_names_alone():
    """The page's framework takes nothing that a framework outside could not."""
    code = source_of("frameworks.md", "Framework")

    assert imported(code) == {"sessile", "sessile.web.integration"}
    assert len(list(filter(str.strip, code.splitlines()))) <= 40


def test_our_own_frameworks_stand_on_the_same():
    """WSGI and Flask use no other part of ``web``: what they need, a stranger has too."""
    used = {
        name: {module for module in imported((SOURCE / name).read_text()) if ".web." in module}
        for name in ("wsgi.py", "flask.py")
    }

    assert used == {
        "wsgi.py": {"sessile.web.integration", "sessile.web.excluded"},
        "flask.py": {
            "sessile.web.flask_settings",
            "sessile.web.flask_templates",
            "sessile.web.integration",
            "sessile.web.wsgi",
        },
    }


def test_every_name_is_explained():
    """The page tells what each name is for, and each name is there."""
    page = (DOCS / "frameworks.md").read_text()

    assert [name for name in integration.__all__ if not re.search(rf"`{name}\b", page)] == []
    assert all(hasattr(integration, name) for name in integration.__all__)
