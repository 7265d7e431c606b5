"""Values and rows made to break who reads them: refused with the key's name, or absent."""

import json

import msgspec
import pytest

from harness.backends import SHARED_OWNING, as_params
from harness.handlers import logs_in, reads
from red_team.attack import events_of, weakened_by
from red_team.rows import rows_of
from sessile.codecs import msgpack
from sessile.core import record as records
from sessile.core.record import Record, evolve, pack
from sessile.core.trail import Trail
from sessile.errors import UnsupportedValue
from sessile.service.events import Malformed
from sessile.service.sessions import Sealing
from sessile.stores import sqlite_acts

DEEP = 100_000


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
    patch.setattr(msgpack, "MAX_DEPTH", 10_000)


def what_cannot_be_kept_is_none(patch):
    """A value that cannot be kept is kept as something else."""
    encode = msgpack.ValueCodec.encode

    def lenient(codec, value):
        try:
            return encode(codec, value)
        except UnsupportedValue:
            return encode(codec, None)

    patch.setattr(msgpack.ValueCodec, "encode", lenient)


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
    patch.setitem(msgpack._HANDLERS, int, lambda value, depth: float("inf"))


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
    decode = msgpack.ValueCodec.decode

    def lenient(codec, blob):
        try:
            return decode(codec, blob)
        except ValueError:
            return None

    patch.setattr(msgpack.ValueCodec, "decode", lenient)


@weakened_by(unreadable_is_none, sealing=Sealing.OFF)
def test_a32_planted_values_are_absent(site):
    """A value that is a bomb is absent, told, and left where it is; its neighbours are there."""
    cookie = site.ask(begins).cookie
    rows, key = rows_of(site), cookie.partition("=")[2][:20]
    for bomb in PLANTED:
        record = rows.record(key)
        rows[key] = pack(rows.proved(evolve(record, data={**record.data, "v": bomb})))
        site.events.clear()
        reply = site.ask(reads, cookie)

        assert (reply.status, reply.json) == (200, {"w": 2}), bomb[:40]
        assert [event.keys for event in events_of(site, Malformed)] == [("v",)], bomb[:40]


def first_bytes_are_enough(patch):
    """A record that cannot be read is taken as an empty one."""
    whole, last = sqlite_acts.unpack, []

    def lenient(blob, key):
        record = whole(blob, key)
        last[:] = [record] if isinstance(record, Record) else last
        return last[0]

    patch.setattr(sqlite_acts, "unpack", lenient)


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
        assert [event.session for event in events_of(site, Malformed)] == [key], bomb[:40]


def trails_are_sound(patch):
    """What a record keeps as its trail is one."""
    patch.setattr(records, "unpack_trail", lambda past: msgspec.msgpack.decode(past, type=Trail))


@pytest.mark.parametrize("url", as_params(SHARED_OWNING), indirect=True)
@weakened_by(trails_are_sound)
def test_a32_planted_trail_hides_no_session(site):
    """A trail that is a bomb is an empty one: the owner still sees and ends the session."""
    key = site.ask(logs_in).cookie.partition("=")[2][:20]
    rows, surrogate = rows_of(site), b"\x91\x92\xcb" + bytes(8) + b"\xa2\xff\xfe"
    for bomb in (surrogate, *PLANTED):
        rows[key] = pack(rows.proved(evolve(rows.record(key), past=bomb)))
        assert listed(site, "alice") == [(key, ())], bomb[:40]
    assert site.sessions.sync.end_all("alice") == 1


def listed(site, user):
    """Return a user's sessions, each with its trail; None where the list cannot be made."""
    try:
        return [(info.id, tuple(info.trail)) for info in site.sessions.sync.of(user)]
    except ValueError:
        return None
