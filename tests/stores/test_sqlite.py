"""What only SQLite does: its file, the modes and pragmas of it, and what may happen to it."""

import os
import sqlite3
import stat

import pytest

from sessile import Sessions
from sessile.core.flow import run
from sessile.errors import ConfigError, StoreUnavailable
from sessile.stores.sqlite import SQLiteStore
from sessile.testing.sample import key, record


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
    db = sqlite3.connect(path, isolation_level=None)
    try:
        return db.execute(statement).fetchall()
    finally:
        db.close()


def test_nobody_else_can_read_the_file(path, store):
    """The file, its log and its index have mode 0600, whatever the umask allows."""
    umask = os.umask(0)
    try:
        run(store.create(record("a")))
    finally:
        os.umask(umask)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("sessile.db", "sessile.db-shm", "sessile.db-wal"), 0o600)


def test_chosen_mode_is_kept(path):
    """A file that an operator shares with a group stays shared."""
    path.touch()
    path.chmod(0o660)
    store = SQLiteStore(path)
    run(store.create(record("a")))
    run(store.close())

    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_log_is_written_ahead(path, store):
    """Each connection writes ahead, waits for no disk at a commit, and never waits for a lock."""
    run(store.ping())

    def pragmas(db):
        names = ("journal_mode", "synchronous", "busy_timeout")
        return [db.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert run(store._file.ask("look", pragmas)) == ["wal", 1, 0]


def test_relative_path_stays_where_it_was(tmp_path, monkeypatch):
    """A process that changes its folder later keeps its sessions."""
    (tmp_path / "later").mkdir()
    monkeypatch.chdir(tmp_path)
    store = SQLiteStore.from_url("sqlite:///sessile.db")
    monkeypatch.chdir(tmp_path / "later")
    run(store.create(record("a")))
    run(store.close())

    assert (tmp_path / "sessile.db").exists()
    assert store.name == "sqlite:///sessile.db"


def test_secret_is_kept_beside_the_file(path, store):
    """Every store of one file has one secret."""
    assert store.keep_secret(b"first") == b"first"
    assert SQLiteStore(path).keep_secret(b"second") == b"first"
    assert path.with_name("sessile.db.key").read_bytes() == b"first"


def test_broken_file_is_unavailable_and_heals(path, store, drive):
    """What is no database is unavailable, with its cause; put right, it works again."""
    path.write_bytes(b"no database, but something else of some length" * 100)
    with pytest.raises(StoreUnavailable, match="not a database") as caught:
        drive(store.read(key("a")))
    assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)

    path.unlink()
    assert drive(store.read(key("a"))) is None


def test_vanished_folder_is_unavailable(tmp_path):
    """A folder that goes after the start is an outage, not a wrong setting."""
    (tmp_path / "mount").mkdir()
    store = SQLiteStore(tmp_path / "mount" / "sessile.db")
    (tmp_path / "mount").rmdir()

    with pytest.raises(StoreUnavailable) as caught:
        run(store.ping())
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_damage_in_use_is_unavailable_and_heals(path, store):
    """After an error that is no lock the next call has a new connection."""
    run(store.create(record("a")))
    look(path, "DROP TABLE sessile_session")
    with pytest.raises(StoreUnavailable, match="no such table"):
        run(store.read(key("a")))

    assert run(store.read(key("a"))) is None


@pytest.mark.skipif(os.name != "posix", reason="modes mean something on POSIX")
def test_folder_that_all_may_write_is_taken_by_who_says_so(tmp_path):
    """An ``emptyDir`` has mode 0777, and under WSL so has everything: the error has the words."""
    tmp_path.chmod(0o777)
    url = f"sqlite:///{tmp_path}/sessile.db"
    with pytest.raises(ConfigError, match=r"anybody on this host.*write \?world-writable=yes"):
        Sessions(url)
    assert list(tmp_path.iterdir()) == []
    known = f"{url}?world-writable=yes"
    Sessions(known).sync.close()
    for name in ("sessile.db", "sessile.db.key"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o777)

    sessions = Sessions(known)
    sessions.sync.ping()
    sessions.sync.close()
