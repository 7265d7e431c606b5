"""Rows of another version of sessile, while both run and after it was taken back: the page's words.

A row becomes that of another version by the number of its layout alone, and is ours again by it.
"""

import sqlite3

import pytest

from harness.redis_server import RedisServer
from sessile import Sessions
from sessile.core.flow import run
from sessile.core.record import FORMAT
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.service import events
from sessile.service.commit import commit
from sessile.service.open import open_transaction
from sessile.service.sessions import context_of
from sessile.testing.world import SECRET

FORMAT_AT = 3  # behind the bytes of MessagePack that say how many fields there are
GENERATION = 9  # bytes before a row of Redis


class SqliteRows:
    """The rows of a file."""

    def __init__(self, folder):
        self._path = folder / "sessions.db"
        self.url = f"sqlite:///{self._path}"

    def set_format(self, key, number):
        """Give a row that format; False when it is gone."""
        at = FORMAT_AT + 1  # SQLite counts from one
        with sqlite3.connect(self._path) as db:
            done = db.execute(
                "UPDATE sessile_session SET blob = "
                f"CAST(substr(blob, 1, {at - 1}) || ? || substr(blob, {at + 1}) AS BLOB) "
                "WHERE key = ?",
                (bytes([number]), key),
            )
        db.close()
        return done.rowcount == 1


class RedisRows:
    """The rows of a server."""

    def __init__(self, folder):
        self._server = RedisServer(folder)
        self.url = self._server.url
        self.stop = self._server.stop

    def set_format(self, key, number):
        """Give a row that format; False when it is gone."""
        row = f"sessile:{key}"
        if not self._server.ask("EXISTS", row):
            return False
        self._server.ask("SETRANGE", row, GENERATION + FORMAT_AT, bytes([number]))
        return True


class Shop:
    """Sessions over such rows, and one user who is logged in.

    Attributes:
        cookie: hers.
        told: the events.
    """

    def __init__(self, rows):
        self.told = []
        self._rows = rows
        self.sessions = Sessions(rows.url, secrets=[SECRET], hooks=[self.told.append])
        given = self.ask(lambda session: (session.login("alice"), session.update(cart=1)), "")
        self.cookie = given[-1][1].partition(";")[0]
        self.key = self.cookie.partition("=")[2][:20]

    def ask(self, act, cookie=None):
        """Let a request act; return the headers of its answer."""
        request = PlainRequest({"cookie": self.cookie if cookie is None else cookie})
        transaction = run(open_transaction(context_of(self.sessions), request))
        act(Session(transaction.state))
        return run(commit(transaction))

    def seen(self):
        """Return who she is to a request, and what her cart holds."""
        seen = []
        self.ask(lambda session: seen.append((session.user, session.get("cart"))))
        return seen[0]

    def upgrade(self):
        """Make the row another version's."""
        assert self._rows.set_format(self.key, FORMAT + 1)

    def roll_back(self):
        """Make it ours again; False when it is gone."""
        return self._rows.set_format(self.key, FORMAT)


@pytest.fixture(params=[SqliteRows, RedisRows], ids=["sqlite", "redis"])
def shop(request, tmp_path):
    """A shop of each store that outlives its application."""
    rows = request.param(tmp_path)
    shop = Shop(rows)
    yield shop
    shop.sessions.sync.close()
    getattr(rows, "stop", lambda: None)()


def test_session_of_another_version_is_absent_and_told(shop, caplog):
    """Its user is logged out here, nobody lists it, and the log says what it may be."""
    assert shop.seen() == ("alice", 1)
    shop.upgrade()

    assert shop.seen() == (None, None)
    assert shop.sessions.sync.of("alice") == []
    assert any(isinstance(event, events.Malformed) for event in shop.told)
    assert "another version stored it" in caplog.text


def test_rollback_finds_what_the_other_version_left_alone(shop):
    """Reading it and writing with its cookie harm nothing: it lives again where it is known."""
    shop.upgrade()
    shop.seen()
    shop.ask(lambda session: session.update(cart=2))
    shop.ask(lambda session: session.login("alice"))
    shop.roll_back()

    assert shop.seen() == ("alice", 1)


def test_logout_at_another_version_ends_nothing(shop):
    """The cookie goes; whoever has kept the ticket is logged in again after a rollback."""
    shop.upgrade()
    ((_, cookie),) = shop.ask(Session.logout)
    shop.roll_back()

    assert "Max-Age=0" in cookie
    assert shop.seen() == ("alice", 1)


@pytest.mark.parametrize("verb", ["end_all", "end_everybody"])
def test_operator_ends_sessions_of_every_version(shop, verb):
    """``end_all`` and ``end_everybody`` end what they cannot read, too."""
    shop.upgrade()
    shop.sessions.sync.end_all("alice") if verb == "end_all" else shop.sessions.sync.end_everybody()
    shop.roll_back()

    assert shop.seen() == (None, None)
