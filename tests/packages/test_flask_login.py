"""Flask-Login over sessile: remember cookies, fresh logins, session protection, two ways out."""

from typing import ClassVar

import flask
import flask_login
import pytest

from packages.flask_portal import FlaskPortal
from packages.portal import Logins, OfThePage, ticket_of
from sessile import Policy
from sessile.service.events import LoggedIn
from sessile.testing.application import SessionTester

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow")  # of the package

FIREFOX, CHROME = {"user-agent": "Firefox/140.0"}, {"user-agent": "Chrome/140.0"}
REMEMBER = flask_login.COOKIE_NAME


class Account(flask_login.UserMixin):
    """Alice's, by the id of her logins."""

    current = "alice"

    def __init__(self, name):
        self.id = name

    @classmethod
    def find(cls, name):
        return cls(name) if name == cls.current else None

    @classmethod
    def check(cls, _form):
        return cls(cls.current)


def show_user(app):
    @app.get("/")
    def who():
        return "alice" if flask_login.current_user.is_authenticated else "nobody"


class LoginPortal(FlaskPortal):
    """It remembers whom the form says so of; ``/clear`` is the tutorials' logout."""

    def set_up(self, app):
        manager = flask_login.LoginManager(app)
        manager.user_loader(Account.find)
        show_user(app)

        @app.post("/login")
        def login():
            user = Account.check(flask.request.form)
            flask_login.login_user(user, remember="remember" in flask.request.form)
            return "in"

        @app.post("/logout")
        @flask_login.login_required
        def logout():
            flask_login.logout_user()
            return "out"

        @app.post("/clear")
        def clear():
            flask.session.clear()
            return "out"

        @app.get("/account")
        @flask_login.fresh_login_required
        def account():
            return "yours"

        @app.post("/confirm")
        @flask_login.login_required
        def confirm():
            flask_login.confirm_login()
            return "confirmed"


class ClearPortal(LoginPortal):
    def log_out(self, visitor):
        assert visitor.post("/clear").status_code == 200


class PagePortal(OfThePage, FlaskPortal):
    example = "log_in"

    def set_up(self, app):
        self.run_example(app, find_user=Account.find, check_password=Account.check)
        show_user(app)


class TestFlaskLoginOfThePage(Logins):
    portal = PagePortal


class TestFlaskLogin(Logins):
    portal = LoginPortal


class TestClear(Logins):
    portal = ClearPortal


class GuardedPortal(LoginPortal):
    """It protects its sessions strongly."""

    settings: ClassVar = {"SESSION_PROTECTION": "strong"}


def forget_ticket(visitor):
    """Do what the end of a browser does to its cookies: those that are to be remembered stay."""
    visitor.cookies.delete("sid")


def test_remember_cookie_brings_back_a_login_under_a_new_id():
    """Where the browser lost the session, it is logged in by another one, and not freshly."""
    portal = LoginPortal()
    alice = portal.customer(remember="yes")
    old = ticket_of(alice)
    forget_ticket(alice)

    assert portal.is_in(alice)
    assert ticket_of(alice) not in {None, old}
    assert len(set(portal.list_ids())) == 2
    assert alice.get("/account").status_code == 401


def test_remember_cookie_outlives_an_end_by_an_operator():
    """That it logs in again is Flask-Login's promise; the session that ended stays ended."""
    portal = LoginPortal()
    alice = portal.customer(remember="yes")
    ended, *_ = portal.list_ids()
    thief = portal.visitor(ticket_of(alice))
    portal.sessions.sync.end_all("alice")

    assert not portal.is_in(thief)
    assert portal.is_in(alice)
    assert ended not in portal.list_ids()


@pytest.mark.parametrize("portal", [LoginPortal, PagePortal])
def test_another_alternative_id_logs_out_everywhere(portal, monkeypatch):
    """Remember cookies included; sessions are listed under the id of their login."""
    site = portal()
    alice, laptop = site.customer(remember="yes"), site.customer()
    monkeypatch.setattr(Account, "current", "alice-2")
    forget_ticket(alice)
    site.sessions.sync.end_all("alice")

    assert not site.is_in(alice)
    assert not site.is_in(laptop)
    site.customer()
    assert len(site.sessions.sync.of("alice-2")) == 1


