"""Carriers: where a ticket is looked for, where it never is, and the way it goes back."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile.core.carrier import Bearer, Carriers, CookieCarrier, ForgeableBody, LeakyQuery
from sessile.core.cookie import Cookie
from sessile.core.request import PlainRequest
from sessile.core.ticket import ENTROPY, NoTicket, Ticket
from sessile.errors import ConfigError
from sessile.testing.clock import SeededEntropy
from sessile.testing.effort import effort

draw = SeededEntropy()
TICKET, OTHER = (Ticket.mint(draw(ENTROPY)).reveal() for _ in range(2))
COOKIE, BEARER = Cookie(), Bearer()
QUERY, BODY = LeakyQuery("sid"), ForgeableBody("sid")
BY_COOKIE = CookieCarrier(COOKIE)
EVERY = [BY_COOKIE, BEARER, QUERY, BODY]


def placed(carrier, ticket=TICKET):
    """Return what a request says that carries a ticket there."""
    return {
        BY_COOKIE: {"headers": {"cookie": f"__Host-sid={ticket}"}},
        BEARER: {"headers": {"authorization": f"Bearer {ticket}"}},
        QUERY: {"query": f"sid={ticket}"},
        BODY: {"body": f"sid={ticket}".encode()},
    }[carrier]


def carrying(*parts):
    """Return a request that says all of that."""
    whole = {"headers": {}, "query": "", "body": b""}
    for part in parts:
        whole |= part | {"headers": whole["headers"] | part.get("headers", {})}
    return PlainRequest(**whole)


@pytest.mark.parametrize("carrier", EVERY)
def test_ticket_goes_back_the_way_it_came(carrier):
    """Whichever place is named first, the one that brought the ticket answers."""
    request = carrying(placed(carrier))

    for order in itertools.permutations(EVERY):
        found_in, found = Carriers(*order).find(request)
        assert (found_in, found) == (carrier, TICKET)


@pytest.mark.parametrize("carrier", EVERY)
def test_place_that_is_not_listed_has_no_effect(carrier):
    """An id in another place is not even seen, beside a ticket or without one."""
    others = [one for one in EVERY if one is not carrier]
    for allowed in others:
        carriers = Carriers(allowed)
        stray = placed(carrier, OTHER)

        assert carriers.find(carrying(stray)) == (allowed, NoTicket.ABSENT)
        assert carriers.find(carrying(placed(allowed), stray)) == (allowed, TICKET)
    assert Carriers(*others).find(carrying(stray)) == (others[0], NoTicket.ABSENT)


@pytest.mark.parametrize("second", [TICKET, OTHER, "", "junk"])
@pytest.mark.parametrize(("one", "two"), list(itertools.combinations(EVERY, 2)))
def test_tickets_in_two_places_are_ambiguous(one, two, second):
    """Equal or not, ticket or junk: who names two is nobody, and the answer goes the first way."""
    request = carrying(placed(one), placed(two, second))

    assert Carriers(*EVERY).find(request) == (BY_COOKIE, NoTicket.AMBIGUOUS)


def test_request_without_a_ticket_is_answered_the_first_way():
    """A new session's ticket goes by the first carrier of the list."""
    assert Carriers(BEARER, BY_COOKIE).find(PlainRequest()) == (BEARER, NoTicket.ABSENT)
    assert Carriers(BY_COOKIE, BEARER).find(PlainRequest()) == (BY_COOKIE, NoTicket.ABSENT)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f"Bearer {TICKET}", TICKET),
        (f"bearer {TICKET}", TICKET),
        (f"BEARER   {TICKET} ", TICKET),
        ("Bearer ", ""),
        ("Bearer two words", "two words"),
        ("", NoTicket.ABSENT),
        ("Bearer", NoTicket.ABSENT),
        (f"Bearer{TICKET}", NoTicket.ABSENT),
        (f"Bearer\t{TICKET}", NoTicket.ABSENT),
        ("Basic QWxhZGRpbjpvcGVu", NoTicket.ABSENT),
        ('Digest username="bearer", realm="shop"', NoTicket.ABSENT),
        (TICKET, NoTicket.ABSENT),
        (f"Bearer {TICKET}, Bearer {TICKET}", NoTicket.AMBIGUOUS),
        (f"Bearer {TICKET},", NoTicket.AMBIGUOUS),
        (f"Basic QWxhZGRpbjpvcGVu, Bearer {TICKET}", NoTicket.AMBIGUOUS),
    ],
)
def test_bearer_reads_what_rfc_6750_writes(header, found):
    """The scheme knows no case and takes a space; two credentials are ambiguous."""
    assert BEARER.find(PlainRequest({"authorization": header})) == found


