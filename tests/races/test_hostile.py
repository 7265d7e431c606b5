"""Bad input over real HTTP: never an exception, never a store command, always anonymous."""

import base64
import os
import pickle
import sqlite3
from contextlib import closing

import msgspec

from harness.handlers import reads
from harness.sites import serve
from sessile.core.record import FORMAT, Record, unpack
from sessile.service import events
from sessile.service.sessions import context_of


def start(session):
    session["v"] = 1


def spoiled(cookie):
    """Cookie headers that hold no ticket, or no single one."""
    name, _, ticket = cookie.partition("=")
    other = ticket[:20] + "A" * 40
    return [
        f"{name}=",
        f"{name}={ticket[:-1]}",
        f"{name}={ticket}x",
        f"{name}={ticket * 100}",
        f'{name}="{ticket}"',
        f"{name}={ticket[:-1]}=",
        f"{name}={ticket[:-1]}+",
        f"{name}={ticket[:-1]}/",
        f"{name}={ticket[:-1]}%41",
        f"{name}={ticket[:-1]}\xe9",
        f"{name}={base64.b64encode(os.urandom(45)).decode()}==",
        f"{name}={ticket}; {name}={ticket}",
        f"{name}={ticket}; {name}={other}",
        f"={cookie}",
        f"{name} ={ticket}",
        f"{name.upper()}={ticket}",
        f"{name}={{'__class__': 1}}",
        f"{name}=../../etc/passwd",
        f"{name}=' OR 1=1 --",
        ";" * 3000,
        f"{name}",
        "$Version=1; " + f"x{cookie}",
    ]


def test_spoiled_cookies_are_anonymous_and_ask_nothing(interface, tmp_path):
    """Wrong length, alphabet, encoding and duplicates are refused before the store is asked."""
    with serve(interface, f"sqlite:///{tmp_path}/sessile.db") as site:
        cookie = site.ask(start).cookie
        asked = []
        context_of(site.sessions).store.read = lambda *args: asked.append(args)
        for header in spoiled(cookie):
            reply = site.ask(reads, header.encode("latin-1"))

            assert (reply.status, reply.json, reply.set_cookie) == (200, {}, None), header
        assert asked == []


class Bomb:
    """Pickled, it would run on loading."""

    def __reduce__(self):
        return (os.mkdir, ("bomb",))


def changed(row, field, change):
    """Return a row's bytes with one field changed."""
    place = Record.__struct_fields__.index(field)
    return msgspec.msgpack.encode([*row[:place], change(row[place]), *row[place + 1 :]])


def planted(blob):
    """Rows that are no records: truncated, foreign, of another version, a pickle."""
    good = msgspec.msgpack.decode(blob)
    return {
        "truncated": blob[: len(blob) // 2],
        "empty": b"",
        "extended": blob + b"\x00",
        "another version": msgspec.msgpack.encode([FORMAT + 1, *good[1:]]),
        "another key": msgspec.msgpack.encode([good[0], "A" * 20, *good[2:]]),
        "another shape": msgspec.msgpack.encode({"user": "alice"}),
        "text": b"<html>",
        "pickle": pickle.dumps(Bomb()),
        "tampered owner": changed(good, "owner", lambda owner: "mallory"),
        "tampered value": changed(
            good,
            "data",
            lambda data: {key: bytes([*value[:-1], value[-1] ^ 1]) for key, value in data.items()},
        ),
    }


def test_planted_rows_are_absent_and_never_executed(interface, tmp_path, monkeypatch):
    """A row that is no sound record is an anonymous visitor and an event; nothing in it runs."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "sessile.db"
    with serve(interface, f"sqlite:///{file}") as site, closing(sqlite3.connect(file)) as db:
        cookie = site.ask(start).cookie
        ((key, blob),) = db.execute("SELECT key, blob FROM sessile_session").fetchall()
        assert isinstance(unpack(blob, key), Record)
        for name, row in planted(blob).items():
            db.execute("UPDATE sessile_session SET blob = ?", (row,))
            db.commit()
            site.events.clear()
            reply = site.ask(reads, cookie)

            assert (reply.status, reply.json, reply.set_cookie) == (200, {}, None), name
            assert [type(e) for e in site.events] in (
                [events.Malformed],
                [events.Malformed, events.Refused],
            ), name
    assert not (tmp_path / "bomb").exists()
