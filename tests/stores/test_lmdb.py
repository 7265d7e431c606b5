"""What only LMDB does: its file and those beside, what may happen to them, and what is refused."""

import os
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace

import lmdb
import pytest

from harness.imports import forget_modules
from harness.lmdb_rows import write_rows
from sessile.core.flow import run
from sessile.errors import ConfigError, MissingExtra, StoreUnavailable
from sessile.stores.contract import Corrupt
from sessile.stores.lmdb import LMDBStore
from sessile.stores.lmdb_rows import FORMAT, digest_of
from sessile.stores.open import open_store
from sessile.testing.clock import T0
from sessile.testing.sample import change, key, login, record, records_of
from sessile.wire.lmdb import holder, syncpoint
from sessile.wire.lmdb.environment import SYNC_POINT
from sessile.wire.lmdb.syncpoint import load_sync_point, store_sync_point

FAT = {"v": bytes(100_000)}
OURS = ("sessile.stores.lmdb", "sessile.wire.lmdb")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessile.lmdb"


@pytest.fixture
def store(path):
    store = LMDBStore(path)
    yield store
    run(store.close())


def test_nobody_else_can_read_the_file(path, store):
    """The file, its locks and its sync point have mode 0600, whatever the umask allows."""
    umask = os.umask(0)
    try:
        run(store.create(record("a")))
    finally:
        os.umask(umask)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    names = ("sessile.lmdb", "sessile.lmdb-lock", "sessile.lmdb-synced")
    assert modes == dict.fromkeys(names, 0o600)


def test_chosen_mode_is_kept(path):
    """A file that an operator shares with a group stays shared, with what is beside it."""
    path.touch()
    path.chmod(0o660)
    umask = os.umask(0)
    try:
        store = LMDBStore(path)
        run(store.create(record("a")))
        run(store.close())
    finally:
        os.umask(umask)

    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o660}


def test_secret_is_kept_beside_the_file(path, store):
    """Every store of one file has one secret."""
    assert store.keep_secret(b"first") == b"first"
    assert LMDBStore(path).keep_secret(b"second") == b"first"
    assert path.with_name("sessile.lmdb.key").read_bytes() == b"first"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("lmdb://", "names no file: write lmdb:///sessile.lmdb"),
        ("lmdb:///", "names no file"),
        ("lmdb://host/sessile.lmdb", "names no file"),
        ("lmdb:///no/such/s.lmdb", "does not exist: make it"),
        ("lmdb:///{folder}", "is a folder: write a file in it"),
        ("lmdb:///{folder}/s.lmdb?size=0", "write a whole number above 0"),
        ("lmdb:///{folder}/s.lmdb?sise=9", "did you mean 'size'?"),
        ("lmdb:///{folder}/s.lmdb?timeout=no", "write a number of seconds"),
    ],
)
def test_bad_url_says_what_to_write(tmp_path, url, words):
    """The error names the fault and a URL that works."""
    with pytest.raises(ConfigError, match=words):
        open_store(url.format(folder=tmp_path))


def test_missing_driver_names_its_extra(monkeypatch, tmp_path):
    """Without py-lmdb the error says what to install."""
    forget_modules(monkeypatch, *OURS)
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(MissingExtra, match=r"sessile\[lmdb\]"):
        open_store(f"lmdb:///{tmp_path}/s.lmdb")


def test_other_systems_are_refused(monkeypatch, path):
    """Where nobody can tell that the machine was started anew the store does not start."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigError, match=r"needs Linux.*: write sqlite:///"):
        LMDBStore(path)


def test_kernel_that_hides_its_start_is_refused(monkeypatch, path):
    """Without /proc nobody can tell whether a file has to go back to its sync point."""
    monkeypatch.setattr(syncpoint, "_BOOT_ID", path)
    with pytest.raises(ConfigError, match="boot_id: mount /proc, or write sqlite:///"):
        LMDBStore(path)


def test_windows_is_refused_before_anything_is_imported(monkeypatch, path):
    """Where the modules of the system are missing the error says so, and not what to install."""
    forget_modules(monkeypatch, *OURS)
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ConfigError, match=r"needs Linux.*: write sqlite:///"):
        open_store(f"lmdb:///{path}")


def test_size_beyond_the_address_space_says_what_to_write(path):
    """A map for which there is no room is told by the option that asks for it."""
    with pytest.raises(StoreUnavailable, match=r"no room for its map: write a smaller \?size="):
        run(LMDBStore(path, size=1 << 40).ping())


def test_missing_rights_are_refused_at_start(monkeypatch, path):
    """Who may not write the folder or the files is told which, and what to do."""
    LMDBStore(path)
    path.touch()
    refused = path.parent
    monkeypatch.setattr(os, "access", lambda place, mode: os.fspath(place) != os.fspath(refused))
    with pytest.raises(ConfigError, match=f"cannot write in {refused}.*: chown it"):
        LMDBStore(path)
    refused = path
    with pytest.raises(ConfigError, match=f"cannot read and write {refused}: chown it"):
        LMDBStore(path)


def test_place_that_everybody_can_write_is_refused(tmp_path, path):
    """Whoever writes sessions is anybody; a container says that there is nobody else."""
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigError, match="anybody on this host can replace"):
        LMDBStore(path)
    run(open_store(f"lmdb:///{path}?world-writable=yes").ping())
    tmp_path.chmod(0o700)


def sqlite_file(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE a (b)")
    db.close()


def newer_lmdb(path):
    lmdb.open(str(path), subdir=False, lib_version=1).close()


@pytest.mark.parametrize("make", [sqlite_file, newer_lmdb])
def test_foreign_file_is_refused_at_start(path, make):
    """A file of SQLite's, or of another LMDB, is left as it is."""
    make(path)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"is no LMDB file, or one of another version.*write"):
        LMDBStore(path)
    assert path.read_bytes() == before


