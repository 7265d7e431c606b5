"""Cookie headers: flooded, overflown, ambiguous, and sessions that no cookie could hold."""

import re
import time

from harness.handlers import logs_in, puts, reads, who
from red_team.attack import commands, events_of, weakened_by
from sessile.codecs.sealing import AesGcmSealer
from sessile.core.cookie import Cookie
from sessile.service.events import RefusalReason, Refused

CPU = 0.1
"""Seconds for a header of 24 KB. It takes a thousandth of that, and a square of it much more."""


def blanks_are_tried_one_by_one(patch):
    """The cookie is found by a pattern that may begin anywhere."""
    whole = Cookie.__post_init__

    def post_init(cookie):
        whole(cookie)
        found = re.compile(rf"[ \t;]*{re.escape(cookie.full_name)}=([^;]*)").findall
        object.__setattr__(cookie, "_values", found)

    patch.setattr(Cookie, "__post_init__", post_init)


@weakened_by(blanks_are_tried_one_by_one)
def test_a33_reading_a_cookie_header_takes_linear_time(site):
    """No header of 24 KB, however it is made, takes more than its length."""
    cookie = Cookie(secure=False)
    for piece in (" ", ";", "; ", ";\t", ";  ;", "sid", "sid ", ";sid", "sid=;", ";sid =", "; sid"):
        header = ((piece * 24_000)[:24_000] + "\nsid")[-24_000:]
        began = time.thread_time()
        cookie.find(header)

        assert time.thread_time() - began < CPU, piece


def only_some_are_read(patch):
    """Of a long header the beginning is read."""
    find = Cookie.find
    patch.setattr(Cookie, "find", lambda cookie, header: find(cookie, header[:4096]))


@weakened_by(only_some_are_read)
def test_a33_flood_of_cookies_and_headers_hides_nothing(site):
    """Among a thousand cookies and eighty headers ours is found; a second one is still noticed."""
    cookie = site.ask(logs_in).cookie
    flood = "; ".join(f"c{n}={n:020}" for n in range(1000))
    headers = [(f"X-Flood-{n}", "x" * 50) for n in range(80)]

    assert site.ask(who, f"{flood}; {cookie}", headers=headers).json == "alice"
    assert site.ask(who, f"{cookie}; {flood}", headers=headers).json == "alice"
    assert site.ask(who, f"{cookie}; {flood}; sid=x").json is None


def values_travel_in_the_cookie(patch):
    """The cookie carries the values along."""
    seal, issue, last = AesGcmSealer.seal, Cookie.issue, []

    def noting(sealer, record, written, removed, **changes):
        last[:] = [b"".join(written.values()).hex()]
        return seal(sealer, record, written, removed, **changes)

    patch.setattr(AesGcmSealer, "seal", noting)
    patch.setattr(Cookie, "issue", lambda cookie, value, *age: issue(cookie, value + last[0], *age))


@weakened_by(values_travel_in_the_cookie)
def test_a34_cookie_does_not_grow_with_the_session(site):
    """A session far beyond the 4096 bytes of a cookie has a ticket of 60 characters too."""
    reply = site.ask(puts(v="x" * 20_000))
    assert len(reply.cookie.partition("=")[2]) == 60
    assert len(reply.set_cookie) < 200
    turned = site.ask(lambda session: session.rotate(), reply.cookie)
    assert len(turned.cookie.partition("=")[2]) == 60
    assert len(site.values(turned.cookie)["v"]) == 20_000


def any_ticket_will_do(patch):
    """A ticket counts under whatever name it comes."""
    ticket = re.compile(r"=([A-Za-z0-9_-]{60})(?:;|$)")
    find = Cookie.find

    def lenient(cookie, header):
        found = ticket.search(header)
        return found[1] if found else find(cookie, header)

    patch.setattr(Cookie, "find", lenient)


@weakened_by(any_ticket_will_do)
def test_a35_overflown_jar_is_a_visitor_without_a_session(site):
    """When others have pushed our cookie out nothing stands for it, and nothing is undone."""
    cookie = site.ask(logs_in).cookie
    ticket = cookie.partition("=")[2]
    names = ["sid.1", "sid_", "xsid", "SID", "sid[]", "__Host-sid", "user", "sessile", "remember"]
    jar = [f"{name}={ticket}" for name in names] + [f"c{n}={'x' * 40}" for n in range(300)]
    with commands(site) as asked:
        for header in ("; ".join(jar), "user=alice; logged_in=1"):
            for act in (who, reads):
                reply = site.ask(act, header)
                assert (reply.status, reply.json or None, reply.set_cookie) == (200, None, None)
    assert asked == []
    assert site.ask(who, cookie).json == "alice"


def first_cookie_wins(patch):
    """Of several cookies the first one counts."""
    patch.setattr(Cookie, "find", lambda c, header: next(iter(c._values(header)), "").strip())


def last_cookie_wins(patch):
    """Of several cookies the last one counts."""
    patch.setattr(Cookie, "find", lambda c, header: next(reversed(c._values(header)), "").strip())


def quotes_are_taken_off(patch):
    """A quoted value is what stands between the quotes."""
    find = Cookie.find

    def unquoting(cookie, header):
        found = find(cookie, header)
        return found.strip('"') if isinstance(found, str) else found

    patch.setattr(Cookie, "find", unquoting)


def names_are_not_needed(patch):
    """A cookie without a name may hold another one, as old browsers sent it."""
    find = Cookie.find
    patch.setattr(Cookie, "find", lambda cookie, header: find(cookie, header.lstrip("=")))


@weakened_by(first_cookie_wins, last_cookie_wins, quotes_are_taken_off, names_are_not_needed)
def test_a36_ambiguous_cookies_are_nobody(site):
    """Two cookies of our name, quotes, ``$Version`` and nameless cookies open no session."""
    cookie = site.ask(logs_in).cookie
    name, _, ticket = cookie.partition("=")
    twice, shape = [RefusalReason.AMBIGUOUS], [RefusalReason.SHAPE]
    for header, reasons in {
        f"{cookie}; {cookie}": twice,
        f"{cookie}; {name}=": twice,
        f"{name}=x; {cookie}": twice,
        f"{cookie};{name}={'A' * 60}": twice,
        f"x=y;\t{cookie} ;\t{cookie}": twice,
        f'{name}="{ticket}"': shape,
        f'$Version="1"; {name}="{ticket}"; $Path="/"': shape,
        f'{name}="{ticket}': shape,
        f"{name}=={ticket}": shape,
        f"={cookie}": [],
        f"=; ={cookie}": [],
        f"{name} ={ticket}": [],
        f"{name}": [],
    }.items():
        site.events.clear()
        reply = site.ask(who, header)

        assert (reply.status, reply.json, reply.set_cookie) == (200, None, None), header
        assert [event.reason for event in events_of(site, Refused)] == reasons, header
    assert site.ask(who, f'$Version="1"; {cookie}').json == "alice"
    joined = site.ask(who, f"{cookie},{cookie}")  # as WSGI servers join two fields
    assert (joined.json, joined.set_cookie) == ("alice", None)
