"""Tickets by other ways than the cookie, in ASGI and WSGI: there, back, from no wrong place."""

import pytest

from harness.clients import AsgiClient, WsgiClient
from harness.recording_store import fresh_sessions, take_commands
from sessile import Cookie
from sessile.core.carrier import Bearer, ForgeableBody, LeakyQuery
from sessile.core.ticket import ENTROPY, Ticket
from sessile.errors import ConfigError
from sessile.service.events import RefusalReason, Refused
from sessile.testing.clock import SeededEntropy
from sessile.web.request import FORM_LIMIT

COOKIE, BEARER = Cookie("sid", secure=False), Bearer()
QUERY, BODY = LeakyQuery("sid"), ForgeableBody("sid")
FORM = "application/x-www-form-urlencoded"
ALL = {"cookie": COOKIE, "bearer": BEARER, "query": QUERY, "body": BODY}


@pytest.fixture(params=[AsgiClient, WsgiClient])
def kind(request):
    return request.param


def posted(body, **headers):
    return {
        "method": "POST",
        "body": body,
        "headers": {"content-type": FORM, "content-length": str(len(body)), **headers},
    }


def bringing(way, ticket):
    """Return how a request brings a ticket that way."""
    return {
        "cookie": {"cookie": f"sid={ticket}"},
        "bearer": {"headers": {"authorization": f"Bearer {ticket}"}},
        "query": {"query": f"a=b&sid={ticket}"},
        "body": posted(f"a=b&sid={ticket}".encode()),
    }[way]


def sessions_by(*ways, **options):
    return fresh_sessions(carriers=[ALL[way] for way in ways], **options)


def count(session):
    return str(session.increment("n")).encode()


def handed(reply):
    """Return the ticket of an answer, and whether it came as a cookie."""
    lines = reply.all("set-cookie")
    if lines:
        assert reply.all("session-ticket") == []
        return lines[0].partition(";")[0].removeprefix("sid="), True
    return reply.one("session-ticket"), False


@pytest.mark.parametrize("way", ALL)
def test_session_travels_by_each_way(kind, way):
    """A ticket that is handed over is brought back that way, and finds its session."""
    client = kind(count, sessions_by(way))
    first = client.ask()
    ticket, as_cookie = handed(first)
    second = client.ask(**bringing(way, ticket))

    assert (first.body, second.body) == (b"1", b"2")
    assert as_cookie is (way == "cookie")
    assert handed(second) == (None, False)
    assert first.one("cache-control") == "no-store"


@pytest.mark.parametrize("way", ["bearer", "query", "body"])
def test_no_other_way_ever_sets_a_cookie(kind, way):
    """Login, rotation and logout answer by the way the ticket came, though a cookie is first."""
    sessions = sessions_by("cookie", way)
    ticket, _ = handed(kind(count, sessions).ask())
    turned, as_cookie = handed(kind(lambda s: s.rotate(), sessions).ask(**bringing(way, ticket)))
    new, still = handed(kind(lambda s: s.login("alice"), sessions).ask(**bringing(way, turned)))
    gone = kind(lambda s: s.logout(), sessions).ask(**bringing(way, new))

    assert (as_cookie, still) == (False, False)
    assert len({ticket, turned, new}) == 3
    assert handed(gone) == ("", False)


@pytest.mark.parametrize("way", ALL)
@pytest.mark.parametrize("stray", ALL)
def test_id_in_a_place_that_is_not_listed_has_no_effect(kind, way, stray):
    """It opens nothing, asks no store, tells no event, and does not disturb the real one."""
    if way == stray:
        return
    events = []
    sessions = sessions_by(way, hooks=[events.append])
    client = kind(count, sessions)
    ticket, _ = handed(client.ask())
    take_commands(sessions)
    events.clear()
    look = kind(lambda s: str(s.get("n")).encode(), sessions)
    alone = look.ask(**bringing(stray, ticket))

    assert (alone.body, take_commands(sessions), events) == (b"None", [], [])


def test_tickets_in_two_places_open_nothing(kind):
    """A thief who plants one beside a visitor's own reaches neither session."""
    events = []
    sessions = sessions_by("cookie", "query", hooks=[events.append])
    client = kind(lambda s: str(s.get("n")).encode(), sessions)
    ticket, _ = handed(kind(count, sessions).ask())
    planted = Ticket.mint(SeededEntropy(5)(ENTROPY)).reveal()
    take_commands(sessions)
    events.clear()
    for other in (planted, ticket, "junk"):
        both = client.ask(**bringing("cookie", ticket), **bringing("query", other))
        assert (both.body, handed(both)) == (b"None", (None, False))

    assert [event.reason for event in events if type(event) is Refused] == [
        RefusalReason.AMBIGUOUS
    ] * 3
    assert take_commands(sessions) == []
    assert client.ask(**bringing("cookie", ticket)).body == b"1"