def test_file_of_another_version_is_refused(path):
    """At the start by its sync point, and where that is missing with the first call."""
    store = LMDBStore(path)
    run(store._file.write("lmdb test", lambda txn: txn.put(b"\0", b"\0\0\0\x63\0\0\0\1")))
    run(store.close())
    beside = path.with_name(path.name + SYNC_POINT)
    point = load_sync_point(beside)
    with beside.open("r+b") as file:
        store_sync_point(file.fileno(), replace(point, file_format=99))
    with pytest.raises(ConfigError, match=f"another version of sessile .layout 99, here {FORMAT}"):
        LMDBStore(path)
    beside.unlink()
    with pytest.raises(ConfigError, match="another version of sessile"):
        run(LMDBStore(path).ping())


def test_lmdb_file_with_something_else_is_refused(path):
    """What another program keeps in a file of LMDB's is left alone."""
    with lmdb.open(str(path), subdir=False) as other, other.begin(write=True) as transaction:
        transaction.put(b"theirs", b"1")
    with pytest.raises(ConfigError, match="holds something else than sessions"):
        run(LMDBStore(path).ping())


def test_full_file_takes_no_more_and_goes_on(path, drive):
    """At its size a write is refused with the option to write, whole; an end makes room again."""
    store = LMDBStore(path, size=1)
    made = []

    def fill():
        for n in range(100):
            drive(store.replace(login(record(f"{n}", owner="alice", data=FAT))))
            made.append(n)

    with pytest.raises(StoreUnavailable, match=r"as large as it may be: .*\?size="):
        fill()
    assert [n for n in range(100) if drive(store.read(key(f"{n}"))) is not None] == made
    drive(store.delete(key("0")))
    drive(store._file.sync("lmdb sync"))

    drive(store.create(record("small")))
    drive(store.close())


def test_file_that_another_process_made_larger_is_followed(path, store, drive):
    """Whoever was started with a smaller size reads what does not fit into it."""
    small = LMDBStore(path, size=1)
    drive(small.create(record("a")))
    shared = small._file._holder
    shared.leave_file(shared._environment)
    shared.size = 1 << 20
    drive(small.ping())
    before = shared._environment
    program = f"""if True:
        from sessile.core.flow import run
        from sessile.stores.lmdb import LMDBStore
        from sessile.testing.sample import record
        store = LMDBStore({str(path)!r})
        for n in range(30):
            run(store.create(record(f"{{n}}", data={{"v": bytes(100_000)}})))
    """
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

    assert drive(small.read(key("29"))) == record("29", data=FAT)
    assert shared._environment is not before
    drive(small.close())


FULL_DISK = """
import resource, sys
from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.lmdb import LMDBStore
from sessile.testing.sample import key, login, record, records_of

store = LMDBStore(sys.argv[1])
fat = {"v": bytes(100_000)}
run(store.replace(login(record("first", owner="alice", data=fat))))
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (store.path.stat().st_size + 250_000, most))
made, refused = ["first"], 0
for n in range(20):
    try:
        run(store.replace(login(record(f"{n}", owner="alice", data=fat))))
        made.append(f"{n}")
    except StoreUnavailable:
        refused += 1
print(refused > 10, [r.key for r in records_of(store, run, "alice")] == [key(n) for n in made])
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
run(store.replace(login(record("last", owner="alice", data=fat))))
print(len(records_of(store, run, "alice")) - len(made))
"""


