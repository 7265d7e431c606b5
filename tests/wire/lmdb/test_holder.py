"""The environment of a path: one in a process, none across a fork, given up when it has to be."""

import gc
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from time import monotonic

import lmdb
import pytest

from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.lmdb import LMDBStore
from sessile.testing.sample import key, record
from sessile.wire.lmdb import holder

LONG = 20.0
FORK = """
import os, signal, sys, threading
from sessile.core.flow import run
from sessile.stores.lmdb import LMDBStore
from sessile.testing.sample import key, record

path, busy = sys.argv[1], sys.argv[2] == "busy"
store = LMDBStore(path, limit=20)

def note(who):
    run(store.create(record(who)))

def read():
    while not done.is_set():
        run(store.scan())

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
    note("late child"), yours(to_parent), turn(to_child)
    sys.exit(0)
turn(to_parent)
note("late parent")
done.set()
reader.is_alive() and reader.join()
run(store.close())
yours(to_child), turn(to_parent)
fresh = LMDBStore(path)
names = ("parent", "child", "late parent", "late child")
print(*(who for who in names if run(fresh.read(key(who)))), sep="\\n")
yours(to_child), os.wait()
print(run(fresh.count()))
run(fresh.create(record("last")))
"""
STOPPED = """
import os, signal, sys
from sessile.core.flow import run
from sessile.stores.lmdb import LMDBStore
from sessile.stores.lmdb_rows import Rows
from sessile.testing.sample import key, record
from sessile.stores import lmdb_acts

store = LMDBStore(sys.argv[1], limit=20)
if run(store.read(key("a"))) is None:
    run(store.create(record("a")))

def hang(transaction):
    lmdb_acts.create(transaction, record("never"))
    print("within", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)

run(store._file.write("lmdb hang", hang))
"""


