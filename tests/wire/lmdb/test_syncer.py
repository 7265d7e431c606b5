"""The thread that makes sync points: after each write, beside the requests."""

import errno
import os
import subprocess
import sys
import threading

import lmdb
import pytest

from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.lmdb import LMDBStore
from sessile.testing.sample import key, login, record
from sessile.wire.embedded.calls import FileLocked
from sessile.wire.lmdb.environment import SYNC_POINT
from sessile.wire.lmdb.syncer import Syncer
from sessile.wire.lmdb.syncpoint import load_sync_point

LONG = 20.0


class File:
    """What a syncer syncs, here in name alone."""

    def __init__(self, *answers, then=False):
        self._answers = list(answers)
        self._then = then
        self.failures = []
        self.done = threading.Semaphore(0)

    def sync(self):
        answer = self._answers.pop(0) if self._answers else self._then
        self.done.release()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def is_synced(self, times=1):
        return all(self.done.acquire(timeout=LONG) for _ in range(times))


@pytest.fixture
def begin():
    syncers = []

    def begin(file, **more):
        syncers.append(Syncer(file.sync, file.failures.append, **{"every": 0} | more))
        return syncers[-1]

    yield begin
    for syncer in syncers:
        syncer.end(LONG)


def test_write_is_synced(begin):
    """Each write is followed by a sync that begins after it."""
    file = File()
    syncer = begin(file)
    for _ in range(3):
        syncer.note()
        assert file.is_synced()


def test_many_writes_are_synced_at_once(begin):
    """Who writes much does not wait for the time to be over: what he frees is not used before."""
    file = File()
    syncer = begin(file, every=10**6, many=5)
    for _ in range(5):
        syncer.note()

    assert file.is_synced()


def test_lock_of_another_process_is_waited_for(begin):
    """Whoever syncs or writes at this moment puts it off, and no more."""
    file = File(FileLocked(), FileLocked(), False)
    begin(file).note()

    assert file.is_synced(3)
    assert not file.failures


def test_end_syncs_once_more(begin):
    """What was written last is on the disk when the store has been closed."""
    file = File()
    syncer = begin(file, every=10**6)
    syncer.note()
    syncer.end(LONG)

    assert file.is_synced()


def test_disk_that_fails_is_told_and_not_believed_again(begin):
    """After a failed sync the kernel may count as written what is not: there is no other point."""
    file = File(OSError(errno.EIO, "Input/output error"))
    syncer = begin(file)
    syncer.note()
    assert file.is_synced()
    syncer._thread.join(LONG)
    syncer.note()

    assert [failure.errno for failure in file.failures] == [errno.EIO]
    assert not file.done.acquire(blocking=False)


def test_thread_looks_again_while_it_is_asked_to(begin):
    """A file that others go on writing is synced here as well, so that they can use its pages."""
    file = File(True, True, False)
    begin(file).note()

    assert file.is_synced(3)


@pytest.fixture
def store(tmp_path):
    store = LMDBStore(tmp_path / "sessile.lmdb")
    yield store
    run(store.close())


def synced(store):
    """Return the number of the transaction that is on the disk, and that of the newest."""
    environment = store._file._holder._environment
    return load_sync_point(f"{store.path}{SYNC_POINT}").txnid, environment._env.info()["last_txnid"]


def test_first_write_makes_a_sync_point(store):
    """Whoever writes holds a point that is on the disk; a reader needs none."""
    run(store.ping())
    environment = store._file._holder._environment
    environment._pin = None
    run(store.create(record("a")))
    point, newest = synced(store)

    assert newest == point + 1
    assert environment.holds_sync_point


def test_close_syncs(tmp_path):
    """After it everything is on the disk."""
    store = LMDBStore(tmp_path / "sessile.lmdb")
    run(store.create(record("a")))
    environment = store._file._holder._environment
    newest = environment._env.info()["last_txnid"]
    run(store.close())

    assert load_sync_point(f"{store.path}{SYNC_POINT}").txnid == newest


def test_end_of_everybody_is_on_the_disk_itself(store, drive):
    """It has returned when the disk has it, and a power cut brings nobody back."""
    store._file._holder.syncer._every = 10**6
    drive(store.replace(login(record("a", owner="alice"))))
    drive(store.end_everybody())

    point, newest = synced(store)
    assert point == newest


def test_disk_that_fails_makes_no_sync_point(store, monkeypatch):
    """Where a sync failed the point before counts, also when the disk says later that all is well.

    Whoever waited for it is told, and writers go on.
    """
    run(store.create(record("a")))
    before, _ = synced(store)

    def fail(handle):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(StoreUnavailable, match="Input/output error"):
            run(store.end_everybody())
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="did not take what was written before"):
            run(store.end_everybody())
    run(store.create(record("b")))

    assert synced(store)[0] == before


def test_sync_points_that_were_deleted_are_begun_anew(store):
    """An operator who deletes the file of them stops nobody."""
    run(store.create(record("a")))
    os.unlink(f"{store.path}{SYNC_POINT}")  # noqa: PTH108
    store._file._holder.sync_behind()
    run(store.create(record("b")))

    assert synced(store)[0] > 0
    assert run(store.count()) == 2


@pytest.mark.parametrize("error", [lmdb.MapResizedError, lmdb.CorruptedError])
def test_trouble_of_a_sync_is_left_to_the_next_call(store, monkeypatch, error):
    """Whatever LMDB says, the thread lives on, and the file is opened anew."""
    run(store.create(record("a")))
    holder = store._file._holder
    before = holder._environment

    def fail(environment):
        raise error("mdb_txn_begin")

    with monkeypatch.context() as patch:
        patch.setattr(type(before), "sync", fail)
        holder.sync_behind()

    assert run(store.read(key("a"))) == record("a")
    assert holder._environment is not before


def test_process_lets_go_of_its_point_when_it_is_idle(store):
    """Pages that others free are used again; the next write waits for a new point."""
    run(store.create(record("a")))
    environment = store._file._holder._environment
    environment.release_sync_point(10**6)
    assert environment.holds_sync_point
    environment.release_sync_point(0)
    assert not environment.holds_sync_point
    run(store.create(record("b")))

    assert environment.holds_sync_point


def test_file_keeps_its_size_while_it_is_written(store):
    """What a commit frees is used again after the next sync."""
    holder = store._file._holder
    holder.syncer._every = 10**6
    for n in range(10):
        run(store.create(record(f"{n}")))
    for round_ in range(12):
        for n in range(10):
            run(store.delete(key(f"{n}")))
            run(store.create(record(f"{n}")))
        holder.sync_behind()
        if round_ == 5:
            size = store.path.stat().st_size

    assert store.path.stat().st_size <= size * 1.5


def test_interpreter_that_ends_syncs(tmp_path):
    """A process that nobody told to close leaves everything on the disk all the same."""
    path = tmp_path / "sessile.lmdb"
    program = """if True:
        import sys
        from sessile.core.flow import run
        from sessile.stores.lmdb import LMDBStore
        from sessile.testing.sample import record
        store = LMDBStore(sys.argv[1])
        store._file._holder.syncer._every = 10**6
        run(store.create(record("a")))
        print(store._file._holder._environment._env.info()["last_txnid"])
    """
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True,
        timeout=60,
    )  # fmt: skip

    assert load_sync_point(f"{path}{SYNC_POINT}").txnid == int(done.stdout)
