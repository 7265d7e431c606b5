"""starlette-admin over sessile: its login page and provider, and its own CSRF cookie."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette_admin import BaseAdmin
from starlette_admin.auth import AdminUser, AuthProvider
from starlette_admin.exceptions import LoginFailed

from packages.asgi_portal import StarlettePortal
from packages.portal import Logins, OfThePage, fields_of, ticket_of
from sessile.web.starlette import SessionMiddleware


class Provider(AuthProvider):
    """The one of its documentation."""

    async def login(self, username, password, remember_me, request):
        if password != "right":
            raise LoginFailed("Invalid username or password")
        request.session["user_id"] = username

    async def authenticate(self, request):
        user = request.session.get("user_id")
        return None if user is None else AdminUser(username=user)

    async def logout(self, request):
        request.session.clear()


class StarletteAdminPortal(StarlettePortal):
    """The admin at ``/admin``, under the session of the whole application."""

    def set_up(self, app):
        self.admin().mount_to(app)

    def admin(self, **options):
        return BaseAdmin(auth_provider=Provider(), secret_key="a secret, for tests", **options)

    def log_in(self, visitor, **form):
        page = visitor.get("/admin/login")
        sent = {"username": "alice", "password": "right", **fields_of(page), **form}
        assert visitor.post("/admin/login", data=sent).status_code == 303

    def log_out(self, visitor):
        token = fields_of(visitor.get("/admin/"))
        assert visitor.post("/admin/logout", data=token).status_code == 303

    def is_in(self, visitor):
        return visitor.get("/admin/").status_code == 200


class PageStarletteAdminPortal(OfThePage, StarletteAdminPortal):
    example = "AdminProvider"

    def set_up(self, app):
        self.run_example(
            app,
            check_password=lambda name, password: name if password == "right" else None,
            secret_key="a secret, for tests",
        )


class TestStarletteAdminOfThePage(Logins):
    portal = PageStarletteAdminPortal


class TestStarletteAdmin(Logins):
    portal = StarletteAdminPortal


class InnerAdminPortal(StarletteAdminPortal):
    """The session is the admin's alone, with our middleware in its list."""

    def make(self):
        app = Starlette()
        ours = Middleware(SessionMiddleware, sessions=self.sessions)
        self.admin(middlewares=[ours]).mount_to(app)
        return app


def test_session_may_be_the_admins_alone():
    """In the place where its documentation puts Starlette's, ours does the same."""
    portal = InnerAdminPortal()
    alice = portal.customer()
    copy = portal.visitor(ticket_of(alice))
    assert len(portal.list_ids()) == 1
    portal.log_out(alice)

    assert not portal.is_in(copy)
    assert portal.list_ids() == []


def test_login_without_the_admins_own_token_is_refused():
    """Its CSRF cookie stands beside our session, and both are asked."""
    portal = StarletteAdminPortal()
    visitor = portal.visitor()
    sent = {"username": "alice", "password": "right"}

    assert visitor.post("/admin/login", data=sent).status_code == 403
    assert ticket_of(visitor) is None


def test_wrong_password_is_no_login():
    """The page says so, and there is no session."""
    portal = StarletteAdminPortal()
    visitor = portal.visitor()
    sent = {"username": "alice", "password": "wrong", **fields_of(visitor.get("/admin/login"))}

    assert "Invalid username or password" in visitor.post("/admin/login", data=sent).text
    assert ticket_of(visitor) is None
