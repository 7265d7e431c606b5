"""What a power cut leaves of an LMDB file: whatever was written since the sync point is undone."""

import os
import random
import subprocess
import sys
from dataclasses import replace

import pytest
from lmdb.verify import verify

from sessile.core.flow import run
from sessile.stores.lmdb import LMDBStore
from sessile.stores.lmdb_rows import FORMAT
from sessile.testing.sample import change, key, login, record
from sessile.wire.lmdb import syncpoint
from sessile.wire.lmdb.environment import SYNC_POINT
from sessile.wire.lmdb.syncpoint import (
    META_BYTES,
    SyncPoint,
    boot_id,
    load_sync_point,
    store_sync_point,
)

PAGE = 4096
NAMES = [f"row {n}" for n in range(60)]
META = bytes(META_BYTES - 8) + (7).to_bytes(8, "little")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessile.lmdb"


@pytest.fixture
def store(path):
    """A store whose file is synced when the test says so."""
    store = LMDBStore(path)
    syncer = store._file._holder.syncer
    syncer._every, syncer._left = 10**6, 10**6
    yield store
    run(store.close())


def fill(store, chance, number):
    """Make, change, end and log in whatever comes; return what is there then."""
    for n in range(number):
        name = chance.choice(NAMES)
        data = {"v": chance.randbytes(chance.choice((10, 900, 5000)))}
        found = run(store.read(key(name)))
        if found is None:
            run(store.replace(login(record(name, owner=f"user {n % 9}", data=data))))
        elif chance.random() < 0.5:
            run(store.commit(change(found, data)))
        else:
            run(store.delete(key(name)))
    return look(store)


def look(store):
    return [run(store.read(key(name))) for name in NAMES]


def start_anew(path, folder, content):
    """Put a file, and the sync point of another, where a machine that was started anew finds it."""
    folder.mkdir()
    file = folder / path.name
    file.write_bytes(content)
    beside = f"{file}{SYNC_POINT}"
    point = load_sync_point(f"{path}{SYNC_POINT}")
    handle = os.open(beside, os.O_RDWR | os.O_CREAT)
    store_sync_point(handle, replace(point, boot="before", inode=file.stat().st_ino))
    os.close(handle)
    return LMDBStore(file)


def cut_power(before, after, chance):
    """Return a file of which the disk got some pages of the last writes, and others not."""
    pages = max(len(before), len(after)) // PAGE
    before, after = before.ljust(pages * PAGE, b"\0"), after.ljust(pages * PAGE, b"\0")
    chosen = (chance.choice((before, after)) for _ in range(pages))
    return b"".join(one[n * PAGE : n * PAGE + PAGE] for n, one in enumerate(chosen))


@pytest.mark.parametrize("seed", range(8))
def test_power_cut_takes_what_came_after_the_sync_point(path, store, tmp_path, seed):
    """Whichever pages reached the disk, in whichever order, all of before is there, and whole."""
    chance = random.Random(seed)
    fill(store, chance, 200)
    for _ in range(2):
        run(store._file.sync("lmdb sync"))
        rows, before = fill(store, chance, 0), path.read_bytes()
        fill(store, chance, 150)
    run(store._file.sync("lmdb sync"))
    rows, before = look(store), path.read_bytes()
    assert fill(store, chance, 150) != rows
    after = path.read_bytes()

    for n in range(4):
        left = start_anew(path, tmp_path / str(n), cut_power(before, after, chance))
        assert look(left) == rows
        run(left.close())
        assert verify(str(left.path), subdir=False) == []


def test_way_back_is_told(path, store, tmp_path, caplog):
    """An operator reads in the log that the last moments before the power cut are undone."""
    run(store.create(record("a")))
    run(store._file.sync("lmdb sync"))
    run(store.create(record("b")))
    left = start_anew(path, tmp_path / "anew", path.read_bytes())

    assert run(left.read(key("a"))) == record("a")
    assert run(left.read(key("b"))) is None
    assert "what was written in the last seconds before is undone" in caplog.text
    run(left.close())


def test_way_back_is_gone_once(path, store, tmp_path):
    """What is written after the start stays, though other processes open the file later."""
    run(store.create(record("a")))
    run(store._file.sync("lmdb sync"))
    run(store.create(record("b")))
    left = start_anew(path, tmp_path / "anew", path.read_bytes())
    left._file._holder.syncer._every = 10**6
    run(left.create(record("c")))
    look = (
        "import sys; from sessile.core.flow import run; from sessile.stores.lmdb import LMDBStore; "
        "run(LMDBStore(sys.argv[1]).ping())"
    )
    subprocess.run([sys.executable, "-c", look, left.path], check=True, timeout=60)

    assert [run(left.read(key(name))) for name in "abc"] == [record("a"), None, record("c")]
    run(left.close())


def test_process_that_ends_is_no_power_cut(path, store):
    """While the machine runs a file is as it was left, synced or not."""
    run(store.create(record("a")))
    environment = store._file._holder._environment
    environment.retire()

    assert run(LMDBStore(path).read(key("a"))) == record("a")


def test_older_file_is_left_alone(path, store, tmp_path):
    """A backup that was put in the file's place is not taken for what came after the sync point."""
    run(store.create(record("a")))
    run(store._file.sync("lmdb sync"))
    backup = path.read_bytes()
    run(store.create(record("b")))
    run(store._file.sync("lmdb sync"))
    left = start_anew(path, tmp_path / "anew", backup)

    assert [run(left.read(key(name))) for name in "ab"] == [record("a"), None]
    run(left.close())


def test_file_that_was_cut_short_ends_no_process(path, store, tmp_path):
    """Pages that are not there any more are damage, and no signal."""
    for name in NAMES:
        run(store.create(record(name)))
    run(store._file.sync("lmdb sync"))
    left = start_anew(path, tmp_path / "anew", path.read_bytes()[: 3 * PAGE])
    with pytest.raises(Exception, match="is unavailable"):
        look(left)

    assert set(look(left)) == {None}
    assert left.path.with_name("sessile.lmdb.damaged").exists()
    run(left.close())


@pytest.fixture
def slots(tmp_path):
    path = tmp_path / "slots"
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    yield path, handle
    os.close(handle)


def test_newest_sync_point_counts(slots):
    """Points are stored in two places in turn, so that one is always whole."""
    path, handle = slots
    assert load_sync_point(path) is None
    for inode in (1, 2, 3):
        store_sync_point(handle, SyncPoint(FORMAT, boot_id(), inode, PAGE, META))
        found = load_sync_point(path)
        assert (found.inode, found.txnid, found.serial) == (inode, 7, inode)


@pytest.mark.parametrize("at", [0, 5, 60, syncpoint._SLOT - 400])
def test_half_written_point_is_none(slots, at):
    """Where the machine stopped while one was written, the one before counts."""
    path, handle = slots
    for inode in (1, 2):
        store_sync_point(handle, SyncPoint(FORMAT, boot_id(), inode, PAGE, META))
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)

    assert load_sync_point(path).inode == 1


def test_file_that_is_no_sync_point_is_none(slots):
    """Foreign bytes, or too few, are no point."""
    path, _ = slots
    for content in (b"", b"ssyn", b"x" * 1024, bytes(1024)):
        path.write_bytes(content)
        assert load_sync_point(path) is None
