"""Stores without a server: memory, and files that somebody else locks now and then."""

import asyncio
import contextlib
import fcntl
import shutil
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path

from lmdb.verify import verify

from sessile.wire.lmdb.environment import SYNC_POINT
from sessile.wire.lmdb.syncpoint import load_sync_point, restore


def pause_length(chance):
    """Return how long something stands still: up to a second and a half, now and then five."""
    return 5.0 if chance.random() < 0.2 else 1.5 * chance.random()


class Memory:
    """A store in the one worker process, which can be neither killed nor frozen."""

    workers = 1
    on_disk = False
    has_owners = True

    def __init__(self, chance, asked):
        self.url, self.counts = "memory://", Counter()
        self.troubles = {}  # nobody else can hold it up

    async def start(self):
        """There is nothing to start."""

    async def stop(self):
        """It ends with its process."""


class SQLite:
    """A file, locked now and then by somebody else."""

    workers = 3
    on_disk = True
    has_owners = True

    def __init__(self, chance, asked):
        self.counts, self.troubles = Counter(), {self.lock: 5.0}
        self._folder = tempfile.mkdtemp(prefix="chaos-")
        self._file = Path(self._folder) / "sessions.db"
        self.url = f"sqlite:///{self._file}"

    async def start(self):
        """The first worker makes the file."""

    async def lock(self, chance):
        """Hold the write lock."""
        locked = contextlib.suppress(sqlite3.OperationalError)  # a worker has it
        with (
            contextlib.closing(sqlite3.connect(self._file, 0.1, isolation_level=None)) as db,
            locked,
        ):
            db.execute("BEGIN IMMEDIATE")
            self.counts["locks"] += 1
            await asyncio.sleep(pause_length(chance))

    async def stop(self):
        """Remove the file."""
        shutil.rmtree(self._folder)


class LMDB:
    """A file, locked now and then by somebody who looks what a power cut would leave of it."""

    workers = 3
    on_disk = True
    has_owners = True

    def __init__(self, chance, asked):
        self.counts, self.troubles = Counter(), {self.lock: 5.0}
        self._folder = tempfile.mkdtemp(prefix="chaos-")
        self._file = Path(self._folder) / "sessions.lmdb"
        self.url = f"lmdb:///{self._file}"
        self._problems = []

    async def start(self):
        """The first worker makes the file."""

    async def lock(self, chance):
        """Hold the write lock."""
        seconds = pause_length(chance)
        with self._file.open("rb") as file, contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a worker has it, maybe
            self.counts["locks"] += 1
            await asyncio.gather(asyncio.sleep(seconds), asyncio.to_thread(self._cut_power))

    def _cut_power(self):
        """Take a copy back to its sync point, and look whether all of that is there."""
        beside = self._file.with_name(f"{self._file.name}{SYNC_POINT}")
        copy = self._file.with_name("copy.lmdb")
        with beside.open("rb") as points:
            fcntl.flock(points, fcntl.LOCK_EX)
            shutil.copy(self._file, copy)
            restore(str(copy), load_sync_point(str(beside)))
        self._problems += verify(str(copy), subdir=False)

    async def stop(self):
        """Look whether every page is sound, and remove the file."""
        problems = self._problems + verify(str(self._file), subdir=False)
        aside = self._file.with_name("sessions.lmdb.damaged").exists()
        shutil.rmtree(self._folder)
        if problems or aside:
            raise SystemExit(f"the file was damaged: {problems[:3] or 'it was put aside'}")