READER = """
import signal, sys
from sessile.core.flow import run
from sessile.stores.lmdb import LMDBStore
from sessile.testing.sample import key, record

store = LMDBStore(sys.argv[1], limit=20)
run(store.delete(key("b")))
run(store.create(record("b")))
print("b" if run(store.read(key("b"))) else "nothing", flush=True)
signal.pause()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessile.lmdb"


def python(program, *words):
    quiet = ["-W", "ignore::DeprecationWarning"]  # Python 3.12 warns of forks beside threads
    return [sys.executable, *quiet, "-c", program, *map(str, words)]


@pytest.mark.parametrize("rest", ["idle", "busy"])
def test_fork_loses_nothing(path, rest):
    """Parent and child write on after a fork, whoever closes first, also beside a busy thread."""
    done = subprocess.run(
        python(FORK, path, rest), capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.split("\n") == [
        "parent", "child", "late parent", "late child", "4", "",
    ]  # fmt: skip
    assert not done.stderr


@contextmanager
def stopped_writer(path):
    """Let another process stand still within a transaction that has written; it is killed."""
    with subprocess.Popen(python(STOPPED, path), stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout.readline() == "within\n"
            yield writer
        finally:
            writer.send_signal(signal.SIGKILL)


def test_stopped_writer_is_an_outage_for_writers_alone(path, drive):
    """Within the time limit writers are told, and readers read on; nothing is carried out later."""
    with stopped_writer(path):
        store = LMDBStore(path, limit=0.1)
        assert drive(store.read(key("a"))) == record("a")
        for _ in range(2):
            began = monotonic()
            with pytest.raises(StoreUnavailable, match="another process keeps it locked"):
                drive(store.create(record("given up")))
            assert monotonic() - began < LONG
        assert drive(store.read(key("a"))) == record("a")
    for _ in range(3):
        drive(store.ping())

    assert drive(store.read(key("given up"))) is None
    drive(store.close())


def test_killed_writer_leaves_nothing_half_done(path, drive):
    """What it had written within its transaction is not there, and the next one writes."""
    store = LMDBStore(path, limit=LONG)
    with stopped_writer(path):
        drive(store.ping())
    drive(store.create(record("b")))

    assert [drive(store.read(key(name))) for name in ("a", "never", "b")] == [
        record("a"), None, record("b"),
    ]  # fmt: skip
    drive(store.close())


def test_killed_readers_leave_room(path, monkeypatch):
    """Their slots are used again when all are taken."""
    monkeypatch.setattr(lmdb, "open", few_readers)
    store = LMDBStore(path, limit=LONG)
    store._file._holder.syncer._every = 10**6  # which would free them as well
    run(store.create(record("a")))
    for _ in range(12):
        with subprocess.Popen(python(READER, path), stdout=subprocess.PIPE, text=True) as reader:
            assert reader.stdout.readline() == "b\n"
            reader.send_signal(signal.SIGKILL)

    assert run(store.read(key("a"))) == record("a")
    run(store.close())


def test_killed_process_keeps_no_pages(path):
    """What it held of its sync point is let go by the next sync of another process."""
    store = LMDBStore(path, limit=LONG)
    run(store.create(record("a")))
    with subprocess.Popen(python(READER, path), stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout.readline() == "b\n"
        held = readers(store)
        reader.send_signal(signal.SIGKILL)
    assert readers(store) == held
    run(store.create(record("c")))
    store._file._holder.sync_behind()

    assert readers(store) < held
    run(store.close())


def readers(store):
    return len(store._file._holder._environment._env.readers().splitlines())


def few_readers(*words, _open=lmdb.open, **more):
    return _open(*words, **more | {"max_readers": 8})


def test_stores_of_one_file_share_it(path):
    """LMDB lets a process open a file once; two stores are two handles on it all the same."""
    path.parent.joinpath("link.lmdb").symlink_to(path)
    first, second = LMDBStore(path), LMDBStore(path.parent / "link.lmdb")
    run(first.create(record("a")))
    run(first.close())

    assert run(second.read(key("a"))) == record("a")
    run(second.close())
    assert second._file._holder._environment is None


def test_forgotten_store_closes_its_file(path):
    """Nobody has to close: a store that is dropped leaves no thread and no open file behind."""
    store = LMDBStore(path)
    run(store.create(record("a")))
    syncer = store._file._holder.syncer
    thread = syncer._thread
    syncer._every = 0
    del store, syncer
    gc.collect()
    again = LMDBStore(path)

    assert run(again.read(key("a"))) == record("a")
    run(again.close())
    thread.join(LONG)
    assert not thread.is_alive()


def test_file_that_other_code_has_open_is_told(path):
    """LMDB would lose its locks; the error says what to do instead."""
    other = lmdb.open(str(path), subdir=False)
    with pytest.raises(StoreUnavailable, match="other code of this process has it open"):
        run(LMDBStore(path).ping())
    other.close()


def test_environment_is_closed_with_its_last_call(path):
    """Who gives a file up takes it from nobody who is reading."""
    store = LMDBStore(path)
    run(store.create(record("a")))
    file = store._file._holder
    within, go_on, found = threading.Event(), threading.Event(), []

    def read(transaction):
        within.set()
        assert go_on.wait(LONG)
        found.append(transaction.stat()["entries"])

    reader = threading.Thread(target=lambda: run(store._file.read("lmdb read", read)))
    reader.start()
    assert within.wait(LONG)
    environment = file._environment
    file.leave_file(environment)
    assert not environment.is_closed
    go_on.set()
    reader.join(LONG)

    assert environment.is_closed
    assert found == [3]
    assert run(store.read(key("a"))) == record("a")
    run(store.close())


def test_lock_file_that_was_deleted_is_begun_anew(path, monkeypatch):
    """Processes that know the old one go over to the new one before their next call."""
    monkeypatch.setattr(holder, "LOOK_INTERVAL", 0)
    store = LMDBStore(path)
    run(store.create(record("a")))
    lock = path.with_name("sessile.lmdb-lock")
    lock.unlink()
    run(store.create(record("b")))

    assert lock.exists()
    assert run(store.count()) == 2
    run(store.close())
