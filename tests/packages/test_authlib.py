"""Authlib's client over sessile, in Starlette and in Flask; the provider is one of our own."""

from typing import ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

import flask
import httpx
import pytest
from authlib.integrations import flask_client, starlette_client
from authlib.oidc.core import UserInfo
from starlette.responses import PlainTextResponse, RedirectResponse

from harness.servers import serve_asgi
from packages import provider
from packages.asgi_portal import StarlettePortal
from packages.flask_portal import FlaskPortal
from packages.portal import Logins, OfThePage, ticket_of


class ByProvider:
    """What both have: the way to the provider and back."""

    options: ClassVar = {"principal": lambda values: values["user"]["sub"]}
    address = ""
    client: ClassVar = {}

    def register(self, oauth):
        oauth.register(
            name="provider",
            server_metadata_url=f"{self.address}/.well-known/openid-configuration",
            client_kwargs={"scope": "openid profile email", **self.client},
            **provider.CLIENT,
        )
        return oauth.provider

    def begin(self, visitor):
        """Begin a login, and return the address to which the provider sends the browser."""
        there = visitor.get("/login")
        assert there.status_code == 302
        return httpx.get(there.headers["location"]).headers["location"]

    def log_in(self, visitor, **form):
        assert visitor.get(self.begin(visitor)).status_code == 302

    def log_out(self, visitor):
        assert visitor.post("/logout").status_code == 302

    def is_in(self, visitor):
        return visitor.get("/").text == "alice"


class StarletteClientPortal(ByProvider, StarlettePortal):
    """As in Authlib's guide: the session keeps the ``UserInfo`` that the token came with."""

    client: ClassVar = {"verify": False}  # it loads no certificates for each request

    def set_up(self, app):
        client = self.register(starlette_client.OAuth())

        async def who(request):
            return PlainTextResponse(request.session.get("user", {}).get("sub", "nobody"))

        async def login(request):
            return await client.authorize_redirect(request, request.url_for("auth"))

        async def auth(request):
            try:
                token = await client.authorize_access_token(request)
            except starlette_client.OAuthError as error:
                return PlainTextResponse(error.error, 400)
            assert type(token["userinfo"]) is UserInfo
            request.session["user"] = token["userinfo"]
            request.session["token"] = token
            return RedirectResponse("/", 302)

        async def logout(request):
            request.session.pop("user", None)
            return RedirectResponse("/", 302)

        async def leave(request):
            request.session.pop("user", None)
            return await client.logout_redirect(request, request.url_for("left"))

        async def left(request):
            await client.validate_logout_response(request)
            return PlainTextResponse("goodbye")

        for view in (login, auth, left):
            app.add_route(f"/{view.__name__}", view)
        app.add_route("/", who)
        app.add_route("/logout", logout, methods=["POST"])
        app.add_route("/leave", leave, methods=["POST"])


class PageClientPortal(OfThePage, ByProvider, StarlettePortal):
    """The page's, in an application that has our middleware."""

    example = "come_back"
    give_sessions = StarlettePortal.give_sessions

    def set_up(self, app):
        page = self.run_example(
            app, metadata_url=f"{self.address}/.well-known/openid-configuration", **provider.CLIENT
        )

        async def who(request):
            return PlainTextResponse(request.session.get("user", {}).get("sub", "nobody"))

        app.add_route("/", who)
        app.add_route("/login", page.log_in_by_provider)
        app.add_route("/come-back", page.come_back)
        app.add_route("/logout", page.leave, methods=["POST"])

    def log_in(self, visitor, **form):
        assert visitor.get(self.begin(visitor)).status_code == 307

    def log_out(self, visitor):
        assert visitor.post("/logout").status_code == 303


class FlaskClientPortal(ByProvider, FlaskPortal):
    """The same in Flask."""

    def set_up(self, app):
        client = self.register(flask_client.OAuth(app))

        @app.get("/")
        def who():
            return flask.session.get("user", {}).get("sub", "nobody")

        @app.get("/login")
        def login():
            return client.authorize_redirect(flask.url_for("auth", _external=True))

        @app.get("/auth")
        def auth():
            try:
                token = client.authorize_access_token()
            except flask_client.OAuthError as error:
                return error.error, 400
            assert type(token["userinfo"]) is UserInfo
            flask.session["user"] = token["userinfo"]
            flask.session["token"] = token
            return flask.redirect("/")

        @app.post("/logout")
        def logout():
            flask.session.pop("user", None)
            return flask.redirect("/")

        @app.post("/leave")
        def leave():
            flask.session.pop("user", None)
            return client.logout_redirect(flask.url_for("left", _external=True))

        @app.get("/left")
        def left():
            client.validate_logout_response()
            return "goodbye"


PORTALS = pytest.mark.parametrize("portal", [StarletteClientPortal, FlaskClientPortal])


@pytest.fixture(autouse=True, scope="module")
def _provider():
    """The provider, on a port of its own."""
    with serve_asgi(provider.app) as ByProvider.address:
        yield


class TestAuthlibOnStarlette(Logins):
    portal = StarletteClientPortal


class TestAuthlibOfThePage(Logins):
    portal = PageClientPortal


class TestAuthlibOnFlask(Logins):
    portal = FlaskClientPortal


@PORTALS
def test_user_and_token_come_back_as_dicts(portal):
    """A ``UserInfo`` and the token with another one in it are kept, in plain types."""
    seen = []

    def look(values):
        seen.append(dict(values))
        return values["user"]["sub"]

    site = portal(principal=look)
    alice = site.customer()
    alice.get("/cart")
    user, token = seen[-1]["user"], seen[-1]["token"]

    assert (type(user), type(token), type(token["userinfo"])) == (dict, dict, dict)
    assert (user["sub"], user["email"]) == ("alice", "alice@example.com")
    assert token["access_token"] == "at"
    assert [key for key in seen[-1] if key.startswith("_state_")] == []


@PORTALS
def test_login_begun_in_another_browser_is_refused(portal):
    """The state is in the session that began it: the link of a thief logs nobody else in."""
    site = portal()
    thief, victim = site.visitor(), site.visitor()
    link = site.begin(thief)
    refused = victim.get(link)
    assert (refused.status_code, refused.text) == (400, "mismatching_state")
    assert not site.is_in(victim)

    asked = parse_qs(urlsplit(link).query)
    forged = urlencode({"code": asked["code"][0], "state": "guessed"})
    assert thief.get(f"/auth?{forged}").status_code == 400
    assert site.list_ids() == []


@PORTALS
def test_login_is_taken_once(portal):
    """The state goes with the login: the same link opens nothing a second time."""
    site = portal()
    alice = site.visitor()
    link = site.begin(alice)
    assert alice.get(link).status_code == 302
    again = site.visitor(ticket_of(alice))

    assert again.get(link).status_code == 400
    assert len(site.list_ids()) == 1


@PORTALS
def test_logout_at_the_provider_comes_back(portal):
    """The session is over before the browser leaves; a new one knows the way back."""
    site = portal()
    alice = site.customer()
    old = ticket_of(alice)
    there = alice.post("/leave")
    assert there.status_code == 302
    assert not site.is_in(site.visitor(old))
    back = httpx.get(there.headers["location"]).headers["location"]

    assert alice.get(back).text == "goodbye"
    assert not site.is_in(alice)
