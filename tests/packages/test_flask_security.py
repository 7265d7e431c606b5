"""Flask-Security over sessile: its own pages, users by another id, freshness, CSRF tokens."""

from datetime import timedelta
from typing import ClassVar

import flask
import flask_security
import pytest
from flask_wtf import CSRFProtect
from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, create_engine
from sqlalchemy.orm import DeclarativeBase, relationship, scoped_session, sessionmaker
from sqlalchemy.pool import StaticPool

from packages.flask_portal import FlaskPortal
from packages.portal import Logins, OfThePage, fields_of, ticket_of

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow")  # of Flask-Login

UNIQUIFIER = "0f" * 16
PASSWORD = "correct horse battery"
EMAIL = "alice@example.com"
HOUR = 3_600


class Model(DeclarativeBase):
    pass


MEMBERS = Table(
    "members",
    Model.metadata,
    Column("user_id", ForeignKey("user.id")),
    Column("role_id", ForeignKey("role.id")),
)


class Role(Model, flask_security.RoleMixin):
    __tablename__ = "role"
    id = Column(Integer, primary_key=True)
    name = Column(String, unique=True)


class Member(Model, flask_security.UserMixin):
    __tablename__ = "user"
    id = Column(Integer, primary_key=True)
    email = Column(String, unique=True)
    password = Column(String)
    active = Column(Boolean)
    fs_uniquifier = Column(String, unique=True)
    roles = relationship(Role, secondary=MEMBERS)


def database():
    """A database in memory, with Alice in it."""
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    Model.metadata.create_all(engine)
    return scoped_session(sessionmaker(engine))


class SecurityPortal(FlaskPortal):
    """As its quick start has it, with CSRF tokens in every form and in a cookie for scripts."""

    owner = UNIQUIFIER
    settings: ClassVar = {
        "SECURITY_PASSWORD_SALT": "a salt of the application, for tests",
        "SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS": {  # quick, as nobody attacks them
            "argon2__rounds": 1,
            "argon2__memory_cost": 64,
        },
        "SECURITY_CSRF_COOKIE_NAME": "XSRF-TOKEN",
        "SECURITY_FRESHNESS": timedelta(hours=1),
        "SECURITY_FRESHNESS_GRACE_PERIOD": timedelta(0),
    }

    def set_up(self, app):
        store = self.protect(app, database())
        with app.app_context():
            store.create_user(
                email=EMAIL,
                password=flask_security.hash_password(PASSWORD),
                fs_uniquifier=UNIQUIFIER,
            )
            store.commit()
        self.users = store

        @app.get("/")
        def who():
            user = flask_security.current_user
            return "alice" if user.is_authenticated and user.email == EMAIL else "nobody"

        @app.get("/money")
        @flask_security.auth_required("session", within=60, grace=0)  # minutes
        def money():
            return "yours"

        @app.post("/wait")
        def wait():
            flask.session["fs_paa"] -= 2 * HOUR
            return "waited"

        if "csrf" in app.extensions:
            app.extensions["csrf"].exempt(wait)

    def protect(self, app, session):
        """Give it the package, and return where its users are."""
        CSRFProtect(app)
        store = flask_security.SQLAlchemySessionUserDatastore(session, Member, Role)
        flask_security.Security(app, store)
        return store

    def log_in(self, visitor, **form):
        page = visitor.get("/login")
        sent = {"email": EMAIL, "password": PASSWORD, **fields_of(page), **form}
        assert visitor.post("/login", data=sent).status_code == 302

    def log_out(self, visitor):
        token = visitor.cookies["XSRF-TOKEN"]
        assert visitor.post("/logout", headers={"x-xsrf-token": token}).status_code == 302


class PageSecurityPortal(OfThePage, SecurityPortal):
    """As the page has it: tokens are in forms alone."""

    example = "end_sessions"
    settings: ClassVar = {
        name: value
        for name, value in SecurityPortal.settings.items()
        if name != "SECURITY_CSRF_COOKIE_NAME"
    }

    def protect(self, app, session):
        self.page = self.run_example(app, db_session=session, User=Member, Role=Role)
        return app.extensions["security"].datastore

    def log_out(self, visitor):
        assert visitor.post("/logout").status_code == 302


class TestFlaskSecurityOfThePage(Logins):
    portal = PageSecurityPortal


class TestFlaskSecurity(Logins):
    portal = SecurityPortal


def test_user_is_known_by_the_uniquifier():
    """Under which sessions are listed; who takes another one is logged out everywhere."""
    portal = PageSecurityPortal()
    alice, phone = portal.customer(), portal.customer(remember="y")
    with portal.app.app_context():
        portal.users.set_uniquifier(portal.users.find_user(email=EMAIL), "1f" * 16)
        portal.users.commit()

    assert not portal.is_in(alice)
    assert not portal.is_in(phone)
    phone.cookies.delete("sid")
    assert not portal.is_in(phone)
    known = Member(fs_uniquifier=UNIQUIFIER)
    assert portal.page.end_sessions(known) >= 2
    assert portal.list_ids() == []


def test_wrong_password_is_no_login():
    """The page's refusal leaves the visitor's session as it is, and nobody's."""
    portal = SecurityPortal()
    visitor = portal.visitor()
    page = visitor.get("/login")
    before = ticket_of(visitor)
    form = {"email": EMAIL, "password": "wrong", **fields_of(page)}

    assert "Invalid password" in visitor.post("/login", data=form).text
    assert ticket_of(visitor) == before
    assert portal.list_ids() == []


def test_form_without_its_token_is_refused():
    """The token lies in the session: another visitor's is none, with or without a session."""
    portal = SecurityPortal()
    thief = portal.visitor()
    stolen = fields_of(thief.get("/login"))
    for given in (stolen, {}):
        visitor = portal.visitor()
        visitor.get("/login")
        form = {"email": EMAIL, "password": PASSWORD, **given}
        assert visitor.post("/login", data=form).status_code in {200, 400}
        assert not portal.is_in(visitor)

    assert portal.list_ids() == []


def test_token_in_the_cookie_is_that_of_the_session():
    """A login hands scripts a token that the next form takes; a logout takes it away."""
    portal = SecurityPortal()
    alice = portal.customer()
    token = alice.cookies["XSRF-TOKEN"]
    alice.post("/wait")
    sent = {"json": {"password": PASSWORD}, "headers": {"accept": "application/json"}}
    assert alice.post("/verify", **sent).status_code == 400
    sent["headers"]["x-xsrf-token"] = token
    assert alice.post("/verify", **sent).status_code == 200
    portal.log_out(alice)

    assert "XSRF-TOKEN" not in alice.cookies


def test_login_is_fresh_until_its_hour_is_over():
    """Then the page asks for the password once more; the session stays the same one."""
    portal = SecurityPortal()
    alice = portal.customer()
    before = portal.list_ids()
    assert alice.get("/money").text == "yours"
    alice.post("/wait")
    asked = alice.get("/money")
    assert asked.status_code == 302
    page = alice.get(asked.headers["location"])
    form = {"password": PASSWORD, **fields_of(page)}
    assert alice.post("/verify", data=form).status_code == 302

    assert alice.get("/money").text == "yours"
    assert portal.list_ids() == before


def test_remembered_login_is_not_fresh():
    """It has never given a password in this session, and so is asked for one."""
    portal = SecurityPortal()
    alice = portal.customer(remember="y")
    old = ticket_of(alice)
    alice.cookies.delete("sid")

    assert portal.is_in(alice)
    assert ticket_of(alice) not in {None, old}
    assert alice.get("/money").status_code == 302