def test_remember_cookie_goes_with_a_logout():
    """``logout_user`` forgets the browser as well; ``clear`` ends the session alone."""
    portal = LoginPortal()
    alice = portal.customer(remember="yes")
    portal.log_out(alice)
    assert REMEMBER not in alice.cookies
    assert not portal.is_in(alice)

    bob = portal.customer(remember="yes")
    old = ticket_of(bob)
    bob.post("/clear")
    assert not portal.is_in(portal.visitor(old))
    assert portal.is_in(bob)


def test_remember_cookie_keeps_the_limit():
    """A login that it brings back counts as any other."""
    portal = LoginPortal(policy=Policy(limit=1))
    alice = portal.customer(remember="yes")
    forget_ticket(alice)
    laptop = portal.customer()
    assert portal.is_in(alice)

    assert not portal.is_in(laptop)
    assert len(portal.list_ids()) == 1


@pytest.mark.parametrize(
    ("protection", "is_in", "status"),
    [("basic", True, 401), ("strong", False, 401), (None, True, 200)],
)
def test_tester_logs_in_for_flask_login(protection, is_in, status):
    """With its keys a login of the tester's is the package's, and fresh if it asks no browser."""
    portal = LoginPortal()
    portal.app.login_manager.session_protection = protection
    alice, visitor = portal.visitor(), portal.visitor()
    with SessionTester(portal.sessions) as tester:
        tester.log_in("alice", client=visitor)
        tester.log_in("alice", values={"_user_id": "alice", "_fresh": True}, client=alice)

        assert not portal.is_in(visitor)
        assert portal.is_in(alice) is is_in
        assert alice.get("/account").status_code == status


def test_fresh_login_opens_what_a_remembered_one_does_not():
    """``confirm_login`` makes it fresh, in the same session and without another login."""
    events = []
    portal = LoginPortal(hooks=[events.append])
    alice = portal.customer(remember="yes")
    assert alice.get("/account").text == "yours"
    forget_ticket(alice)
    assert alice.get("/account").status_code == 401
    before = portal.list_ids()
    logins = sum(isinstance(event, LoggedIn) for event in events)
    alice.post("/confirm")

    assert alice.get("/account").text == "yours"
    assert portal.list_ids() == before
    assert sum(isinstance(event, LoggedIn) for event in events) == logins == 2


def test_basic_protection_takes_the_freshness_of_another_browser():
    """Whoever comes with another User-Agent is logged in, and not freshly."""
    portal = LoginPortal()
    alice = portal.visitor(headers=FIREFOX)
    portal.log_in(alice)
    assert alice.get("/account").text == "yours"
    alice.headers.update(CHROME)

    assert portal.is_in(alice)
    assert alice.get("/account").status_code == 401
    assert len(portal.list_ids()) == 1


def test_strong_protection_ends_the_session_of_another_browser():
    """It logs out on the server: not even the browser that logged in is let in any more."""
    portal = GuardedPortal()
    alice = portal.visitor(headers=FIREFOX)
    portal.log_in(alice)
    assert portal.is_in(alice)
    thief = portal.visitor(ticket_of(alice), headers=CHROME)

    assert not portal.is_in(thief)
    assert not portal.is_in(alice)
    assert portal.list_ids() == []


def test_message_of_a_refusal_waits_for_the_login_page():
    """What Flask-Login flashes to whoever has to log in first is there, once."""
    portal = LoginPortal()
    app = portal.app
    app.login_manager.login_view = "enter"
    app.config["USE_SESSION_FOR_NEXT"] = True

    @app.get("/enter")
    def enter():
        return {"said": flask.get_flashed_messages(), "next": flask.session.get("next")}

    visitor = portal.visitor()
    assert visitor.post("/confirm").status_code == 302

    said = {"said": [app.login_manager.login_message], "next": "/confirm"}
    assert visitor.get("/enter").json() == said
    assert visitor.get("/enter").json() == {**said, "said": []}
    portal.log_in(visitor)
    assert portal.is_in(visitor)
