"""The worker processes of a run, and what happens to them: killed, held up, a full disk."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections import Counter

FULL, ROOM = signal.SIGUSR1, signal.SIGUSR2
"""Tell a worker that the disk is full, and that it is not any more."""


class Workers:
    """The processes that serve, and their ports as they are at any moment.

    Args:
        number: how many.
        chance: draws their seeds, and which is killed.
        words: what each is told besides.
    """

    def __init__(self, number, chance, **words):
        self.ports = []
        self.counts = Counter()  # what happened to them
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
        self.counts["workers killed"] += 1
        await self._start()

    async def pause_one(self, seconds):
        """Let one stand still, so that another one answers what was asked later."""
        process = self._processes[self._chance.choice(self.ports)]
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGSTOP)
        self.counts["held up"] += 1
        await asyncio.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):  # killed meanwhile
            process.send_signal(signal.SIGCONT)

    async def fill_disk(self, seconds):
        """Let one find the disk full for a while: its files grow no further."""
        process = self._processes[self._chance.choice(self.ports)]
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(FULL)
        self.counts["full disks"] += 1
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
