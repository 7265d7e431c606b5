"""An SQLite file through a crash, a backup, a restore and a shrinking."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from sessile.errors import StoreUnavailable
from sessile.stores import sqlite
from sessile.stores.sqlite import SQLiteStore
from sessile.testing.sample import key, record

SOURCE = Path(__file__).parents[2] / "src"
WRITER = """
import itertools, sys
from sessile.core.flow import run
from sessile.stores.sqlite import SQLiteStore
from sessile.testing.sample import key, record
store = SQLiteStore(sys.argv[1])
for n in itertools.count():
    run(store.create(record(f"{n}", data={"v": bytes(500)})))
    if n % 2:
        run(store.delete(key(f"{n}")))
    print(n, flush=True)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessile.db"


@pytest.fixture
def store(path, drive):
    store = SQLiteStore(path, limit=0.5)
    drive(store.ping())
    yield store
    drive(store.close())


def connect(path):
    return closing(sqlite3.connect(path, isolation_level=None, timeout=0))


def test_killed_process_loses_nothing_that_it_acknowledged(path, drive):
    """What it made is there, what it ended is not, and the file is sound."""
    command = [sys.executable, "-c", WRITER, str(path)]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as writer:
        told = [int(writer.stdout.readline()) for _ in range(300)]
        writer.send_signal(signal.SIGKILL)  # in the middle of whatever it does
        told += [int(line) for line in writer.stdout if line.endswith("\n")]

    store = SQLiteStore(path)
    found = {n for n in told if drive(store.read(key(f"{n}"))) is not None}
    drive(store.close())
    assert found == {n for n in told if n % 2 == 0}
    with connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_end_of_everybody_is_on_the_disk_itself(path, store):
    """Its commit is synced, which others are not; what the connection does next is as before."""
    said = []
    with connect(path) as db:
        for statement in sqlite._PRAGMAS:
            db.execute(statement)
        db.set_trace_callback(said.append)
        sqlite._end_everybody(db.cursor())
        db.set_trace_callback(None)
        assert db.execute("PRAGMA synchronous").fetchone() == (1,)

    full, commit, normal = (
        said.index(text)
        for text in ("PRAGMA synchronous = FULL", "COMMIT", "PRAGMA synchronous = NORMAL")
    )
    assert full < said.index("BEGIN IMMEDIATE") < commit < normal


@pytest.mark.parametrize("way", ["VACUUM INTO", "backup"])
def test_backup_of_a_file_in_use_is_whole(path, store, drive, way):
    """A copy that SQLite makes has what stands in the log; a copied file alone does not."""
    copy = path.with_name("copy.db")
    for name in "ab":
        drive(store.create(record(name)))
    with connect(path) as db:
        if way == "backup":
            with connect(copy) as target:
                db.backup(target)
        else:
            db.execute("VACUUM INTO ?", (str(copy),))

    restored = SQLiteStore(copy)
    assert [drive(restored.read(key(name))) for name in "ab"] == [record("a"), record("b")]
    drive(restored.close())


def test_restored_file_brings_back_the_ended_until_everybody_ends(path, store, drive):
    """Who logged out after the backup is logged in again; ``end_everybody`` ends them for good."""
    copy = path.with_name("copy.db")
    drive(store.create(record("a")))
    with connect(path) as db:
        db.execute("VACUUM INTO ?", (str(copy),))
    drive(store.delete(key("a")))
    restored = SQLiteStore(copy)

    assert drive(restored.read(key("a"))) == record("a")
    drive(restored.end_everybody())
    assert drive(restored.read(key("a"))) is None
    drive(restored.close())


def test_shrinking_keeps_writers_out_and_readers_in(path, store, drive):
    """While VACUUM runs a read is served, and a write is unavailable after its time limit."""
    for n in range(500):
        drive(store.create(record(f"{n}", data={"v": bytes(1000)})))
    answers = []

    def in_the_middle():
        if not answers:
            answers.append(drive(store.read(key("1"))) is not None)
            with pytest.raises(StoreUnavailable, match="locked"):
                drive(store.delete(key("1")))
            answers.append(True)

    with connect(path) as db:
        db.set_progress_handler(in_the_middle, 1000)
        db.execute("VACUUM")
        db.set_progress_handler(None, 0)
    assert answers == [True, True]
    drive(store.delete(key("1")))


def test_deleted_rows_free_no_disk_until_the_file_is_shrunk(path, store, drive):
    """Their pages are used again; VACUUM gives them back."""
    store._file.upkeep._left = 10**9  # by nobody but the test
    for n in range(500):
        drive(store.create(record(f"{n}", data={"v": bytes(1000)})))
    for n in range(500):
        drive(store.delete(key(f"{n}")))
    with connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = path.stat().st_size
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    assert before > 500_000
    assert path.stat().st_size < 100_000
