"""The feed of a store in a file: whoever writes it, and whatever becomes of the file, is told."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import lmdb
import pytest

from sessile.core.flow import run
from sessile.core.record import evolve
from sessile.errors import StoreUnavailable
from sessile.stores.open import open_store
from sessile.testing.promises.feeds import hear, hear_until_now, listen
from sessile.testing.sample import change, key, login, record
from sessile.wire.feed.connection import Heard

PATIENCE = 60

WRITER = """
import sys
from sessile.core.flow import run
from sessile.stores.open import open_store
from sessile.testing.sample import change, key

store = open_store(sys.argv[1])
for name in map(str.strip, sys.stdin):
    run(store.commit(change(run(store.read(key(name))), {"n": b"1"})))
    print("done", flush=True)
"""

FORK = """
import os, signal, sys
from sessile.core.flow import run
from sessile.stores.open import open_store
from sessile.testing.promises.feeds import hear_until_now, listen
from sessile.testing.sample import key, record

signal.alarm(60)
store = open_store(sys.argv[1])
for name in "abc":
    run(store.create(record(name)))
feed = listen(store)
hear_until_now(feed)
to_child, to_parent = os.pipe(), os.pipe()
child = os.fork()
if not child:
    own = listen(store)
    hear_until_now(own)
    run(store.delete(key("a")))
    os.write(to_parent[1], b".")
    os.read(to_child[0], 1)
    os._exit(0 if key("b") in hear_until_now(own) else 1)
