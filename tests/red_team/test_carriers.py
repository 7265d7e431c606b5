"""Carriers: a ticket in a place where none is looked for, in two places, or in the wrong one."""

from harness.handlers import logs_in, logs_out, puts, reads, start, who
from mutations.defences import ids_are_adopted
from red_team.attack import commands, events_of, weakened_by
from sessile import Cookie
from sessile.core.carrier import Bearer, Carriers, CookieCarrier, ForgeableBody, LeakyQuery
from sessile.core.ticket import NoTicket, Ticket
from sessile.service.events import RefusalReason, Refused

COOKIE, BEARER = Cookie("sid", secure=False), Bearer()
QUERY, BODY = LeakyQuery("sid"), ForgeableBody("sid")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
PLANTED = Ticket.mint(bytes(range(45))).reveal()
EVERY = {"cookie": None, "carriers": [COOKIE, BEARER, QUERY, BODY]}


def bringing(ticket):
    """Return, for each way, the request that brings a ticket so."""
    body = f"a=b&sid={ticket}".encode()
    return {
        "cookie": {"cookie": f"sid={ticket}"},
        "bearer": {"headers": [("Authorization", f"Bearer {ticket}")]},
        "query": {"query": f"a=b&sid={ticket}"},
        "body": {"method": "POST", "headers": [FORM], "body": body},
    }


def stray(ticket):
    """Return requests that have a ticket in places that belong to other conventions."""
    names = ("Session-Ticket", "X-Session-Id", "X-Auth-Token", "Sid", "Cookie2", "Set-Cookie")
    headers = [(name, value) for name in names for value in (ticket, f"sid={ticket}")]
    headers += [
        ("Authorization", f"Basic {ticket}"),
        ("Authorization", f"Session {ticket}"),
        ("Proxy-Authorization", f"Bearer {ticket}"),
        ("Referer", f"http://shop.example/?sid={ticket}"),
        ("Cookie", f"SID={ticket}"),
        ("Cookie", f"__Host-sid={ticket}"),
        ("Cookie", f"xsid={ticket}; sid.x={ticket}; a=sid={ticket}"),
    ]
    requests = [{"headers": [header]} for header in headers]
    requests += [{"under": f"/sid={ticket}"}, {"under": f"/;sid={ticket}"}]
    requests += [{"query": f"session={ticket}"}, {"query": ticket}, {"query": f"SID={ticket}"}]
    return requests


def joined(one, other):
    """Return a request that is both."""
    both = one | other
    return both | {"headers": [*one.get("headers", []), *other.get("headers", [])]}


def every_place_is_looked_at(patch):
    """What is not in the cookie is looked for elsewhere."""
    find, everywhere = Carriers.find, [BEARER, LeakyQuery("sid"), LeakyQuery("session")]

    def wherever(carriers, request):
        carrier, found = find(carriers, request)
        for place in everywhere if found is NoTicket.ABSENT else ():
            elsewhere = place.find(request)
            if elsewhere is not NoTicket.ABSENT:
                return carrier, elsewhere
        return carrier, found

    patch.setattr(Carriers, "find", wherever)


def names_know_no_case(patch):
    """A cookie is known by its name in capitals too."""
    find = Cookie.find
    patch.setattr(Cookie, "find", lambda cookie, header: find(cookie, header.replace("SID", "sid")))


@weakened_by(every_place_is_looked_at, names_know_no_case)
def test_a1_ticket_in_a_place_that_is_not_configured_opens_nothing(site):
    """A live ticket anywhere but in the cookie is nobody's; no store is asked and none is told."""
    ticket, mine = start(site)[4:], site.ask(lambda session: session.login("bob")).cookie
    site.events.clear()
    ways = [bringing(ticket)[way] for way in ("bearer", "query", "body")] + stray(ticket)
    with commands(site) as asked:
        replies = [site.ask(who, **request) for request in ways]

    assert [reply.json for reply in replies] == [None] * len(ways)
    assert {(reply.set_cookie, reply.ticket) for reply in replies} == {(None, None)}
    assert (asked, site.events) == ([], [])
    own = [one for one in ways if "Cookie" not in dict(one.get("headers", ()))]
    assert [site.ask(who, mine, **request).json for request in own] == ["bob"] * len(own)


@weakened_by(ids_are_adopted, **EVERY)
def test_a1_chosen_id_is_adopted_from_nowhere(site):
    """An id that nobody issued names no session, by whichever way it comes."""
    for request in bringing(PLANTED).values():
        for act in (puts(v=1), logs_in):
            reply = site.ask(act, **request)
            issued = reply.cookie[4:] or reply.ticket

            assert len(issued) == 60
            assert issued[:20] != PLANTED[:20]
            assert site.ask(who, **request).json is None
            assert site.ask(reads, **request).json == {}


def answers_go_the_first_way(patch):
    """A ticket is answered by the first carrier, wherever it came from."""
    find = Carriers.find
    patch.setattr(
        Carriers, "find", lambda carriers, request: (carriers.first, find(carriers, request)[1])
    )