def test_answers_vary_by_every_carrier(kind):
    """A cache is told of each header that may carry a ticket; an untouched answer says nothing."""
    sessions = sessions_by("cookie", "bearer", "query")

    assert kind(lambda s: s.user, sessions).ask().one("vary") == "Cookie, Authorization"
    assert kind(lambda _: None, sessions).ask().one("vary") is None


def test_application_reads_the_form_again(kind):
    """Looking for a ticket in a form takes nothing away from who the form is for."""
    sessions = sessions_by("body")
    ticket, _ = handed(kind(count, sessions).ask())
    echo = kind(lambda s: None if s["n"] == 1 else b"lost", sessions)
    form = f"name=sock%C3%A4&sid={ticket}&size=4".encode()

    assert echo.ask(**posted(form)).body == form


@pytest.mark.parametrize(
    "change",
    [
        {"content-type": "multipart/form-data"},
        {"content-type": "text/plain"},
        {"content-type": f"{FORM}x"},
        {"content-length": "many"},
        {"content-length": "-1"},
        {"content-length": "9" * 40},
        {"content-length": ""},
    ],
)
def test_what_is_no_form_is_not_looked_at(kind, change):
    """Another kind of body, or one of no sound length, carries no ticket and passes untouched."""
    sessions = sessions_by("body")
    ticket, _ = handed(kind(count, sessions).ask())
    look = kind(lambda s: str(s.get("n")).encode(), sessions)
    body = f"sid={ticket}".encode()
    if kind is WsgiClient and "content-length" in change:
        change = {"content-length": ""}  # its server refuses the others itself

    assert look.ask(**posted(body)).body == b"1"
    assert look.ask(**posted(body, **{"content-type": f"{FORM.upper()} ; charset=utf-8"})).body == (
        b"1"
    )
    assert look.ask(**posted(body, **change)).body == b"None"


def test_put_is_no_form(kind):
    """Forms are posted."""
    sessions = sessions_by("body")
    ticket, _ = handed(kind(count, sessions).ask())
    look = kind(lambda s: str(s.get("n")).encode(), sessions)
    request = posted(f"sid={ticket}".encode()) | {"method": "PUT"}

    assert look.ask(**request).body == b"None"


@pytest.mark.parametrize(("size", "found"), [(FORM_LIMIT, b"1"), (FORM_LIMIT + 1, b"None")])
def test_form_beyond_the_limit_is_not_looked_at(kind, size, found):
    """At most 64 KB are held for anybody, and a longer form reaches the application whole."""
    sessions = sessions_by("body")
    ticket, _ = handed(kind(count, sessions).ask())
    body = f"sid={ticket}&pad=".encode().ljust(size, b"x")
    seen = []

    def look(session):
        seen.append(str(session.get("n")).encode())

    assert kind(look, sessions).ask(**posted(body)).body == body
    assert seen == [found]


def test_form_that_breaks_off_carries_nothing(kind):
    """A body shorter than it says is no form; what came of it is the application's."""
    sessions = sessions_by("body")
    ticket, _ = handed(kind(count, sessions).ask())
    body = f"sid={ticket}".encode()
    look = kind(lambda s: str(s.get("n")).encode(), sessions)

    assert look.ask(**posted(body, **{"content-length": str(len(body) + 5)})).body == b"None"


def test_form_longer_than_it_says_is_cut_off_by_no_one(kind):
    """The length it says is no reason to lose a piece; but such a form carries nothing."""
    if kind is WsgiClient:
        return  # there the length is all a server goes by
    sessions = sessions_by("body")
    ticket, _ = handed(kind(count, sessions).ask())
    seen = []
    body = f"sid={ticket}&pad=".encode().ljust(2 * FORM_LIMIT, b"x")

    def look(session):
        seen.append(session.get("n"))

    assert kind(look, sessions).ask(**posted(body, **{"content-length": "80"})).body == body
    assert seen == [None]


class HalfCarrier:
    """Finds tickets, and has no way to hand one over."""

    varies, attached, in_body = "X-App-Session", False, False

    def find(self, request):
        return request.header("x-app-session")


@pytest.mark.parametrize("wrong", [HalfCarrier(), HalfCarrier, Bearer, "cookie", None])
def test_half_a_carrier_is_refused_at_start(wrong):
    """What lacks a member would fail with the first answer; a class is no carrier yet."""
    with pytest.raises(ConfigError, match="write Cookie"):
        fresh_sessions(carriers=[wrong])


def test_cookie_and_carriers_say_it_once():
    """Two places that could disagree are one too many."""
    with pytest.raises(ConfigError, match="carriers"):
        fresh_sessions(carriers=[BEARER], cookie=COOKIE)
