"""A cookie that was held back or is doubled, in ASGI and WSGI: no login is lost, none is stuck."""

import json

import pytest

from harness.clients import AsgiClient, WsgiClient
from harness.recording_store import fresh_sessions
from sessile import Cookie
from sessile.core.cookie import SameSite
from sessile.core.origin import Origins
from sessile.service.events import Dropped
from sessile.wire.log import log_ambiguous, log_withheld

FROM_AFAR = {"sec-fetch-site": "cross-site"}
LAX, STRICT, NONE = SameSite.LAX, SameSite.STRICT, SameSite.NONE
TICKET = "A" * 60


@pytest.fixture(params=[AsgiClient, WsgiClient])
def kind(request):
    return request.param


@pytest.fixture(autouse=True)
def log(caplog):
    """Give the log, as if nothing had been said yet in this process."""
    log_ambiguous.cache_clear()
    log_withheld.cache_clear()
    caplog.set_level("WARNING", "sessile")
    return caplog


def puts(session):
    session["cart"] = ["hat"]


def logs_in(session):
    session.login("alice")


def who(session):
    return json.dumps(session.user).encode()


def shows(session):
    return json.dumps(dict(session)).encode()


class Site:
    """One application whose handler changes, and the events that it told."""

    def __init__(self, kind, cookie, **options):
        self.events = []
        self.sessions = fresh_sessions(cookie=cookie, hooks=[self.events.append], **options)
        self.act = puts
        self.client = kind(self.handle, self.sessions)

    def handle(self, session):
        return self.act(session)

    def ask(self, act, path="/", **more):
        self.act = act
        return self.client.ask(path, **more)

    def given(self, act, **more):
        """Return the cookie that a request was given, as a browser sends it."""
        return self.ask(act, **more).one("set-cookie").partition(";")[0]


@pytest.mark.parametrize(
    ("same_site", "method", "headers", "is_set"),
    [
        (STRICT, "GET", FROM_AFAR, False),
        (STRICT, "GET", {"sec-fetch-site": "same-site"}, True),
        (STRICT, "GET", {"sec-fetch-site": "none"}, True),
        (STRICT, "GET", {}, True),
        (LAX, "GET", FROM_AFAR, True),
        (LAX, "POST", FROM_AFAR, False),
        (NONE, "POST", FROM_AFAR, True),
    ],
)
def test_no_cookie_is_put_over_one_that_was_held_back(kind, same_site, method, headers, is_set):
    """A link, or a post, from another site comes without the cookie that its browser has."""
    trusting = {"origin": "https://pay.example"}
    origins = Origins(trusted=["https://pay.example"])
    site = Site(kind, Cookie(same_site=same_site), origins=origins)
    reply = site.ask(puts, method=method, headers=headers | trusting)

    assert (reply.one("set-cookie") is not None) is is_set
    dropped = [event.keys for event in site.events if isinstance(event, Dropped)]
    assert dropped == ([] if is_set else [("cart",)])


def test_cookie_that_did_come_is_no_matter_of_sites(kind):
    """A browser of other manners that sends it all the same goes on as ever."""
    site = Site(kind, Cookie(same_site=STRICT))
    cookie = site.given(logs_in)
    reply = site.ask(puts, headers=FROM_AFAR, cookie=cookie)

    assert [event for event in site.events if isinstance(event, Dropped)] == []
    assert site.ask(shows, cookie=cookie).json == {"cart": ["hat"]}
    assert reply.status == 200


def test_login_from_afar_is_a_login(kind):
    """Whoever logs in wants a new cookie: the callback of an identity provider is such a link."""
    site = Site(kind, Cookie(same_site=STRICT))

    assert site.ask(who, cookie=site.given(logs_in, headers=FROM_AFAR)).json == "alice"


def test_public_page_puts_no_cookie_over_that_of_a_part_of_the_site(kind, log):
    """The cookie of ``/admin`` does not come with ``/shop``, and is not replaced from there."""
    site = Site(kind, Cookie(name="sid", path="/admin"))
    assert site.ask(puts, "/shop").one("set-cookie") is None
    assert site.ask(puts, "/administrator").one("set-cookie") is None
    (line,) = log.messages
    assert "nothing was stored" in line

    assert "Path=/admin" in site.ask(puts, "/admin/users").one("set-cookie")


@pytest.mark.parametrize(
    ("kind", "setting"), [(AsgiClient, "--root-path"), (WsgiClient, "SCRIPT_NAME")]
)
def test_prefix_that_a_proxy_takes_off_is_told_with_what_to_set(kind, setting, log):
    """Until the server knows it no path is below the cookie's; the log says where to write it."""
    site = Site(kind, Cookie(name="sid", path="/shop"))
    assert site.ask(puts, "/cart").one("set-cookie") is None
    (line,) = log.messages
    assert setting in line

    assert site.ask(puts, "/cart", root="/shop").one("set-cookie") is not None


def test_changed_domain_locks_nobody_out(kind):
    """The former cookie goes where both came, and wherever the new one is set."""
    former = Cookie(name="sid")
    site = Site(kind, Cookie(name="sid", domain="shop.example", former=[former]))
    lines = site.ask(logs_in).all("set-cookie")
    assert lines[0] == former.expire()
    assert "Domain=shop.example" in lines[1]
    cookie = lines[1].partition(";")[0]
    reply = site.ask(who, cookie=f"{cookie}; sid={TICKET}")
    assert (reply.json, reply.all("set-cookie")) == (None, [former.expire()])

    assert site.ask(who, cookie=cookie).json == "alice"  # what the browser sends from then on
    assert site.ask(who, cookie=cookie).all("set-cookie") == []


def test_login_takes_the_former_cookie_away(kind):
    """Where the two came together a login works, and the next request brings its cookie alone."""
    former = Cookie(name="sid")
    site = Site(kind, Cookie(name="sid", domain="shop.example", former=[former]))
    reply = site.ask(logs_in, cookie=f"sid={TICKET}; sid={TICKET}")

    assert reply.all("set-cookie")[0] == former.expire()
    cookie = reply.all("set-cookie")[1].partition(";")[0]
    assert site.ask(who, cookie=cookie).json == "alice"


def test_logout_takes_the_former_cookie_away(kind):
    """Else it would come back, alone, and be taken for a session's."""
    former = Cookie(name="sid")
    site = Site(kind, Cookie(name="sid", domain="shop.example", former=[former]))
    cookie = site.ask(logs_in).all("set-cookie")[1].partition(";")[0]
    lines = site.ask(lambda session: session.logout(), cookie=cookie).all("set-cookie")

    assert lines == [former.expire(), site.sessions.cookie.expire()]


def test_doubled_cookie_is_told_with_the_line_to_write(kind, log):
    """Nobody named a former one: the log says what may have happened, once."""
    site = Site(kind, Cookie(name="sid"))
    for _ in range(2):
        assert site.ask(who, cookie=f"sid={TICKET}; sid={TICKET}").all("set-cookie") == []
    (line,) = log.messages

    assert "Cookie(former=[Cookie(...)])" in line
