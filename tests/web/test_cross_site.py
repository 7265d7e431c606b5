"""The cross-site check, in ASGI and WSGI: before the application, without the store, an event."""

import pytest

from harness.clients import AsgiClient, WsgiClient
from harness.recording_store import fresh_sessions, take_commands
from sessile import Cookie
from sessile.core.carrier import Bearer
from sessile.core.origin import OriginCheck, Origins
from sessile.service.events import CrossSite
from web.asgi_chat import accept, begin, stored, talk

THIEF = {"sec-fetch-site": "cross-site", "origin": "https://thief.example"}
OLD_THIEF = {"origin": "https://thief.example"}
OWN = {"sec-fetch-site": "same-origin", "origin": "https://shop"}


@pytest.fixture(params=[AsgiClient, WsgiClient])
def kind(request):
    return request.param


class Shop:
    """A shop whose every request counts, and what happened in it."""

    def __init__(self, kind, options=None, **settings):
        self.events, self.counted = [], 0
        self.sessions = fresh_sessions(hooks=[self.events.append], **settings)
        self.client = kind(self.count, self.sessions, **(options or {}))
        self.cookie = self.client.ask().one("set-cookie")
        self.cookie = self.cookie and self.cookie.partition(";")[0]
        self.forget()

    def count(self, session):
        self.counted += 1
        session.increment("n")

    def forget(self):
        take_commands(self.sessions)
        self.events.clear()
        self.counted = 0

    def post(self, headers, path="/", **more):
        return self.client.ask(path, method="POST", headers=headers, cookie=self.cookie, **more)


@pytest.mark.parametrize("headers", [THIEF, OLD_THIEF, {"sec-fetch-site": "same-site"}])
def test_post_from_another_site_never_reaches_the_application(kind, headers):
    """It is answered with 403, no store is asked, and an event says who sent it."""
    shop = Shop(kind)
    reply = shop.post(headers)
    (event,) = shop.events

    assert (reply.status, shop.counted, take_commands(shop.sessions)) == (403, 0, [])
    assert type(event) is CrossSite
    assert (event.origin, event.session) == (headers.get("origin", ""), None)
    assert event.client is not None
    assert reply.one("cache-control") == "no-store"
    assert reply.one("set-cookie") is None


def test_refusal_tells_the_developer_what_to_write(kind):
    """Whoever runs behind a proxy that rewrites Host reads the way out in the answer."""
    reply = Shop(kind).post(OLD_THIEF)

    assert b"another site" in reply.body
    assert b"Origins(trusted=...)" in reply.body
    assert b"https://thief.example" in reply.body
    assert reply.one("content-type") == "text/plain; charset=utf-8"
    assert reply.one("x-content-type-options") == "nosniff"
    assert reply.one("content-length") == str(len(reply.body))


@pytest.mark.parametrize("headers", [OWN, {}, {"origin": "http://shop"}])
def test_own_pages_and_programs_pass(kind, headers):
    """The site's own forms, older browsers' too, and what is no browser, reach the application."""
    shop = Shop(kind)

    assert (shop.post(headers).status, shop.counted) == (200, 1)
    assert shop.events == []


def test_link_from_another_site_passes(kind):
    """A safe method is no attack, and people follow links."""
    shop = Shop(kind)

    assert shop.client.ask(headers=THIEF, cookie=shop.cookie).status == 200


def test_login_form_of_another_site_is_refused(kind):
    """A request without a ticket is looked at too: a login in the attacker's name is an attack."""
    shop = Shop(kind)
    reply = shop.client.ask(method="POST", headers=THIEF)

    assert (reply.status, shop.counted) == (403, 0)


def test_trusted_site_passes(kind):
    """An origin that the application names may send forms."""
    shop = Shop(kind, origins=Origins(trusted=["https://thief.example"]))

    assert shop.post(THIEF).status == 200
    assert shop.post({**THIEF, "origin": "https://other.example"}).status == 403


def test_check_can_be_switched_off(kind):
    """By a name that says so."""
    assert Shop(kind, origins=Origins(check=OriginCheck.OFF)).post(THIEF).status == 200


def test_excluded_paths_are_the_applications_own(kind):
    """Where there is no session there is no check."""
    shop = Shop(kind, {"exclude": ("/hook",)})
    shop.client = kind(lambda _: b"mine", shop.sessions, exclude=("/hook",))

    assert shop.post(THIEF, "/hook").body == b"mine"
    assert shop.post(THIEF, "/other").status == 403


def bearer(ticket):
    return {"authorization": f"Bearer {ticket}"}


def test_program_with_a_bearer_ticket_is_not_checked(kind):
    """No page can have a browser attach that; with any cookie beside it the check stays."""
    shop = Shop(kind, carriers=[Bearer(), Cookie(secure=False)])
    ticket = shop.client.ask().one("session-ticket")
    shop.cookie = ""
    alone = shop.post({**THIEF, **bearer(ticket)})
    shop.cookie = "theme=dark"
    beside = shop.post({**THIEF, **bearer(ticket)})

    assert (alone.status, beside.status) == (200, 403)


def test_bearer_that_is_not_switched_on_exempts_nobody(kind):
    """Any header that means nothing here would open the gate otherwise."""
    shop = Shop(kind)
    ticket = shop.cookie.partition("=")[2]
    shop.cookie = ""

    assert shop.post({**THIEF, **bearer(ticket)}).status == 403


def test_socket_from_another_site_is_declined():
    """A handshake is a GET and is looked at all the same; the application never hears of it."""
    events = []
    sessions = fresh_sessions(hooks=[events.append])
    cookie = stored(sessions, begin)
    events.clear()

    async def act(session, send):
        raise AssertionError("it got through")

    answered = talk(act, sessions, cookie, headers=THIEF, extensions=["websocket.http.response"])
    closed = talk(act, sessions, cookie, headers=OLD_THIEF)

    assert [message["type"] for message in answered] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert answered[0]["status"] == 403
    assert [(message["type"], message["code"]) for message in closed] == [("websocket.close", 1008)]
    assert [type(event) for event in events] == [CrossSite, CrossSite]
    assert take_commands(sessions) == []


@pytest.mark.parametrize("headers", [OWN, {}, {"origin": "http://shop"}])
def test_own_socket_is_accepted(headers):
    """The site's own pages and programs open WebSockets."""
    sessions = fresh_sessions()

    async def act(session, send):
        await accept(send)

    (said,) = talk(act, sessions, stored(sessions, begin), headers=headers)

    assert said["type"] == "websocket.accept"


CLIMBING = ["/hooks/../pay", "/hooks/..", "/hooks/a/../../pay", "/hooks/..\\pay"]


@pytest.mark.parametrize("path", CLIMBING)
@pytest.mark.parametrize(
    "settings",
    [
        {"origins": Origins(exempt=["/hooks/"])},
        {"options": {"exclude": ("/hooks/",)}},
    ],
)
def test_path_that_climbs_out_of_an_exempt_one_is_looked_at(kind, settings, path):
    """A form posts to ``/hooks/..%2fpay``, and some applications take that for ``/pay``."""
    shop = Shop(kind, **settings)

    assert (shop.post(THIEF, path).status, shop.counted) == (403, 0)
