"""An LMDB file through a crash, a backup and a restore."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lmdb.verify import verify

from sessile.stores.lmdb import LMDBStore
from sessile.testing.sample import key, record

SOURCE = Path(__file__).parents[2] / "src"
WRITER = """
import itertools, sys
from sessile.core.flow import run
from sessile.stores.lmdb import LMDBStore
from sessile.testing.sample import key, record
store = LMDBStore(sys.argv[1], limit=20)
me = sys.argv[2]
for n in itertools.count():
    run(store.create(record(f"{me} {n}", data={"v": bytes(500)})))
    if n % 2:
        run(store.delete(key(f"{me} {n}")))
    print(n, flush=True)
"""
COPY = """
import lmdb, sys
lmdb.open(sys.argv[1], subdir=False, readonly=True).copy(sys.argv[2])
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessile.lmdb"


@pytest.fixture
def store(path, drive):
    store = LMDBStore(path)
    drive(store.ping())
    yield store
    drive(store.close())


def python(program, *words):
    return [sys.executable, "-c", program, *map(str, words)]


def test_killed_processes_lose_nothing_that_they_acknowledged(path, drive):
    """What they made is there, what they ended is not, and the file is sound."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    writers = [
        subprocess.Popen(
            python(WRITER, path, me), stdout=subprocess.PIPE, text=True, env=environment
        )
        for me in "ab"
    ]
    told = {}
    for me, writer in zip("ab", writers, strict=True):
        told[me] = [int(writer.stdout.readline()) for _ in range(300)]
        writer.send_signal(signal.SIGKILL)  # in the middle of whatever it does
        told[me] += [int(line) for line in writer.stdout if line.endswith("\n")]
        writer.wait()
        writer.stdout.close()

    store = LMDBStore(path)
    for me, numbers in told.items():
        found = {n for n in numbers if drive(store.read(key(f"{me} {n}"))) is not None}
        assert found == {n for n in numbers if n % 2 == 0}
    drive(store.close())
    assert verify(str(path), subdir=False) == []


def back_up(path, copy):
    """Copy a file in use as the documentation says."""
    subprocess.run(python(COPY, path, copy), check=True, timeout=60)


def test_backup_of_a_file_in_use_is_whole(path, store, drive):
    """A copy that LMDB makes has all of one moment."""
    copy = path.with_name("copy.lmdb")
    for name in "ab":
        drive(store.create(record(name)))
    back_up(path, copy)
    drive(store.create(record("c")))
    restored = LMDBStore(copy)

    assert [drive(restored.read(key(name))) for name in "abc"] == [record("a"), record("b"), None]
    drive(restored.close())


def test_restored_file_brings_back_the_ended_until_everybody_ends(path, store, drive):
    """Who logged out after the backup is logged in again; ``end_everybody`` ends them for good."""
    copy = path.with_name("copy.lmdb")
    drive(store.create(record("a")))
    back_up(path, copy)
    drive(store.delete(key("a")))
    restored = LMDBStore(copy)

    assert drive(restored.read(key("a"))) == record("a")
    drive(restored.end_everybody())
    assert drive(restored.read(key("a"))) is None
    drive(restored.close())
