"""Upkeep of an SQLite file: no commit waits for a checkpoint, and what is free is given back."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from sessile.core.flow import run
from sessile.stores.sqlite import SQLiteStore
from sessile.testing.sample import change, key, login, record
from sessile.wire.sqlite.upkeep import Upkeep

BLOB = {"name": b"x" * 1500}


@pytest.fixture
def store(tmp_path):
    store = SQLiteStore(tmp_path / "sessile.db")
    yield store
    run(store.close())


def upkeep_of(store):
    return store._file.upkeep


def size(store, suffix=""):
    return Path(f"{store.path}{suffix}").stat().st_size


def fill(store, number, owner=None):
    """Store so many sessions, a page and more each."""
    for n in range(number):
        run(store.replace(login(record(f"{owner} {n}", owner=owner, data=BLOB))))


def in_threads(monkeypatch, done):
    """Note which thread does the work, and tell when it is done."""
    whole = Upkeep.work

    def work(upkeep):
        whole(upkeep)
        done.append(threading.current_thread())

    monkeypatch.setattr(Upkeep, "work", work)


def test_commit_makes_no_checkpoint(store, monkeypatch):
    """Four thousand pages of log, where SQLite by itself would have made one, stay in the log."""
    monkeypatch.setattr(Upkeep, "work", lambda upkeep: None)
    run(store.ping())
    before = size(store)
    fill(store, 1_000)

    assert size(store, "-wal") > 4096 * 2048
    assert size(store) == before


def test_log_is_copied_back_beside_the_requests(store, monkeypatch):
    """After so many writes a thread of its own does it, once at a time."""
    done = []
    in_threads(monkeypatch, done)
    run(store.ping())
    before = size(store)
    upkeep_of(store)._left = 3
    fill(store, 2)
    assert done == []
    fill(store, 1, "alice")
    upkeep_of(store).end()
    for thread in threading.enumerate():
        if thread.name == "sessile-file":
            thread.join()

    assert [thread.name for thread in done] == ["sessile-file"]
    assert size(store) > before


def test_reads_are_no_reason_for_it(store, monkeypatch):
    """A site that is only read needs no checkpoint."""
    done = []
    in_threads(monkeypatch, done)
    upkeep_of(store)._left = 1
    for ask in (store.ping, store.count, store.scan):
        run(ask())
    run(store.read(key("a")))
    run(store.owned_by("alice"))

    assert (upkeep_of(store)._left, done) == (1, [])


def test_file_shrinks_after_a_mass_deletion(store):
    """Of what many sessions took, room for some new ones is kept."""
    upkeep_of(store)._left = 10**9  # by nobody but the test
    fill(store, 6_000, "alice")
    upkeep_of(store).work()
    full = size(store)
    while run(store.delete_owned("alice")).more:
        pass
    upkeep_of(store).work()

    assert size(store) < full / 2
    run(store.create(record("new")))
    assert run(store.read(key("new"))) == record("new")


def test_log_shrinks_after_a_long_reader(store):
    """A backup that reads for long keeps the log from beginning anew; afterwards it is cut."""
    row = record("a", data={"name": b"x" * 200_000})
    run(store.create(row))
    with closing(sqlite3.connect(store.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sessile_session").fetchall()
        for n in range(400):
            update = change(row, {"name": bytes([n % 251]) * 200_000})
            run(store.commit(update))
            row = update.record
        upkeep_of(store).work()
        assert size(store, "-wal") > 2**26
    upkeep_of(store).work()
    run(store.commit(change(row)))  # which begins the log anew

    assert size(store, "-wal") <= 2**24


def test_trouble_can_wait(store, tmp_path):
    """A file that is locked, or gone, is no reason to fail: a later round does it."""
    fill(store, 10)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as rival:
        rival.execute("BEGIN EXCLUSIVE")
        upkeep_of(store).work()
    run(store.close())
    upkeep_of(store).work()
