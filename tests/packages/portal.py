"""An application whose logins are a package's own, and what is asked of every such package."""

import asyncio
import re
from typing import ClassVar

import httpx

from harness.examples import run_example
from harness.recording_store import fresh_sessions
from sessile import Limit, Policy

FIELD = re.compile(r'<input[^>]*name="(\w*csrf\w*)"[^>]*value="([^"]+)"')


class InProcess(httpx.BaseTransport):
    """The way from a blocking client to an ASGI application."""

    def __init__(self, app):
        self.inner = httpx.ASGITransport(app)

    def handle_request(self, request):
        async def ask():
            reply = await self.inner.handle_async_request(request)
            return httpx.Response(
                reply.status_code, headers=reply.headers, content=await reply.aread()
            )

        return asyncio.run(ask())


class Portal:
    """An application, made anew for each test.

    It has ``/cart``, which puts a hat into the session of whoever asks and returns what is there,
    whether or not somebody is logged in.

    Args:
        options: those of ``Sessions``, beside the portal's own.
    """

    options: ClassVar = {}
    owner = "alice"
    """Under which key her sessions are listed."""

    def __init__(self, **options):
        self.sessions = fresh_sessions(**{**self.options, **options})
        self.app = self.make()

    def make(self):
        """Return the application."""
        raise NotImplementedError

    def log_in(self, visitor, **form):
        """Log Alice in by the package's own page."""
        raise NotImplementedError

    def log_out(self, visitor):
        """Log out by the package's own means."""
        raise NotImplementedError

    def is_in(self, visitor):
        """Tell whether the package lets the visitor in, as Alice."""
        raise NotImplementedError

    def transport(self):
        """Return the way to the application."""
        raise NotImplementedError

    def visitor(self, ticket=None, **options):
        """Return a browser that keeps cookies, with a ticket that it was given or planted."""
        new = httpx.Client(transport=self.transport(), base_url="http://shop", **options)
        if ticket is not None:
            new.cookies.set("sid", ticket, domain="shop.local", path="/")
        return new

    def customer(self, **form):
        """Return a visitor who has logged in, and was let in."""
        new = self.visitor()
        self.log_in(new, **form)
        assert self.is_in(new)
        return new

    def list_ids(self):
        return [info.id for info in self.sessions.sync.of(self.owner)]


class WsgiPortal(Portal):
    def transport(self):
        return httpx.WSGITransport(self.app)


class AsgiPortal(Portal):
    def transport(self):
        return InProcess(self.app)


def ticket_of(visitor):
    return visitor.cookies.get("sid")


def fields_of(page):
    """Return the hidden CSRF fields of a page; of two of one name the first, as forms are read."""
    found = {}
    for name, value in FIELD.findall(page.text):
        found.setdefault(name, value)
    return found


class OfThePage:
    """A portal whose code is the example of the page, which gives the application its sessions."""

    example = ""
    """A name that the example defines."""

    def give_sessions(self, app):
        pass

    def run_example(self, app, **given):
        return run_example("packages.md", self.example, app=app, sessions=self.sessions, **given)


class Logins:
    """What other code's logins get from sessile. A test class names its ``portal``."""

    portal: type[Portal]

    def test_planted_ticket_is_worth_nothing_after_a_login(self):
        """Whoever planted it is nobody afterwards; what was in the session is the user's."""
        portal = self.portal()
        thief = portal.visitor()
        thief.get("/cart")
        victim = portal.visitor(ticket_of(thief))
        assert victim.get("/cart").json() == ["hat", "hat"]
        portal.log_in(victim)

        assert portal.is_in(victim)
        assert not portal.is_in(thief)
        assert victim.get("/cart").json() == ["hat"] * 3
        assert thief.get("/cart").json() == ["hat"]

    def test_login_is_listed_and_ends_with_the_others(self):
        """An operator sees it, and from the next request on nobody is logged in."""
        portal = self.portal()
        phone, laptop = portal.customer(), portal.customer()
        assert len(portal.list_ids()) == 2
        assert portal.sessions.sync.end_all(portal.owner) == 2

        assert not portal.is_in(phone)
        assert not portal.is_in(laptop)
        assert portal.list_ids() == []

    def test_logout_ends_the_session_on_the_server(self):
        """The old cookie opens nothing, and what was the user's is not there any more."""
        portal = self.portal()
        alice = portal.customer()
        alice.get("/cart")
        copy = portal.visitor(ticket_of(alice))
        assert portal.is_in(copy)
        portal.log_out(alice)

        assert not portal.is_in(alice)
        assert not portal.is_in(portal.visitor(ticket_of(copy)))
        assert portal.list_ids() == []
        assert alice.get("/cart").json() == ["hat"]

    def test_limit_holds(self):
        """The second login ends the first."""
        portal = self.portal(policy=Policy(limit=Limit(1)))
        phone, laptop = portal.customer(), portal.customer()

        assert (portal.is_in(phone), portal.is_in(laptop)) == (False, True)
        assert len(portal.list_ids()) == 1

    def test_login_once_more_is_another_session(self):
        """Of the same user in the same browser: one session is left, and the old cookie is dead."""
        portal = self.portal()
        alice = portal.customer()
        (before,) = portal.list_ids()
        portal.log_out(alice)
        portal.log_in(alice)

        assert portal.is_in(alice)
        assert before not in portal.list_ids()
        assert len(portal.list_ids()) == 1