@weakened_by(answers_go_the_first_way, **EVERY)
def test_a1_ticket_from_a_link_becomes_no_cookie(site):
    """What came in a link, a form or a header never plants a cookie: not at any turn of it."""
    for way in ("bearer", "query", "body"):
        ticket, replies = start(site)[4:], []
        for act in (lambda session: session.rotate(), logs_in, logs_out):
            reply = site.ask(act, **bringing(ticket)[way])
            ticket = reply.ticket or ticket
            replies.append(reply)

        assert {reply.set_cookie for reply in replies} == {None}
        assert [len(reply.ticket) for reply in replies] == [60, 60, 0]
        assert site.ask(who, **bringing(ticket)[way]).json is None


def first_place_counts(patch):
    """Of two places the first that is listed is believed."""

    def first(carriers, request):
        for one in carriers.all:
            found = one.find(request)
            if found is not NoTicket.ABSENT:
                return one, found
        return carriers.first, NoTicket.ABSENT

    patch.setattr(Carriers, "find", first)


def equal_tickets_are_one(patch):
    """Two places that say the same are taken for one."""
    find = Carriers.find

    def lenient(carriers, request):
        said = {one.find(request) for one in carriers.all} - {NoTicket.ABSENT}
        return (carriers.first, said.pop()) if len(said) == 1 else find(carriers, request)

    patch.setattr(Carriers, "find", lenient)


@weakened_by(first_place_counts, equal_tickets_are_one, **EVERY)
def test_a36_tickets_in_two_places_open_neither_session(site):
    """A thief who plants one beside the visitor's own reaches no session, nor ends or moves one."""
    mine, theirs = start(site)[4:], site.ask(lambda session: session.login("mallory")).cookie[4:]
    ways = bringing(mine)
    for one in ways:
        for other in ways:
            for planted in (theirs, mine, PLANTED, "junk"):
                if one == other:
                    continue
                request = joined(ways[one], bringing(planted)[other])
                with commands(site) as asked:
                    reply = site.ask(who, **request)
                assert (reply.json, reply.set_cookie, reply.ticket) == (None, None, None)
                assert asked == []
    assert {event.reason for event in events_of(site, Refused)} == {RefusalReason.AMBIGUOUS}
    assert site.ask(who, f"sid={mine}").json == "alice"
    assert site.ask(who, f"sid={theirs}").json == "mallory"


def first_of_two_is_taken(patch):
    """Of two values in one place the first is read."""
    for kind in (CookieCarrier, LeakyQuery, ForgeableBody, Bearer):
        find = kind.find

        def first(carrier, request, find=find, kind=kind):
            found = find(carrier, request)
            if found is not NoTicket.AMBIGUOUS:
                return found
            text = {
                CookieCarrier: request.header("cookie"),
                LeakyQuery: request.query,
                ForgeableBody: request.body.decode(),
                Bearer: request.header("authorization").replace("Bearer ", "sid="),
            }[kind]
            return text.partition("sid=")[2][:60]

        patch.setattr(kind, "find", first)


@weakened_by(first_of_two_is_taken, **EVERY)
def test_a36_place_that_holds_two_tickets_holds_none(site):
    """A parameter, a field, a cookie or an Authorization that stands twice opens nothing."""
    mine = start(site)[4:]
    twice = [
        {"cookie": f"sid={mine}; sid={PLANTED}"},
        {"headers": [("Authorization", f"Bearer {mine}"), ("Authorization", f"Bearer {PLANTED}")]},
        {"headers": [("Authorization", f"Bearer {mine}, Bearer {mine}")]},
        {"query": f"sid={mine}&sid={PLANTED}"},
        {"method": "POST", "headers": [FORM], "body": f"sid={mine}&sid={mine}".encode()},
    ]
    for request in twice:
        reply = site.ask(who, **request)
        assert (reply.json, reply.set_cookie, reply.ticket) == (None, None, None), request
    assert [event.reason for event in events_of(site, Refused)] == [RefusalReason.AMBIGUOUS] * len(
        twice
    )
    assert site.ask(who, f"sid={mine}").json == "alice"


def detached_carriers_exempt_all(patch):
    """Where programs may bring a ticket nobody is asked where a request comes from."""
    patch.setattr(Carriers, "exempt", lambda carriers, request: True)


@weakened_by(detached_carriers_exempt_all, **EVERY)
def test_a4_bearer_excuses_no_browser(site):
    """Of cross-site requests only one that has a program's ticket, and no cookie, is let in."""
    mine = start(site)[4:]
    foreign = {"headers": [("Sec-Fetch-Site", "cross-site")], "method": "POST"}
    ways = {way: joined(request, foreign) for way, request in bringing(mine).items()}
    basic = {"headers": [("Authorization", "Basic YTpi")]}
    lure = [ways["cookie"], ways["query"], ways["body"], foreign, joined(basic, foreign)]
    lure += [joined(ways["bearer"], {"cookie": one}) for one in (f"sid={mine}", "other=1")]

    assert [site.ask(who, **request).status for request in lure] == [403] * len(lure)
    assert site.ask(who, **ways["bearer"]).json == "alice"
