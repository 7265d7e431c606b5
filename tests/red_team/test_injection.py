"""What a client says never becomes a header, a path, a query, a pattern or somebody else's name."""

import unicodedata
from contextlib import suppress
from sqlite3 import Error

import pytest

from harness.backends import SHARED_OWNING, as_params
from harness.handlers import reads, who
from red_team.attack import commands, weakened_by
from sessile import Cookie
from sessile.core import cookie as cookies
from sessile.core.session import Session
from sessile.core.ticket import Key, Ticket
from sessile.errors import ConfigError
from sessile.service import manage
from sessile.stores import sqlite, sqlite_acts

CONTROLS = ["\r\nSet-Cookie: a=b", "\n", "\r", "\0", "\x7f", "; Domain=evil.test", ",", "é", " "]
NAMES = [f"si{evil}d" for evil in CONTROLS] + ["", "=", 's"d', "s=d"]
PATHS = [f"/{evil}" for evil in CONTROLS if evil != ","] + ["", "here", "http://evil.test/"]
DOMAINS = [f"shop{evil}.test" for evil in CONTROLS] + ["", "..", "-a.test", "a..test"]

SPOILS = [
    b"\r\nX: y", b"\n", b"\r", b"\0", b"\x7f", b";", b",", b'"', b" ", b"\xe9", "é".encode(),
]  # fmt: skip

PLACES = [
    "../../../../etc/passwd", "/etc/passwd", "..\\..\\windows\\win.ini", "%2e%2e%2fetc%2fpasswd",
    "C:\\secret", "CON:", "file:///etc/passwd", "sessile.db", "~root", "$(id)", "%00",
    "....//....//",
]  # fmt: skip

LOOKALIKES = [
    "alice", "Alice", "ALICE", "alice ", " alice", "\u0430lice", "alice\u200b", "a\u200dlice",
    "\u00e9", "e\u0301", "\u212b", "\u00c5", "\ufb01", "fi", "\u212a", "K", "k", "ß", "ss",
    "\u0130", "i\u0307", "\u2160", "I", "\uff41lice", "1", "\u0661", "01", "1.0",
]  # fmt: skip

GRAMMAR = [
    "' OR '1'='1", "alice' --", "'; DROP TABLE sessile_session; --", '"', "%", "_lice", "\\", "*",
    "?", "a*", "[a-z]*", "alice bob", "alice\nSET x 1", "alice\r\nFLUSHALL\r\n", "alice\0", "@",
    ":", "sessile:", "{alice}", "alice,bob", "\t", "None", "null", "${jndi:ldap://x}", "x" * 512,
]  # fmt: skip


OWNED = {sqlite: ["_OWNED_PAGE"], sqlite_acts: ["_NEWEST", "_OLDEST", "_SIZE"]}
"""The statements of the SQLite store that ask for an owner."""


def logs_in_as(name):
    return lambda session: session.login(name)


def begin(session):
    session["v"] = 1


def refused(make, *args, **options):
    try:
        make(*args, **options)
    except ConfigError:
        return True
    return False


def anything_is_a_setting(patch):
    """Names, paths and domains are taken as they are."""
    patch.setattr(cookies, "_check_text", lambda name, path, domain: None)


@weakened_by(anything_is_a_setting)
def test_a17_hostile_settings_are_refused_at_start(site):
    """No name, path or domain of a cookie can end its header or begin an attribute."""
    for option, values in {"name": NAMES, "path": PATHS, "domain": DOMAINS}.items():
        for value in values:
            assert refused(Cookie, secure=False, **{option: value}), (option, value)


def any_shape_is_a_ticket(patch):
    """Whatever stands in the cookie is cut into an id and a secret."""

    def parse(cls, text):
        return cls(Key(text[:20]), text[20:].encode("latin-1"))

    patch.setattr(Ticket, "parse", classmethod(parse))


@weakened_by(any_shape_is_a_ticket)
def test_a17_presented_controls_are_no_ticket(site):
    """A ticket with a control character, a separator or a letter from beyond ASCII is none."""
    name, _, ticket = site.ask(begin).cookie.partition("=")
    request = b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: %b=%b\r\n\r\n"
    path = site.path(reads).encode()
    with commands(site) as asked:
        for evil in SPOILS:
            value = ticket.encode()[:25] + evil + ticket.encode()[25 + len(evil) :]
            answer = site.raw(request % (path, name.encode(), value))
            head, _, body = answer.partition(b"\r\n\r\n")

            assert b"set-cookie" not in head.lower(), (evil, answer)
            assert head.split()[1] == b"400" or b"{}" in body, (evil, answer)
    assert asked == [], "a store was asked for what is no id"


