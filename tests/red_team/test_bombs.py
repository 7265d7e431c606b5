"""Too much, too deep, too often: refused with the key's name, in linear time, and nobody falls."""

import json
import re
import time

import msgspec

from races.acts import logs_in, puts, reads, who
from red_team.rows import rows_of
from red_team.stage import commands, told, weakened_by
from sessile.codecs import values
from sessile.codecs.sealed import SealedVault
from sessile.core.cookie import Cookie
from sessile.core.record import evolve, pack
from sessile.errors import UnsupportedValue
from sessile.service.events import Malformed, Refusal, Refused
from sessile.service.sessions import Sealing
from sessile.stores import sqlite

DEEP = 100_000
CPU = 0.2
"""Seconds for a header of 32 KB. It takes a thousandth of that, and a square of it much more."""


def begins(session):
    session.update(v=1, w=2)


def takes(site):
    """Return a handler that keeps what the client sent, and tells what became of it."""

    def act(session):
        try:
            session["v"] = json.loads(site.body)
        except UnsupportedValue as error:
            return [error.key, error.reason]
        except RecursionError:
            return "the application's own parser refused"
        return "kept"

    return act


REFUSED = [
    b"[" * 66 + b"]" * 66,
    b'{"a":' * 66 + b"1" + b"}" * 66,
    b'[{"a":' * 400 + b"1" + b"}]" * 400,
    b'"\\ud800"', b'["\\udfff"]', b'{"\\ud83d": 1}', b'[{"a": "\\ude00\\ud83d"}]',
]  # fmt: skip

KEPT = [
    b"[" * 64 + b"]" * 64, b"NaN", b"[-Infinity, NaN, 1e400, -0.0]", b'{"a": 1, "a": 2}',
    b"1" * 4000, b"-" + b"9" * 4000, b'"\\ud83d\\ude00 \\u0000 \\u202e"',
    json.dumps(dict.fromkeys(map(str, range(20_000)))).encode(),
]  # fmt: skip


def nothing_is_too_deep(patch):
    """Values may stand in each other without end."""
    patch.setattr(values, "DEEPEST", 10_000)


def what_cannot_be_kept_is_none(patch):
    """A value that cannot be kept is kept as something else."""
    encode = values.ValueCodec.encode

    def lenient(codec, value):
        try:
            return encode(codec, value)
        except UnsupportedValue:
            return encode(codec, None)

    patch.setattr(values.ValueCodec, "encode", lenient)


@weakened_by(nothing_is_too_deep, what_cannot_be_kept_is_none)
def test_a32_json_bombs_are_refused_when_they_are_set(site):
    """What would not come back as it is raises, naming the key; the session is as it was."""
    cookie, act = site.ask(begins).cookie, takes(site)
    for bomb in REFUSED:
        answer = site.ask(act, cookie, method="POST", body=bomb).json

        assert answer[0] == "v", (bomb[:40], answer)
        assert "surrogate" in answer[1] or "deeper than 64" in answer[1], (bomb[:40], answer)
        assert site.values(cookie) == {"v": 1, "w": 2}


def digits_are_enough(patch):
    """Numbers are kept as floats, as in JavaScript."""
    patch.setitem(values._HANDLERS, int, lambda value, depth: float("inf"))


@weakened_by(digits_are_enough)
def test_a32_odd_json_comes_back_as_it_was(site):
    """Infinities, numbers of 4000 digits, doubled and many keys neither break nor change."""
    cookie, act = site.ask(begins).cookie, takes(site)
    for odd in KEPT:
        assert site.ask(act, cookie, method="POST", body=odd).json == "kept", odd[:40]
        kept = site.ask(lambda session: repr(session["v"]), cookie).json
        assert kept == repr(json.loads(odd)), odd[:40]


def nested(code, times):
    blob = b"\x90"
    for _ in range(times):
        blob = msgspec.msgpack.encode([msgspec.msgpack.Ext(code, blob)])
    return blob


def said(code, data):
    return msgspec.msgpack.encode(msgspec.msgpack.Ext(code, data))


