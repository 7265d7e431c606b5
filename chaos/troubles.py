"""What happens to a run: killed workers, cut answers, a server that stands still, a locked file."""

import asyncio
import contextlib
import fcntl
import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from lmdb.verify import verify

from sessile.wire.lmdb.environment import SYNC_POINT
from sessile.wire.lmdb.syncpoint import load_sync_point, restore

FULL, ROOM = signal.SIGUSR1, signal.SIGUSR2
"""Tell a worker that the disk is full, and that it is not any more."""

CUT = 0.003
"""The share of a server's answers that are cut."""


class Workers:
    """The processes that serve, and their ports as they are at any moment.

    Args:
        number: how many.
        chance: draws their seeds, and which is killed.
        words: what each is told besides.
    """

    def __init__(self, number, chance, **words):
        self.ports = []
        self.kills = self.pauses = self.full_disks = 0
        self._number = number
        self._chance = chance
        self._words = words
        self._processes = {}  # by port

    async def start(self):
        """Start them all."""
        await asyncio.gather(*(self._start() for _ in range(self._number)))

    async def kill_one(self):
        """Kill one as the kernel would, and start another."""
        port = self._chance.choice(self.ports)
        self.ports.remove(port)
        process = self._processes.pop(port)
        process.kill()
        await process.wait()
        self.kills += 1
        await self._start()

    async def pause_one(self, seconds):
        """Let one stand still, so that another one answers what was asked later."""
        process = self._processes[self._chance.choice(self.ports)]
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGSTOP)
        self.pauses += 1
        await asyncio.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):  # killed meanwhile
            process.send_signal(signal.SIGCONT)

    async def fill_disk(self, seconds):
        """Let one find the disk full for a while: its files grow no further."""
        process = self._processes[self._chance.choice(self.ports)]
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(FULL)
        self.full_disks += 1
        await asyncio.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(ROOM)

    async def stop(self):
        """End them all."""
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _start(self):
        words = json.dumps(self._words | {"seed": self._chance.getrandbits(32)})
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "chaos.worker", words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        line = await process.stdout.readline()
        if not line:
            raise SystemExit("a worker did not start")
        port = int(line)
        self._processes[port] = process
        self.ports.append(port)


class Memory:
    """A store in the one worker process, which can be neither killed nor frozen."""

    workers = 1
    on_disk = False
    cuts = pauses = 0

    def __init__(self, chance):
        self.url = "memory://"

    async def start(self):
        """There is nothing to start."""

    async def pause(self, seconds):
        """Nobody else can hold it up."""

    async def stop(self):
        """It ends with its process."""


class SQLite:
    """A file, locked now and then by somebody else."""

    workers = 3
    on_disk = True
    cuts = pauses = 0

    def __init__(self, chance):
        self._folder = tempfile.mkdtemp(prefix="chaos-")
        self._file = Path(self._folder) / "sessions.db"
        self.url = f"sqlite:///{self._file}"

    async def start(self):
        """The first worker makes the file."""

    async def pause(self, seconds):
        """Hold the write lock."""
        locked = contextlib.suppress(sqlite3.OperationalError)  # a worker has it
        with contextlib.closing(sqlite3.connect(self._file, isolation_level=None)) as db, locked:
            db.execute("BEGIN IMMEDIATE")
            self.pauses += 1
            await asyncio.sleep(seconds)

    async def stop(self):
        """Remove the file."""
        shutil.rmtree(self._folder)


class LMDB:
    """A file, locked now and then by somebody who looks what a power cut would leave of it."""

    workers = 3
    on_disk = True
    cuts = pauses = 0

    def __init__(self, chance):
        self._folder = tempfile.mkdtemp(prefix="chaos-")
        self._file = Path(self._folder) / "sessions.lmdb"
        self.url = f"lmdb:///{self._file}"
        self._problems = []

    async def start(self):
        """The first worker makes the file."""

    async def pause(self, seconds):
        """Hold the write lock."""
        with self._file.open("rb") as file, contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a worker has it, maybe
            self.pauses += 1
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


class Proxied:
    """A server of our own behind a proxy that cuts answers; it stands still now and then."""

    workers = 3
    on_disk = False
    pauses = cuts = 0

    def __init__(self, chance):
        self._chance = chance

    async def start_proxy(self, port):
        """Start the proxy before the server on that port; return its own."""
        self._port = port
        self._proxy = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        return self._proxy.sockets[0].getsockname()[1]

    async def pause(self, seconds):
        """Let the server take everything and answer nothing."""
        self.freeze()
        self.pauses += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self.thaw()

    async def _forward(self, reader, writer):
        with contextlib.suppress(OSError):
            back, forth = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                await asyncio.gather(self._pump(reader, forth, 0.0), self._pump(back, writer, CUT))
            finally:
                forth.transport.abort()
        writer.transport.abort()

    async def _pump(self, reader, writer, cut):
        """Hand on what comes; cut it off instead now and then."""
        while data := await reader.read(1 << 16):
            if self._chance.random() < cut:
                self.cuts += 1
                break
            writer.write(data)
        raise ConnectionResetError


class Redis(Proxied):
    """A Redis server."""

    async def start(self):
        """Start the server and the proxy."""
        self._folder = tempfile.mkdtemp(prefix="chaos-")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._server = await asyncio.create_subprocess_exec(
            *("redis-server", "--port", str(port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "no", "--dir", self._folder),
            stdout=subprocess.PIPE,
        )
        while b"eady to accept" not in (line := await self._server.stdout.readline()):
            if not line:
                raise SystemExit("redis-server did not start")
        self.url = f"redis://127.0.0.1:{await self.start_proxy(port)}/0"

    def freeze(self):
        """Stop it where it is."""
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self):
        """Let it go on."""
        self._server.send_signal(signal.SIGCONT)

    async def stop(self):
        """End both."""
        self._proxy.close()
        self._server.kill()
        await self._server.wait()
        shutil.rmtree(self._folder)


class Postgres(Proxied):
    """A Postgres server, as the tests start it."""

    async def start(self):
        """Start the server and the proxy."""
        sys.path.append(str(Path(__file__).parents[1] / "tests"))
        from harness.postgres_server import PostgresServer

        self._server = PostgresServer()
        self.freeze, self.thaw = self._server.freeze, self._server.thaw
        port = await self.start_proxy(self._server.port)
        self.url = f"postgresql://sessile@127.0.0.1:{port}/postgres"

    async def stop(self):
        """End both."""
        self._proxy.close()
        self._server.leave()


STORES = {"memory": Memory, "sqlite": SQLite, "lmdb": LMDB, "redis": Redis, "postgres": Postgres}