@weakened_by(any_shape_is_a_ticket)
def test_a18_places_as_ids_reach_no_store(site):
    """An id that would be a path somewhere is refused before any store is asked.

    There is no store of files: the only file is the one that the application's URL names.
    """
    name, _, ticket = site.ask(begin).cookie.partition("=")
    with commands(site) as asked:
        for place in PLACES:
            for evil in (place, (place * 60)[:60], place + ticket[len(place) :], place * 500):
                reply = site.ask(reads, f"{name}={evil}")
                assert (reply.status, reply.json, reply.set_cookie) == (200, {}, None), evil
    assert asked == [], "a store was asked for what is no id"


def any_text_is_an_id(patch):
    """Whatever a caller names is looked up."""
    patch.setattr(manage, "is_key", lambda text: True)


@weakened_by(any_text_is_an_id)
def test_a18_places_as_ids_are_ended_by_nobody(site):
    """The verbs that take an id take nothing else for one."""
    with commands(site) as asked:
        for place in PLACES:
            assert site.sessions.sync.show(place) is None
            assert site.sessions.sync.end(place) is False
    assert asked == [], "a store was asked for what is no id"


def names_are_folded(patch):
    """Names are made equal before they are kept, as some databases do."""
    login = Session.login

    def folding(self, user, **more):
        folded = unicodedata.normalize("NFKC", user).casefold().strip()
        return login(self, folded or user, **more)

    patch.setattr(Session, "login", folding)


@pytest.mark.parametrize("url", as_params(SHARED_OWNING), indirect=True)
@weakened_by(names_are_folded)
def test_a20_lookalikes_are_other_people(site):
    """Names that differ in case, composition, width or an invisible sign are distinct."""
    mine = {name: site.ask(logs_in_as(name)).cookie for name in LOOKALIKES}
    for name, cookie in mine.items():
        assert site.ask(who, cookie).json == name, ascii(name)
        assert len(site.sessions.sync.of(name)) == 1, ascii(name)
    assert site.sessions.sync.end_all("alice") == 1
    assert site.ask(who, mine["Alice"]).json == "Alice"


def ids_ignore_case(patch):
    """The store compares ids as some databases compare text."""

    async def read(self, key):
        found = (await self.scan(None, 1000)).records
        return next((record for record in found if record.key.lower() == key.lower()), None)

    patch.setattr(sqlite.SQLiteStore, "read", read)


@weakened_by(ids_ignore_case)
def test_a20_lookalike_ids_are_unknown(site):
    """An id in another case, another alphabet or an encoding of it opens nothing."""
    name, _, ticket = site.ask(begin).cookie.partition("=")
    key, verifier = ticket[:20], ticket[20:]
    wide = key.translate({n: n + 0xFEE0 for n in range(0x21, 0x7F)})
    quoted = "".join(f"%{ord(c):02X}" for c in key)
    others = {key.swapcase(), key.lower(), key.upper(), wide, quoted, f"{key}=", f" {key}"} - {key}
    for other in others:
        reply = site.ask(reads, f"{name}={other}{verifier}".encode())
        assert (reply.status, reply.json, reply.set_cookie) == (200, {}, None), other
    assert site.values(f"{name}={ticket}") == {"v": 1}


def names_are_patterns(patch):
    """The owner of a query is matched as a pattern."""
    for module, names in OWNED.items():
        for name in names:
            pattern = getattr(module, name).replace("owner = ?", "owner GLOB ?")
            patch.setattr(module, name, pattern)


def names_are_put_into_the_text(patch):
    """The owner's name is pasted into the query; where that is none, nobody has a session."""

    def pasted(db, statement, *values):
        text = statement.replace("owner = ?", f"owner = '{values[0]}'")
        with suppress(Error):
            return db.execute(text, values[1:]).fetchall(), False
        return [], False

    patch.setattr(sqlite, "fetch_page", pasted)


@pytest.mark.parametrize("url", as_params(SHARED_OWNING), indirect=True)
@weakened_by(names_are_patterns, names_are_put_into_the_text)
def test_a21_names_are_no_grammar(site):
    """A name with the signs of SQL, of Redis or of a pattern is a name and nothing else."""
    alice = site.ask(logs_in_as("alice")).cookie
    mine = {name: site.ask(logs_in_as(name)).cookie for name in GRAMMAR}
    for name, cookie in mine.items():
        assert site.ask(who, cookie).json == name, name
        assert [info.user for info in site.sessions.sync.of(name)] == [name], name
    for name in GRAMMAR:
        assert site.sessions.sync.end_all(name) == 1, name
    assert len(site.sessions.sync.of("alice")) == 1
    assert site.ask(who, alice).json == "alice"