PLANTED = [
    b"\x91" * DEEP + b"\x00", b"\x81\xa1a" * DEEP + b"\x00", nested(2, 3000),
    b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x01", b"\xc1", b"", b"\xa2\xed\xa0",
    b"\xa3\xed\xa0\x80", said(5, b"2020-01-01T00:00:00[../../../etc/passwd]"),
    said(5, b"2020-01-01T00:00:00[/etc/passwd]"), said(8, b"9" * 100_000 + b",0,0"),
    said(9, b"1e" + b"9" * 50), said(10, b"short"), said(7, b"25:61"), said(11, b"\x91\x00"),
    said(3, b"\x91\x91\x90"),
]  # fmt: skip


def unreadable_is_none(patch):
    """What cannot be read is None, as if it had been set so."""
    decode = values.ValueCodec.decode

    def lenient(codec, blob):
        try:
            return decode(codec, blob)
        except ValueError:
            return None

    patch.setattr(values.ValueCodec, "decode", lenient)


@weakened_by(unreadable_is_none, sealing=Sealing.OFF)
def test_a32_planted_values_are_absent(site):
    """A value that is a bomb is absent, told, and left where it is; its neighbours are there."""
    cookie = site.ask(begins).cookie
    rows, key = rows_of(site), cookie.partition("=")[2][:20]
    for bomb in PLANTED:
        rows[key] = pack(evolve(rows.record(key), data={**rows.record(key).data, "v": bomb}))
        site.events.clear()
        reply = site.ask(reads, cookie)

        assert (reply.status, reply.json) == (200, {"w": 2}), bomb[:40]
        assert [event.keys for event in told(site, Malformed)] == [("v",)], bomb[:40]


def first_bytes_are_enough(patch):
    """A record that cannot be read is taken as an empty one."""
    whole, last = sqlite.unpack, []

    def lenient(blob, key):
        record = whole(blob, key)
        last[:] = [record] if record else last
        return record or last[0]

    patch.setattr(sqlite, "unpack", lenient)


@weakened_by(first_bytes_are_enough)
def test_a32_planted_records_are_absent(site):
    """A row that is a bomb is no session, and an event tells of it."""
    cookie = site.ask(begins).cookie
    rows, key = rows_of(site), cookie.partition("=")[2][:20]
    good = rows[key]
    assert site.values(cookie) == {"v": 1, "w": 2}
    doubled = msgspec.msgpack.decode(good)
    bombs = [*PLANTED, good * 2, good[:-1] + b"\x91" * DEEP, msgspec.msgpack.encode(doubled * 1000)]
    for bomb in bombs:
        rows[key] = bomb
        site.events.clear()
        reply = site.ask(reads, cookie)

        assert (reply.status, reply.json, reply.set_cookie) == (200, {}, None), bomb[:40]
        assert [event.session for event in told(site, Malformed)] == [key], bomb[:40]


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
    """No header of 32 KB, however it is made, takes more than its length."""
    cookie = Cookie(secure=False)
    for piece in (" ", ";", "; ", ";\t", ";  ;", "sid", "sid ", ";sid", "sid=;", ";sid =", "; sid"):
        header = ((piece * 32_000)[:32_000] + "\nsid")[-32_000:]
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
    store, issue, last = SealedVault.store, Cookie.issue, []

    def noting(vault, record, written, removed, **changes):
        last[:] = [b"".join(written.values()).hex()]
        return store(vault, record, written, removed, **changes)

    patch.setattr(SealedVault, "store", noting)
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
    twice, shape = [Refusal.AMBIGUOUS], [Refusal.SHAPE]
    for header, reasons in {
        f"{cookie}; {cookie}": twice,
        f"{cookie}; {name}=": twice,
        f"{name}=x; {cookie}": twice,
        f"{cookie};{name}={'A' * 60}": twice,
        f"x=y;\t{cookie} ;\t{cookie}": twice,
        f'{name}="{ticket}"': shape,
        f'$Version="1"; {name}="{ticket}"; $Path="/"': shape,
        f'{name}="{ticket}': shape,
        f"{cookie},{cookie}": shape,
        f"{name}=={ticket}": shape,
        f"={cookie}": [],
        f"=; ={cookie}": [],
        f"{name} ={ticket}": [],
        f"{name}": [],
    }.items():
        site.events.clear()
        reply = site.ask(who, header)

        assert (reply.status, reply.json, reply.set_cookie) == (200, None, None), header
        assert [event.reason for event in told(site, Refused)] == reasons, header
    assert site.ask(who, f'$Version="1"; {cookie}').json == "alice"