os.read(to_parent[0], 1)
print(key("a") in hear_until_now(feed))
run(store.delete(key("b")))
print(key("b") in hear_until_now(feed))
os.write(to_child[1], b".")
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
feed.close()
run(store.close())
"""


@pytest.fixture(params=["sqlite", "lmdb"])
def scheme(request):
    return request.param


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessile.db"


@pytest.fixture
def url(scheme, path):
    return f"{scheme}:///{path}?timeout=20"


@pytest.fixture
def store(url):
    store = open_store(url)
    for name in "abc":
        run(store.create(record(name)))
    yield store
    run(store.close())


@pytest.fixture
def feed(store):
    """A feed that has told all there was."""
    feed = listen(store)
    hear_until_now(feed)
    yield feed
    feed.close()


@pytest.fixture
def writer(url, store):
    """Another process, which commits to the sessions whose names it is told."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, url],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip

    def write(name):
        process.stdin.write(f"{name}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"

    write.kill = lambda: process.send_signal(signal.SIGKILL)
    yield write
    process.kill()
    process.communicate(timeout=PATIENCE)


def until_anything(feed):
    """Wait until the feed says that any record may have changed."""
    return hear(feed, lambda heard: heard.anything)


def test_commit_of_another_process_is_told(feed, writer):
    """What it writes is told, and nothing else is."""
    for name in "abab":
        writer(name)
        assert hear_until_now(feed) == {key(name)}


def test_process_that_was_killed_is_told(feed, writer):
    """What it had committed stands, so it is told, whatever became of the process."""
    writer("a")
    writer.kill()

    assert hear_until_now(feed) == {key("a")}


def test_forked_processes_hear_of_each_other(url):
    """Parent and child each go on, or begin, to listen after a fork, and miss nothing."""
    quiet = ["-W", "ignore::DeprecationWarning"]  # Python 3.12 warns of forks beside threads
    done = subprocess.run(
        [sys.executable, *quiet, "-c", FORK, url],
        capture_output=True, text=True, check=True, timeout=2 * PATIENCE,
    )  # fmt: skip

    assert done.stdout.split() == ["True", "True", "0"]
    assert "Traceback" not in done.stderr


def test_end_of_everybody_is_anything(store, feed):
    """It ends records that nobody wants to hear of, too; what comes after is told one by one."""
    run(store.end_everybody())
    until_anything(feed)
    run(store.create(record("a")))

    assert hear_until_now(feed) == {key("a")}


def test_end_of_everybody_by_another_is_anything(url, feed):
    """So it is where another handle ends everybody, and stores the same again at once."""
    other = open_store(url)
    run(other.end_everybody())
    for name in "abc":
        run(other.create(record(name)))
    run(other.close())

    until_anything(feed)


def test_same_version_of_something_else_is_told(store, feed):
    """What is left where a session was has the version of what was left there before."""
    left = record("a", version=0)
    run(store.delete(key("a"), leaving=left))
    assert hear_until_now(feed) == {key("a")}
    run(store.delete(key("a"), leaving=evolve(left, idle_until=left.idle_until + 1)))

    assert hear_until_now(feed) == {key("a")}


def test_file_in_the_place_of_another_is_anything(scheme, tmp_path, path, store, feed):
    """A backup may hold the same sessions, at the same versions, with something else in them."""
    backup = open_store(f"{scheme}:///{tmp_path}/backup.db")
    for name in "abc":
        run(backup.create(record(name, data={"other": b"1"})))
    run(backup.close())
    (tmp_path / "backup.db").rename(path)
    until_anything(feed)

    run(store.delete(key("a")))
    assert hear_until_now(feed) == {key("a")}


def test_file_that_was_deleted_is_anything(path, store, feed):
    """It is made anew, as by any act of the store, and the feed goes on with it."""
    for file in path.parent.glob("sessile.db*"):
        file.unlink()
    until_anything(feed)

    run(store.create(record("a")))
    assert hear_until_now(feed) == {key("a")}


def test_harm_is_an_outage_of_the_feed(path, store, feed):
    """A file that cannot be opened is one of the feed as of every act; a new connection heals."""
    kept = path.rename(path.with_name("kept.db"))
    path.mkdir()

    with pytest.raises(StoreUnavailable):
        hear(feed, lambda _: False)
    path.rmdir()
    kept.rename(path)
    again = listen(store)
    assert hear_until_now(again) == set(map(key, "abc"))
    again.close()


def test_file_of_something_else_is_an_outage_of_the_feed(path, tmp_path):
    """Whoever put it there may take it away again, so the thread that follows goes on."""
    store = open_store(f"lmdb:///{path}")
    feed = listen(store)
    with lmdb.open(str(tmp_path / "other"), subdir=False) as other, other.begin(write=True) as it:
        it.put(b"theirs", b"1")
    (tmp_path / "other").rename(path)

    with pytest.raises(StoreUnavailable, match="something else than sessions"):
        hear(feed, lambda _: False)
    with pytest.raises(StoreUnavailable, match="something else than sessions"):
        listen(store)
    run(store.close())


def test_locked_file_is_an_outage_of_the_feed(path):
    """Who keeps readers out for longer than the time limit keeps the feed out, and says so."""
    store = open_store(f"sqlite:///{path}?timeout=0.1")
    feed = listen(store)
    store._file._pool.close_idle()
    with closing(sqlite3.connect(path, isolation_level=None)) as rival:
        rival.execute("PRAGMA locking_mode = EXCLUSIVE")
        rival.execute("CREATE TABLE theirs (n)")

        with pytest.raises(StoreUnavailable, match="another process keeps it locked"):
            hear(feed, lambda _: False)
    run(store.close())


def test_store_that_was_closed_tells_nothing(store, feed):
    """Whoever still listens is told nothing, and vouched for nothing; nor is who begins to."""
    run(store.close())

    heard = hear(feed, lambda word: word.as_of is None)
    assert heard[-1] == Heard()
    assert listen(store).wait(0.01) == Heard()


def test_feed_that_listens_costs_a_commit_no_statement(path):
    """Whoever writes does what it did before, whether or not somebody listens."""
    store = open_store(f"sqlite:///{path}")
    row = record("a")
    run(store.create(row))
    counts = []
    for feed in (None, listen(store)):
        if feed is not None:
            hear_until_now(feed)
        step, said = change(row, {"n": b"1"}), []
        pool = store._file._pool
        (cursor,) = pool._all
        cursor.connection.set_trace_callback(said.append)
        run(store.commit(step))
        cursor.connection.set_trace_callback(None)
        row = step.record
        counts.append([text.split()[0] for text in said])
    run(store.close())

    assert counts[0] == counts[1] != []


def test_looks_write_nothing(path, store, feed):
    """Whoever listens changes no byte of the file, whatever is written meanwhile by others."""
    run(store.replace(login(record("d", owner="alice"))))
    hear_until_now(feed)
    before = path.read_bytes(), written(path)
    for _ in range(5):
        feed.wait(0.1)

    assert (path.read_bytes(), written(path)) == before


def written(path):
    """Say what stands in the log, where there is one."""
    log = path.with_name(f"{path.name}-wal")
    return log.read_bytes() if log.exists() else b""


def test_busy_pool_hides_nothing(path):
    """A commit is told whichever connection made it, and whichever one the feed looks through."""
    store = open_store(f"sqlite:///{path}")
    row = record("a")
    run(store.create(row))
    pool = store._file._pool
    first, second = pool.acquire(), pool.acquire()
    pool.release(first)
    pool.release(second)
    feed = listen(store)
    hear_until_now(feed)
    for number in range(20):
        turn(pool, number)
        step = change(row, {"n": b"%d" % number})
        run(store.commit(step))
        row = step.record
        turn(pool, number // 2)
        assert hear_until_now(feed) == {key("a")}
    feed.close()
    run(store.close())


def turn(pool, number):
    """Let the next call get one connection, or the other."""
    pool._idle.rotate(number)
