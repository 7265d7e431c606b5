"""Connections: used by one call at a time, over threads and forks, and closed in the end."""

import gc
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from sessile.errors import StoreClosed
from sessile.testing.clock import FakeClock
from sessile.wire.sqlite.pool import LOOK_INTERVAL, SQLitePool

TALLY = ("PRAGMA journal_mode = WAL", "CREATE TABLE IF NOT EXISTS tally AS SELECT 0 AS n")

FORK = """
import os, signal, sqlite3, sys, threading
from sessile.wire.sqlite.pool import SQLitePool

path, busy = sys.argv[1], sys.argv[2] == "busy"
pool = SQLitePool(path, ("PRAGMA journal_mode = WAL", "CREATE TABLE IF NOT EXISTS tally (who)"))

def note(who):
    cursor = pool.acquire()
    cursor.execute("INSERT INTO tally VALUES (?)", (who,))
    pool.release(cursor)

def read():
    while not done.is_set():
        cursor = pool.acquire()
        cursor.execute("SELECT count(*) FROM tally, tally, tally, tally").fetchall()
        pool.release(cursor)

def turn(pipe):
    return os.read(pipe[0], 1)

def yours(pipe):
    os.write(pipe[1], b".")

note("parent")
done, to_parent, to_child = threading.Event(), os.pipe(), os.pipe()
reader = threading.Thread(target=read)
if busy:
    reader.start()
child = os.fork()
if not child:
    signal.alarm(30)
    note("child"), yours(to_parent), turn(to_child)
    note("child, when the parent has closed"), yours(to_parent), turn(to_child)
    os._exit(0)
turn(to_parent)
note("parent after the fork")
done.set()
reader.is_alive() and reader.join()
pool.close()
yours(to_child), turn(to_parent)
fresh = sqlite3.connect(path)
print(*(who for (who,) in fresh.execute("SELECT who FROM tally")), sep="\\n")
fresh.close()
yours(to_child), os.wait()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tally.db"


def is_open(path):
    """Tell whether anybody has the file open: whoever closes last removes the log."""
    return path.with_name("tally.db-wal").exists()


@pytest.mark.parametrize("rest", ["idle", "busy"])
def test_fork_loses_nothing(path, rest):
    """Parent and child write on after a fork, whoever closes first, also beside a busy thread."""
    quiet = ["-W", "ignore::DeprecationWarning"]  # Python 3.12 warns of forks beside threads
    done = subprocess.run(
        [sys.executable, *quiet, "-c", FORK, path, rest],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    assert done.stdout.splitlines() == [
        "parent", "child", "parent after the fork", "child, when the parent has closed",
    ]  # fmt: skip
    assert not done.stderr


def test_connections_are_used_again(path):
    """One call after the other needs one connection; two at once need two."""
    pool = SQLitePool(str(path), TALLY)
    first = pool.acquire()
    second = pool.acquire()
    assert first.connection is not second.connection
    pool.release(first)

    assert pool.acquire() is first
    for cursor in (first, second):
        pool.release(cursor)
    pool.close()


def test_second_connection_keeps_the_locks_of_the_first(path):
    """Another process that opens and closes the file does not take itself for the last one."""
    pool = SQLitePool(str(path), TALLY)
    cursors = [pool.acquire(), pool.acquire()]
    look = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT n FROM tally')"
    )
    subprocess.run([sys.executable, "-c", look + "; db.close()", path], check=True, timeout=60)

    assert is_open(path)
    for cursor in cursors:
        pool.release(cursor)
    pool.close()


def test_threads_share_a_pool(path):
    """Four threads that add to one number lose nothing."""
    pool = SQLitePool(str(path), (*TALLY, "PRAGMA busy_timeout = 20000"))

    def add(_):
        cursor = pool.acquire()
        cursor.execute("UPDATE tally SET n = n + 1")
        pool.release(cursor)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(200)))

    cursor = pool.acquire()
    assert cursor.execute("SELECT n FROM tally").fetchone() == (200,)
    pool.release(cursor)
    pool.close()
    assert not is_open(path)


def test_closed_pool_gives_no_connection(path):
    """Use after the end is named; closing twice is no error."""
    pool = SQLitePool(str(path), TALLY)
    pool.release(pool.acquire())
    pool.close()
    pool.close()

    with pytest.raises(StoreClosed, match="SQLite store was closed"):
        pool.acquire()
    assert not is_open(path)


def test_connection_in_use_is_closed_when_it_is_released(path):
    """A pool that is closed under a call lets the call finish."""
    pool = SQLitePool(str(path), TALLY)
    cursor = pool.acquire()
    pool.close()

    assert cursor.execute("SELECT n FROM tally").fetchone() == (0,)
    assert is_open(path)
    pool.release(cursor)
    assert not is_open(path)


def test_forgotten_pool_closes_its_file(path):
    """Nobody has to close: a pool that is dropped closes its connections, without a warning."""
    pool = SQLitePool(str(path), TALLY)
    pool.release(pool.acquire())
    assert is_open(path)

    del pool
    gc.collect()
    assert not is_open(path)


def test_abandoned_connections_are_left_alone(path):
    """A pool that was forked with open connections opens others, and does not close the first."""
    pool = SQLitePool(str(path), TALLY)
    inherited = pool.acquire()
    pool.release(inherited)
    pool.abandon()

    own = pool.acquire()
    assert own is not inherited
    pool.release(own)
    pool.close()
    assert inherited.execute("SELECT n FROM tally").fetchone() == (0,)
    inherited.connection.close()


def test_connection_that_cannot_be_prepared_is_closed(path):
    """A failure while a connection opens leaves none open."""
    pool = SQLitePool(str(path), (*TALLY, "SELECT a FROM tally"))
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        pool.acquire()

    assert not is_open(path)


def test_connection_in_use_ends_with_its_file(path):
    """A call that was under way when its file went finishes, and its connection is closed."""
    pool = SQLitePool(str(path), TALLY, clock=count(1).__next__)
    late, idle = pool.acquire(), pool.acquire()
    pool.release(idle)
    path.unlink()
    fresh = pool.acquire()
    assert late.execute("SELECT n FROM tally").fetchone() == (0,)
    pool.release(late)

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        late.execute("SELECT n FROM tally")
    pool.release(fresh)
    pool.close()


def test_log_of_another_file_is_left_alone(path):
    """Who leaves a file removes its log, and not the one that another process has begun since."""
    old, new = (SQLitePool(str(path), TALLY, clock=count(1).__next__) for _ in range(2))
    old.release(old.acquire())
    for file in path.parent.iterdir():
        file.unlink()
    new.release(new.acquire())
    begun = path.with_name("tally.db-wal").stat().st_ino
    old.release(old.acquire())

    assert path.with_name("tally.db-wal").stat().st_ino == begun
    old.close()
    new.close()


def test_path_is_looked_at_now_and_then(path):
    """Between two looks, a thousandth of a second apart, a call costs none."""
    clock = FakeClock()
    pool = SQLitePool(str(path), TALLY, clock=clock)
    first = pool.acquire()
    pool.release(first)
    path.unlink()

    assert pool.acquire() is first
    pool.release(first)
    clock.advance(LOOK_INTERVAL)
    assert pool.acquire() is not first
    pool.close()