@pytest.mark.parametrize("carrier", [QUERY, BODY])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"sid={TICKET}", TICKET),
        (f"a=b&sid={TICKET}&c", TICKET),
        ("sid=", ""),
        ("", NoTicket.ABSENT),
        ("sid", NoTicket.ABSENT),
        (f"SID={TICKET}", NoTicket.ABSENT),
        (f"xsid={TICKET}", NoTicket.ABSENT),
        (f"%73id={TICKET}", NoTicket.ABSENT),
        (f"a=b;sid={TICKET}", NoTicket.ABSENT),
        (f"a=sid={TICKET}", NoTicket.ABSENT),
        (f"sid={TICKET}&sid={TICKET}", NoTicket.AMBIGUOUS),
        (f"sid=&sid={TICKET}", NoTicket.AMBIGUOUS),
    ],
)
def test_fields_are_read_by_their_plain_name(carrier, text, found):
    """One field of that very name; another spelling is another name; twice is ambiguous."""
    request = PlainRequest(query=text) if carrier is QUERY else PlainRequest(body=text.encode())

    assert carrier.find(request) == found


@pytest.mark.parametrize("carrier", [BEARER, QUERY, BODY])
def test_only_a_cookie_becomes_a_cookie(carrier):
    """What came by another way is answered in a header that no browser keeps."""
    assert carrier.issue(TICKET, 3600) == ("session-ticket", TICKET)
    assert carrier.expire() == ("session-ticket", "")
    assert BY_COOKIE.issue(TICKET, None)[0] == "set-cookie"


def test_answers_vary_by_what_was_looked_at():
    """A cache is told each header that an answer depends on, once."""
    assert Carriers(BY_COOKIE).varies == ("Cookie",)
    assert Carriers(*EVERY).varies == ("Cookie", "Authorization")
    assert Carriers(CookieCarrier(Cookie("a")), CookieCarrier(Cookie("b"))).varies == ("Cookie",)


def test_body_is_read_for_who_asked():
    """No request is buffered unless a form may carry the ticket."""
    assert Carriers(*EVERY).in_body
    assert not Carriers(BY_COOKIE, BEARER, QUERY).in_body


def test_program_with_a_bearer_ticket_is_exempt():
    """A browser attaches no such header by itself, so no other site can have sent this."""
    assert Carriers(BY_COOKIE, BEARER).exempt(carrying(placed(BEARER)))


@pytest.mark.parametrize(
    "request_",
    [
        PlainRequest(),
        carrying(placed(BY_COOKIE)),
        carrying(placed(QUERY)),
        carrying(placed(BODY)),
        carrying(placed(BEARER), placed(BY_COOKIE)),
        carrying(placed(BEARER), {"headers": {"cookie": "theme=dark"}}),
        carrying(placed(BEARER), placed(QUERY)),
        carrying({"headers": {"authorization": f"Bearer {TICKET}, Bearer {TICKET}"}}),
        carrying({"headers": {"authorization": "Basic QWxhZGRpbjpvcGVu"}}),
    ],
)
def test_whatever_a_browser_may_have_attached_is_not_exempt(request_):
    """A cookie of any name, a link, a form, two credentials, or none: the check stays."""
    assert not Carriers(*EVERY).exempt(request_)


def test_bearer_that_is_not_listed_exempts_nobody():
    """Otherwise any request could be exempt by a header that means nothing here."""
    assert not Carriers(BY_COOKIE).exempt(carrying(placed(BEARER)))


def test_default_is_the_cookie():
    """Nothing but a cookie carries a ticket unless the application says so."""
    cookie = Cookie("shop")

    assert Carriers.of(None, None).all == (BY_COOKIE,)
    assert Carriers.of(cookie, None).all == (CookieCarrier(cookie),)
    assert Carriers.of(None, [BEARER, cookie]).all == (BEARER, CookieCarrier(cookie))


@pytest.mark.parametrize(
    ("cookie", "given_", "match"),
    [
        (COOKIE, [COOKIE], "twice"),
        (COOKIE, [BEARER], "twice"),
        (None, [], "no way"),
        (None, [BEARER, Bearer()], "twice"),
        (None, [QUERY, LeakyQuery("sid")], "twice"),
        (None, [Bearer], "none"),
        (None, ["sid"], "none"),
    ],
)
def test_carriers_that_make_no_sense_are_config_errors(cookie, given_, match):
    """A wrong list is refused at start, and the message says what to write."""
    with pytest.raises(ConfigError, match=match):
        Carriers.of(cookie, given_)


@pytest.mark.parametrize("kind", [LeakyQuery, ForgeableBody])
@pytest.mark.parametrize("name", ["", "a b", "s=d", "a&b", "%73id", "s" * 65, "n\u00e4me", None])
def test_field_names_need_no_escape(kind, name):
    """A name that could be spelled two ways is refused."""
    with pytest.raises(ConfigError, match=kind.__name__):
        kind(name)


@effort(3_000, 50_000)
@given(st.text(), st.text(), st.text(), st.binary())
def test_no_request_upsets_the_search(cookie, authorization, query, body):
    """Whatever the four places hold, it is a text or a reason."""
    headers = {"cookie": cookie, "authorization": authorization}
    _, found = Carriers(*EVERY).find(PlainRequest(headers, "POST", query=query, body=body))

    assert isinstance(found, str | NoTicket)
