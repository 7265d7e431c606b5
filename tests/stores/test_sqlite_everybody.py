"""Ending everybody in an SQLite file: what it costs the others, and what stays as it was."""

import sqlite3
from contextlib import closing

import pytest

from sessile.core.flow import run
from sessile.core.record import pack
from sessile.errors import StoreUnavailable
from sessile.stores.sqlite import SQLiteStore
from sessile.testing.clock import T0
from sessile.testing.sample import key, login, record, records_of

MANY = 5000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessile.db"


@pytest.fixture
def store(path):
    store = SQLiteStore(path, limit=0.5)
    yield store
    run(store.close())


def connect(path):
    return closing(sqlite3.connect(path, isolation_level=None, timeout=0))


def fill(path):
    """Put many sessions of 1 KB into the file, and empty its log."""
    rows = (record(f"row {n}", data={"v": bytes(1000)}) for n in range(MANY))
    with connect(path) as db:
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO sessile_session (key, version, due, blob) VALUES (?, 1, ?, ?)",
            ((row.key, row.expires, pack(row)) for row in rows),
        )
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def tables(path):
    with connect(path) as db:
        found = db.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
        return {name for (name,) in found}


def swept(store, batch=1000):
    """Sweep to the end; return what each sweep removed."""
    return list(iter(lambda: run(store.sweep(T0, batch)), 0))


@pytest.mark.parametrize("zeroes", ["OFF", "ON"])
def test_end_of_many_writes_little(path, store, zeroes):
    """The log, and so the time that others wait, does not grow with the bytes of the sessions.

    Also where SQLite zeroes what is deleted, as Debian's does.
    """
    run(store.create(record()))
    fill(path)
    run(store._file.ask("", lambda db: db.execute(f"PRAGMA secure_delete = {zeroes}").fetchall()))
    run(store.end_everybody())

    assert path.with_name("sessile.db-wal").stat().st_size < path.stat().st_size / 20
    assert run(store.scan()).records == []


def test_sweeps_remove_what_was_put_aside(path, store):
    """Batch by batch the rows go, then their table; what was made after the ends stays."""
    run(store.ping())
    before = tables(path)
    for round_ in range(3):
        for n in range(5):
            run(store.create(record(f"{round_} {n}")))
        run(store.end_everybody())
    run(store.replace(login(record(owner="alice"))))
    assert tables(path) == before | {f"sessile_ended_{n}" for n in (1, 2, 3)}

    assert swept(store, 4) == [4, 4, 4, 3]
    assert tables(path) == before
    assert records_of(store, run, "alice") == [record(owner="alice")]


def test_sweep_removes_the_expired_as_well(path, store):
    """What expired and what was ended go in the same course of sweeps."""
    run(store.create(record("ended")))
    run(store.end_everybody())
    run(store.end_everybody())
    run(store.create(record("over", at=T0 - 700.0)))
    run(store.create(record("live")))

    assert swept(store) == [1, 1]
    assert run(store.read(key("live"))) == record("live")


def test_new_table_is_as_the_first(path, store):
    """What begins after the end has the columns, checks and indexes of a fresh file."""

    def shape():
        with connect(path) as db:
            found = db.execute("SELECT name, tbl_name, sql FROM sqlite_master ORDER BY name")
            return found.fetchall()

    run(store.ping())
    before = shape()
    run(store.end_everybody())
    swept(store)

    assert shape() == before


def test_application_in_the_same_file_is_left_alone(path, store):
    """Its views stay as they were written, and one that is broken hinders nobody."""
    run(store.create(record()))
    view = "CREATE VIEW online AS SELECT count(*) FROM sessile_session"
    with connect(path) as db:
        db.execute(view)
        db.execute("CREATE VIEW broken AS SELECT * FROM what_was_dropped")
        run(store.end_everybody())

        assert db.execute("SELECT * FROM online").fetchall() == [(0,)]
        assert db.execute("SELECT sql FROM sqlite_master WHERE name = 'online'").fetchone() == (
            view,
        )


def test_reader_goes_on_with_what_it_has_seen(path, store):
    """A reader in the middle of a page is not disturbed, and the next one finds nobody."""
    run(store.create(record()))
    with connect(path) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT key FROM sessile_session").fetchall()
        run(store.end_everybody())
        assert reader.execute("SELECT key FROM sessile_session").fetchall() == before
        reader.execute("COMMIT")
        assert reader.execute("SELECT key FROM sessile_session").fetchall() == []


def test_locked_file_ends_nobody_and_says_so(path, store):
    """While another process writes, the end waits for its time limit, and then is refused."""
    run(store.create(record()))
    with connect(path) as rival:
        rival.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            run(store.end_everybody())
    assert run(store.read(key("a"))) == record()

    run(store.end_everybody())
    assert run(store.read(key("a"))) is None
