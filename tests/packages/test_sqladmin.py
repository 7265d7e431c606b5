"""sqladmin over sessile: its login page and backend, without the session that it would bring."""

from typing import ClassVar

from sqladmin import Admin, Flash, ModelView
from sqladmin.authentication import AuthenticationBackend
from sqlalchemy import Column, Integer, String, create_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import StaticPool
from starlette.applications import Starlette
from starlette.middleware import Middleware

from packages.asgi_portal import StarlettePortal
from packages.portal import Logins, OfThePage, ticket_of
from sessile.web.starlette import SessionMiddleware


class Model(DeclarativeBase):
    pass


class Article(Model):
    __tablename__ = "article"
    id = Column(Integer, primary_key=True)
    name = Column(String)


class ArticleView(ModelView, model=Article):
    column_list: ClassVar = [Article.id, Article.name]

    async def after_model_change(self, data, model, is_created, request):
        Flash.success(request, "It is in the shop.")


class Backend(AuthenticationBackend):
    """The one of sqladmin's documentation, but for the session's middleware."""

    def __init__(self):
        self.middlewares = []  # the application's session is there already

    async def login(self, request):
        form = await request.form()
        if form["password"] != "right":
            return False
        request.session.update({"token": form["username"]})
        return True

    async def logout(self, request):
        request.session.clear()
        return True

    async def authenticate(self, request):
        return request.session.get("token") == "alice"


def database():
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    Model.metadata.create_all(engine)
    return engine


class SqladminPortal(StarlettePortal):
    """The admin at ``/admin``."""

    options: ClassVar = {"principal": "token"}

    def set_up(self, app, backend=None):
        admin = Admin(app, database(), authentication_backend=backend or Backend())
        admin.add_view(ArticleView)

    def log_in(self, visitor, **form):
        sent = {"username": "alice", "password": "right", **form}
        assert visitor.post("/admin/login", data=sent).status_code == 302

    def log_out(self, visitor):
        assert visitor.get("/admin/logout").status_code == 302

    def is_in(self, visitor):
        return visitor.get("/admin/article/list").status_code == 200


def check_password(name, password):
    return name if password == "right" else None


class PageSqladminPortal(OfThePage, SqladminPortal):
    example = "AdminLogin"

    def set_up(self, app):
        self.run_example(app, engine=database(), check_password=check_password)

    def is_in(self, visitor):
        return visitor.get("/admin/").status_code == 200


class TestSqladminOfThePage(Logins):
    portal = PageSqladminPortal


class TestSqladmin(Logins):
    portal = SqladminPortal


class InnerPortal(SqladminPortal):
    """The session is the admin's alone: no other page has one."""

    def make(self):
        app = Starlette()
        backend = Backend()
        backend.middlewares = [Middleware(SessionMiddleware, sessions=self.sessions)]
        self.set_up(app, backend)
        return app


def test_session_may_be_the_admins_alone():
    """In the place where sqladmin puts its own, ours does the same."""
    portal = InnerPortal()
    alice = portal.customer()
    copy = portal.visitor(ticket_of(alice))
    assert len(portal.list_ids()) == 1
    portal.log_out(alice)

    assert not portal.is_in(copy)
    assert portal.list_ids() == []


def test_wrong_password_is_no_login():
    """The page says so, and there is no session."""
    portal = SqladminPortal()
    visitor = portal.visitor()
    sent = {"username": "alice", "password": "wrong"}

    assert visitor.post("/admin/login", data=sent).status_code == 400
    assert ticket_of(visitor) is None


def test_what_is_created_is_flashed_once():
    """The next page has the message that ``Flash`` leaves in the session."""
    portal = SqladminPortal()
    alice = portal.customer()
    made = alice.post("/admin/article/create", data={"name": "socks"})
    assert made.status_code == 302
    first, second = [alice.get("/admin/article/list").text for _ in range(2)]

    assert "socks" in first
    assert ["in the shop" in page for page in (first, second)] == [True, False]
