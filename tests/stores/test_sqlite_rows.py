"""How SQLite's rows are claimed, dated and swept."""

import sqlite3

import pytest

from sessile.core.change import COMMITTED, Claimed
from sessile.core.flow import run
from sessile.errors import KeyTaken
from sessile.stores.sqlite import SQLiteStore
from sessile.testing.clock import T0
from sessile.testing.sample import change, key, record


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessile.db"


@pytest.fixture
def store(path):
    store = SQLiteStore(path)
    yield store
    run(store.close())


def look(path, statement):
    """Ask the file itself, beside the store."""
    db = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        return db.execute(statement).fetchall()
    finally:
        db.close()


def test_refused_claim_leaves_no_lock(path, store):
    """A claim that fails half-way gives the lock back and changes nothing."""
    run(store.create(record("a")))
    with pytest.raises(KeyTaken):
        run(store.claim(record("a", owner="alice"), T0))

    assert look(path, "UPDATE sessile_session SET owner = 'bob' RETURNING claim") == [(None,)]


def test_owner_lists_claims_in_their_order(store):
    """Of two sessions that one clock dates alike, or wrongly, the one claimed first is older."""
    for name, at in (("b", T0), ("c", T0), ("a", T0 - 9)):
        run(store.claim(record(name, at=at, owner="alice"), T0))

    listed = [entry.key for entry in run(store.owned_by("alice", T0))]
    assert listed == [key("b"), key("c"), key("a")]
    assert run(store.claim(record("d", owner="alice"), T0, limit=2)) == Claimed(
        (key("b"), key("c"))
    )


def test_later_deadline_spares_the_index(path, store):
    """A commit with a later deadline leaves the row's due; the sweep moves it, not the row."""
    old = record("a", idle=100)
    run(store.create(old))
    assert run(store.commit(change(old, idle_until=T0 + 200))) is COMMITTED
    assert look(path, "SELECT due FROM sessile_session") == [(T0 + 100,)]

    assert run(store.sweep(T0 + 150)) == 0
    assert look(path, "SELECT due FROM sessile_session") == [(T0 + 200,)]
    assert run(store.sweep(T0 + 200)) == 1


def test_earlier_deadline_is_swept_in_time(store):
    """A commit that moves a deadline earlier brings the sweep forward."""
    old = record("a", idle=100)
    run(store.create(old))
    assert run(store.commit(change(old, idle_until=T0 + 50))) is COMMITTED

    assert run(store.sweep(T0 + 50)) == 1


def test_sweep_looks_past_the_living(store):
    """Rows that were only due do not hide the dead behind them."""
    for name, idle in (("a", 10), ("b", 20)):
        run(store.create(record(name, idle=idle)))
    run(store.commit(change(record("a", idle=10), idle_until=T0 + 500)))

    assert run(store.sweep(T0 + 100, batch=1)) == 1
    assert run(store.sweep(T0 + 100, batch=1)) == 0


def test_sweep_spares_what_was_changed_meanwhile(store):
    """A session that is renewed while the sweep looks at it lives on."""
    old = record("a", idle=100)
    run(store.create(old))
    sweep = store.sweep(T0 + 100)
    due = sweep.send(None)
    found = due.block()
    run(store.commit(change(old, idle_until=T0 + 500)))
    kill = sweep.send(found)

    assert kill.block() == 0
    sweep.close()
    assert run(store.read(key("a"), T0 + 100)) is not None