def test_full_disk_leaves_nothing_half_done(path):
    """What the disk does not take is refused, and not there; with room again all goes on."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["True", "True", "1"], done.stderr


def damage(path, is_hit):
    """Overwrite pages of a file, as a disk would; return how many."""
    content = bytearray(path.read_bytes())
    hits = [at for at in range(8192, len(content), 4096) if is_hit(content[at : at + 4096])]
    with path.open("r+b") as file:
        for at in hits:
            file.seek(at)
            file.write(b"\xaa" * 4096)
    return len(hits)


def is_root(page):
    return page[10:12] == b"\1\0"  # a branch: here there is one


def is_leaf(page):
    return key("25").encode() in page and bytes(900) in page


@pytest.mark.parametrize("is_hit", [is_root, is_leaf])
def test_damaged_file_is_put_aside_and_told(path, store, caplog, drive, is_hit):
    """It is noticed, never trusted, and kept for the operator; a new one is begun."""
    for n in range(50):
        drive(store.create(record(f"{n}", data={"v": bytes(1000)})))
    assert damage(path, is_hit)
    with pytest.raises(StoreUnavailable, match="MDB_"):
        [drive(store.read(key(f"{n}"))) for n in range(50)]

    assert drive(store.read(key("0"))) is None
    drive(store.create(record("new")))
    assert drive(store.count()) == 1
    assert path.with_name("sessile.lmdb.damaged").exists()
    (line,) = [line for line in caplog.records if line.levelname == "ERROR"]
    assert line.getMessage().startswith(f"{store.name} was damaged: it is now")


def test_damaged_row_is_corrupt(path, store, drive):
    """A byte that the disk changed within a row makes it none; the others are as they were."""
    for name in "abc":
        drive(store.create(record(name, data={"v": name.encode() * 1000})))
    content = path.read_bytes()
    with path.open("r+b") as file:
        at = content.find(b"b" * 1000)
        while at >= 0:
            file.seek(at)
            file.write(b"c")
            at = content.find(b"b" * 1000, at + 1000)

    assert drive(store.read(key("b"))) == Corrupt(key("b"))
    assert drive(store.commit(change(record("b")))) == Corrupt(key("b"))
    assert drive(store.read(key("a"))) == record("a", data={"v": b"a" * 1000})
    assert drive(store.delete(key("b"))) == Corrupt(key("b"))


def test_damage_that_passes_puts_nothing_aside(path, store, drive, monkeypatch):
    """What a second look does not find was none of the file's."""
    drive(store.create(record("a")))
    calls = []

    def look(transaction):
        calls.append(1)
        if len(calls) == 1:
            raise lmdb.CorruptedError("mdb_get")
        return "whole"

    assert drive(store._file.read("lmdb read", look)) == "whole"
    assert drive(store.read(key("a"))) == record("a")


def test_entry_without_its_row_is_nobodys(path, store, drive):
    """What is left in the index of an owner counts for no limit, is not listed, and goes."""
    rows = [record(name, owner="alice") for name in "ab"]
    for row in rows:
        drive(store.replace(login(row)))
    write_rows(path, lambda rows: rows._transaction.delete(rows._session(key("a"))))
    assert records_of(store, drive, "alice") == [rows[1]]
    assert drive(store.delete_owned("alice")).keys == (key("b"),)
    assert drive(store.sweep(T0 + 10**6)) == 0
    assert drive(store._file.read("lmdb read", lambda txn: txn.stat()["entries"])) == 1


def test_commit_puts_a_hidden_session_back_into_its_index(path, store, drive):
    """A session that is in use is found again by its owner."""
    row = record("a", owner="alice")
    drive(store.replace(login(row)))
    write_rows(path, lambda rows: rows.drop_claim(digest_of("alice"), 1))
    assert records_of(store, drive, "alice") == []
    update = change(row)
    drive(store.commit(update))

    assert records_of(store, drive, "alice") == [update.record]


def test_sweeps_remove_what_was_ended(store, drive):
    """Batch by batch the entries of ended generations go; what was made after the ends stays."""
    for round_ in range(3):
        for n in range(5):
            drive(store.create(record(f"{round_} {n}")))
        drive(store.end_everybody())
    drive(store.replace(login(record(owner="alice"))))
    swept = list(iter(lambda: drive(store.sweep(T0, 8)), 0))

    assert sum(swept) == 3 * 5 * 2  # a row and an entry each
    assert max(swept) == 8
    assert records_of(store, drive, "alice") == [record(owner="alice")]


def test_long_key_is_nobodys(store, drive):
    """A key that no session has is absent, however long."""
    for name in ("x" * 500, "x" * 5000, "é" * 400, "\udcff"):
        assert drive(store.read(name)) is None


def test_read_looks_at_the_path_now_and_then(path, store, monkeypatch):
    """Between two looks, a thousandth of a second apart, a read makes no system call."""
    run(store.create(record("a")))
    looks = []
    monkeypatch.setattr(holder, "identify_both", looks.append)
    store._file._holder._next_look = float("inf")
    for _ in range(5):
        run(store.read(key("a")))

    assert looks == []
