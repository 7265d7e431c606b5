"""``sessile copy`` carries sessions over, sealed as they are, and can be run again."""

import pytest

from sessile.core.flow import run
from sessile.core.record import RecordKind
from sessile.stores.open import open_store
from sessile.testing import sample
from sessile.wire import system

OLD = "sqlite:///sessile.db"


@pytest.fixture
def new(redis_server, folder):
    """A place of this test's own on the shared server."""
    return f"{redis_server.url}?prefix={folder.name}:"


def rows(url):
    """Return every record of a store."""
    store, found, cursor = open_store(url), [], None
    while True:
        page = run(store.scan(cursor))
        found += page.records
        if (cursor := page.cursor) is None:
            run(store.close())
            return {one.key: one for one in found}


def test_every_live_session_is_carried_over_as_it_is(sessile, login, put, new):
    """What has expired stays; evidence and devices go along and are not counted."""
    for user in ("alice", "alice", "bob"):
        login(user, url=OLD)
    now = system.clock()
    put(
        sample.record("dead", at=1000.0),
        sample.record("evidence", at=now, kind=RecordKind.EVIDENCE),
        url=OLD,
    )
    before = rows(OLD)
    done = sessile("copy", OLD, new)

    assert (done.exit_code, done.stdout) == (0, f"3 sessions carried over to {new.split('?')[0]}\n")
    live = {key: row for key, row in before.items() if row.live_at(now)}
    assert rows(new) == live
    assert rows(OLD).keys() == before.keys() - live.keys()
    assert sessile("copy", OLD, new).stdout.startswith("0 sessions carried over")
    listed = sessile("list", "--url", new).stdout
    assert (listed.count("alice"), listed.count("bob")) == (2, 1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("sqlite:///missing.db", "redis://nowhere"), "there is no database"),
        ((OLD, OLD), "former=sqlite:///sessile.db is the store itself"),
        ((OLD, "memory://"), "memory:// is inside a process"),
        ((OLD, "sqlit:///x.db"), "did you mean sqlite://"),
        ((OLD, "redis://127.0.0.1:1/0"), "redis://127.0.0.1:1/0 is unavailable"),
    ],
)
def test_wrong_places_are_told(sessile, login, words, says):
    """Nothing has moved then, and no file is made."""
    login("alice", url=OLD)
    done = sessile("copy", *words)

    assert done.exit_code == 2
    assert says in done.stderr
    assert len(rows(OLD)) == 1
