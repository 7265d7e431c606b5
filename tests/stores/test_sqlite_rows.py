"""How SQLite's rows are claimed, dated and swept."""

import sqlite3
from contextlib import closing

import pytest

from sessile.core.flow import run
from sessile.core.record import RecordKind
from sessile.errors import KeyTaken, StoreUnavailable
from sessile.stores.contract import COMMITTED, PAGE_BYTES, Corrupt, Replaced
from sessile.stores.sqlite import SQLiteStore
from sessile.testing.clock import T0
from sessile.testing.sample import change, key, login, record, records_of

GRAVE = record("a", idle=120.0, version=0, kind=RecordKind.TOMBSTONE)


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
        run(store.replace(login(record("a", owner="alice"))))

    assert look(path, "UPDATE sessile_session SET owner = 'bob' RETURNING claim") == [(None,)]


@pytest.mark.parametrize("harm", ["owner = NULL", "owner = 'bob'", "version = 7"])
def test_row_whose_columns_differ_from_its_record_is_corrupt(path, store, harm):
    """Whoever changes a column hides a session from nobody, and gives none to somebody else."""
    row = record("a", owner="alice")
    run(store.replace(login(row)))
    look(path, f"UPDATE sessile_session SET {harm}")

    assert run(store.read(key("a"))) == Corrupt(key("a"))
    assert run(store.scan()).records == [Corrupt(key("a"))]
    for owner in ("alice", "bob"):
        assert records_of(store, run, owner) in ([], [Corrupt(key("a"))])
    if harm == "version = 7":
        assert run(store.commit(change(row))) == Corrupt(key("a"))
    assert run(store.replace(login(record("b"), old=row))) == Corrupt(key("a"))


@pytest.mark.parametrize("kind", sorted(set(RecordKind) - {RecordKind.SESSION, RecordKind.MOVING}))
def test_what_is_no_session_stands_in_no_index(path, store, kind):
    """What an ended session left behind is its owner's session for nobody."""
    left = record("a", owner="alice", kind=kind)
    run(store.create(left))
    assert run(store.read(key("a"))) == left
    look(path, "UPDATE sessile_session SET owner = 'alice', claim = 1")

    assert records_of(store, run, "alice") == [Corrupt(key("a"))]


def test_tombstone_is_nobodys_row(path, store):
    """What a login leaves is in no index, and is swept when its own time is over."""
    old = record("a", owner="alice")
    run(store.replace(login(old)))
    run(store.replace(login(record("b", owner="alice"), old=old, tombstone=GRAVE)))

    rows = look(path, "SELECT owner, claim, version, due FROM sessile_session ORDER BY due")
    assert rows == [(None, None, 0, GRAVE.expires), ("alice", 2, 1, record("b").expires)]
    assert run(store.sweep(GRAVE.expires)) == 1
    assert run(store.read(key("a"))) is None


@pytest.mark.parametrize("limit", [None, 1])
def test_locked_file_replaces_nothing_and_says_so(path, drive, limit):
    """While another process writes, a login waits for its time limit, and then is refused whole."""
    store = SQLiteStore(path, limit=0.5)
    old = record("a", owner="alice")
    drive(store.replace(login(old)))
    late = login(record("b", owner="alice"), limit=limit, old=old, tombstone=GRAVE)
    with closing(sqlite3.connect(path, isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            drive(store.replace(late))
        assert drive(store.read(key("a"))) == old
        assert drive(store.read(key("b"))) is None

    assert drive(store.replace(late)) == Replaced()
    assert records_of(store, drive, "alice") == [late.new]
    drive(store.close())


def test_full_disk_replaces_nothing(path, store, drive):
    """A login that the disk has no room for ends nobody; with room it is made."""
    old, other = record("a", owner="alice"), record("c", owner="alice")
    for row in (old, other):
        drive(store.replace(login(row)))
    new = record("b", owner="alice", data={"large": bytes(1_000_000)})
    late = login(new, limit=1, old=old, tombstone=GRAVE)
    small = "PRAGMA max_page_count = 100"
    drive(store._file.ask("", lambda db: db.execute(small).fetchall()))  # of this connection
    with pytest.raises(StoreUnavailable, match="full"):
        drive(store.replace(late))
    assert records_of(store, drive, "alice") == [old, other]
    assert drive(store.read(key("b"))) is None

    assert drive(store.replace(late)) == Replaced((key("c"),))
    assert records_of(store, drive, "alice") == [new]


def test_owner_lists_claims_in_their_order(store):
    """Of two sessions that one clock dates alike, or wrongly, the one claimed first is older."""
    for name, at in (("b", T0), ("c", T0), ("a", T0 - 9)):
        run(store.replace(login(record(name, at=at, owner="alice"))))

    listed = [entry.key for entry in records_of(store, run, "alice")]
    assert listed == [key("b"), key("c"), key("a")]
    assert run(store.replace(login(record("d", owner="alice"), limit=2))) == Replaced(
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


@pytest.mark.parametrize("end", [SQLiteStore.ping, SQLiteStore.end_everybody])
def test_sweep_is_bounded_in_bytes(store, end):
    """However large the expired are, and those that ended with everybody, a sweep takes a page."""
    for n in range(7):
        run(store.create(record(f"row {n}", idle=60.0, data={"v": bytes(PAGE_BYTES * 3 // 8)})))
    run(end(store))

    assert [run(store.sweep(T0 + 60.0)) for _ in range(4)] == [3, 3, 1, 0]


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
    assert run(store.read(key("a"))) is not None
