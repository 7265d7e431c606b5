"""The file is deleted or replaced in use: every worker goes on with the one that is there."""

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from lmdb.verify import verify

from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.open import open_store
from sessile.testing.sample import key, record
from sessile.wire.lmdb import holder
from sessile.wire.sqlite import pool

WORKER = """
import sys
from sessile.core.flow import run
from sessile.stores.open import open_store
from sessile.testing.sample import key, record
from sessile.wire.lmdb import holder
from sessile.wire.sqlite import pool

holder.LOOK_INTERVAL = pool.LOOK_INTERVAL = 0
store = open_store(sys.argv[1])
for name in map(str.strip, sys.stdin):
    if name != "look":
        run(store.create(record(name)))
    print(*[n for n in sys.argv[2] if run(store.read(key(n))) is not None], flush=True)
run(store.close())
"""
NAMES = "abcdef"


@pytest.fixture(params=["sqlite", "lmdb"])
def scheme(request, monkeypatch):
    for module in (pool, holder):
        monkeypatch.setattr(module, "LOOK_INTERVAL", 0)
    return request.param


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessile.db"


@pytest.fixture
def store(scheme, path):
    store = open_store(f"{scheme}:///{path}")
    yield store
    run(store.close())


@pytest.fixture
def backup(scheme, tmp_path):
    """A file that holds one session, c."""
    file = tmp_path / "backup.db"
    other = open_store(f"{scheme}:///{file}")
    run(other.create(record("c")))
    run(other.close())
    return file


@pytest.fixture
def start(scheme, path):
    """Start workers, each a process; ``start()`` returns how to ask one of them."""
    workers = []

    def worker():
        words = [sys.executable, "-c", WORKER, f"{scheme}:///{path}", NAMES]
        quiet = subprocess.DEVNULL  # each of them says in the log what was done to its file
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=quiet, text=True
        )
        workers.append(process)

        def ask(what):
            process.stdin.write(f"{what}\n")
            process.stdin.flush()
            return process.stdout.readline().split()

        return ask

    yield worker
    for process in workers:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


def replace(path, backup):
    backup.rename(path)


def delete(path, backup):
    path.unlink()


def delete_with_its_log(path, backup):
    for file in path.parent.glob("sessile.db*"):
        file.unlink()


def move_away(path, backup):
    path.rename(path.with_name("elsewhere.db"))


def lines(caplog):
    """Return what the log says of the file; a call that a busy machine held up is another story."""
    return [line for line in caplog.records if "stalled" not in line.getMessage()]


def names_in(scheme, path):
    """Return what a file holds, and check that it is whole."""
    if scheme == "lmdb":
        assert verify(str(path), subdir=False) == []
    else:
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    store = open_store(f"{scheme}:///{path}")
    found = {name for name in NAMES if run(store.read(key(name))) is not None}
    run(store.close())
    return found


@pytest.mark.parametrize("act", [replace, delete, delete_with_its_log, move_away])
def test_workers_stay_together(scheme, path, backup, start, act):
    """Old workers and new ones read and write one file, whole, whatever became of the old one."""
    first, second = start(), start()
    first("a")
    assert second("b") == ["a", "b"]
    act(path, backup)
    there = ["c"] if act is replace else []

    assert first("look") == there
    third = start()
    assert third("look") == second("look") == there
    first("d"), second("e"), third("f")
    assert first("look") == second("look") == third("look") == [*there, "d", "e", "f"]
    assert names_in(scheme, path) == {*there, "d", "e", "f"}


def test_file_that_was_moved_is_whole(scheme, path, backup, store):
    """What was answered is in the file that was moved away, though its log stayed behind."""
    run(store.create(record("a")))
    move_away(path, backup)
    assert run(store.read(key("a"))) is None

    assert names_in(scheme, path.with_name("elsewhere.db")) == {"a"}


def test_deleted_file_is_told(path, store, caplog, drive):
    """An operator who deletes the file reads in the log, once, that its sessions are gone."""
    drive(store.create(record("a")))
    path.unlink()
    drive(store.ping())
    drive(store.ping())

    (line,) = lines(caplog)
    assert line.levelno == logging.ERROR
    assert line.getMessage().startswith(f"{store.name} was deleted while it was in use")


def test_replaced_file_is_told(path, backup, store, caplog):
    """An operator who puts a backup in the file's place reads that it counts from now on."""
    run(store.create(record("a")))
    replace(path, backup)
    run(store.ping())
    run(store.ping())

    (line,) = lines(caplog)
    assert line.levelno == logging.WARNING
    assert line.getMessage().startswith(f"{store.name} was replaced by another file")


def test_file_that_stays_is_no_news(path, store, caplog):
    """What is written in place, by whomever, is the same file."""
    run(store.create(record("a")))
    if store.name.startswith("sqlite"):
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE theirs (n)")
    os.utime(path)

    assert run(store.read(key("a"))) == record("a")
    assert not lines(caplog)


def test_secret_is_put_back(path, store):
    """Whoever deletes the key file with the database does not part the workers by their secrets."""
    store.keep_secret(b"first")
    run(store.ping())
    delete_with_its_log(path, None)
    run(store.ping())

    assert open_store(store.name).keep_secret(b"second") == b"first"


def test_other_secret_is_told(path, store, caplog):
    """A worker that meets the key of a newer one asks to be restarted, and shows neither secret."""
    store.keep_secret(b"first")
    run(store.ping())
    delete_with_its_log(path, None)
    open_store(store.name).keep_secret(b"second")
    run(store.ping())

    assert "restart every worker" in caplog.text
    assert "first" not in caplog.text
    assert "second" not in caplog.text


def vanish(path):
    """Rename the folder, and return how it comes back."""
    there = path.parent
    away = there.rename(there.with_name("away"))
    return lambda: away.rename(there)


def spoil(path):
    """Put something else in the file's place."""
    kept = path.rename(path.with_name("kept.db"))
    path.write_bytes(b"no database, but something else of some length" * 100)
    return lambda: kept.rename(path)


def become_a_folder(path):
    kept = path.rename(path.with_name("kept.db"))
    path.mkdir()

    def back():
        shutil.rmtree(path)
        kept.rename(path)

    return back


@pytest.mark.parametrize("harm", [vanish, spoil, become_a_folder])
def test_harm_is_an_outage_that_is_told_and_heals(scheme, tmp_path, drive, harm):
    """Without its file the store is unavailable and says why; with it, it is as before."""
    (tmp_path / "mount").mkdir()
    store = open_store(f"{scheme}:///{tmp_path}/mount/sessile.db")
    drive(store.create(record("a")))
    repair = harm(store.path)
    for _ in range(3):
        with pytest.raises(StoreUnavailable) as caught:
            drive(store.read(key("a")))
        assert caught.value.__cause__ is not None
    repair()

    assert drive(store.read(key("a"))) == record("a")
    drive(store.close())
