"""``make soak ARGS="--store redis --seconds 3600"``: the run, and its verdict."""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter

import uvloop

from soak.crowd import Crowd
from soak.figures import grown, judged, process_figures, table
from soak.stores import STORES
from soak.visits import Connection, Visitor, Wish
from soak.worker import FILES, LEAK

SAMPLES = 240
"""How often the figures are noted, evenly over the time that is asked for."""

PROOF = 1_000
"""Visitors in the beginning, for whom it is counted that they cost the store nothing."""


def main():
    """Run; leave with code 1 where something grew."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(not runner.run(Run(parse_arguments()).run()))


def parse_arguments():
    """Return the arguments."""
    parser = argparse.ArgumentParser(
        prog="make soak ARGS=...", description="Serve a crowd for long, and see whether it grows."
    )
    parser.add_argument("--store", choices=STORES, default="redis")
    parser.add_argument("--seconds", type=float, default=3_600.0, help="which the crowd takes")
    parser.add_argument("--visitors", type=int, default=1_000_000, help="who store nothing")
    parser.add_argument("--sessions", type=int, default=200_000, help="which others begin")
    parser.add_argument("--connections", type=int, default=32, help="kept open, for all of them")
    parser.add_argument("--seed", type=int, default=1, help="of the crowd's chance")
    parser.add_argument(
        "--break",
        dest="broken",
        choices=(LEAK, FILES),
        default="",
        help="keep every request's session, or leave files open: the run has to find it",
    )
    return parser.parse_args()


class Run:
    """One run.

    Args:
        asked: the arguments.
    """

    def __init__(self, asked):
        self.asked = asked
        self.store = STORES[asked.store](asked.sessions)
        self.crowd = Crowd(asked, random.Random(asked.seed))
        self.workers = {}  # processes, by port
        self.samples = []

    async def run(self):
        """Run, and print what came of it; return whether all is well."""
        try:
            await asyncio.gather(*(self.start_worker() for _ in range(self.store.workers)))
            cost = await self.cost_of_visitors()
            noting = asyncio.create_task(self.note())
            await self.crowd.visit(list(self.workers), self.asked.connections)
            noting.cancel()
            self.samples.append(await self.sample())
        finally:
            for process in self.workers.values():
                process.kill()
                await process.wait()
            self.store.stop()
        return self.judge(cost)

    async def start_worker(self):
        """Start a worker."""
        words = {"url": self.store.url, "seconds": self.asked.seconds, "broken": self.asked.broken}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "soak.worker", json.dumps(words)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        line = await process.stdout.readline()
        if not line:
            raise SystemExit("a worker did not start")
        self.workers[int(line)] = process

    async def cost_of_visitors(self):
        """Return how many commands the store was sent for visitors who store nothing."""
        connections = [Connection(port) for port in self.workers]
        before = self.store.commands()
        for number in range(PROOF):
            await connections[number % len(connections)].ask(Visitor(), Wish.LOOK)
        for connection in connections:
            connection.close()
        return self.store.commands() - before

    async def note(self):
        """Note the figures again and again."""
        self.began = time.monotonic()
        while True:
            self.samples.append(await self.sample())
            if len(self.samples) % (SAMPLES // 24) == 1:
                self.say(json.dumps({name: round(n, 1) for name, n in self.samples[-1].items()}))
            await asyncio.sleep(self.asked.seconds / SAMPLES)

    async def sample(self):
        """Return the figures of now: of all workers together, and of the store."""
        second, store = time.monotonic() - self.began, await asyncio.to_thread(self.store.figures)
        workers = Counter()
        for port, process in self.workers.items():
            connection = Connection(port)
            workers.update(process_figures(process.pid) | await connection.read_figures())
            connection.close()
        return {"second": second, **workers, **store}

    def judge(self, cost):
        """Print the figures and what is wrong; return whether nothing is."""
        crowd, samples = self.crowd, self.samples
        done = ", ".join(f"{number:,} {what}" for what, number in crowd.counts.items())
        self.say(f"{crowd.requests:,} requests in {samples[-1]['second']:,.0f} s: {done}")
        for line in table(samples):
            self.say(line)
        found = [f"{number:,} times {what}" for what, number in crowd.wrong.items()]
        found += [f"{PROOF} visitors cost the store {cost} commands"] if cost else []
        found += grown(samples)
        for fault in found:
            self.say(fault)
        self.say(f"{len(found)} faults" if found else f"flat: {', '.join(judged(samples))}")
        return not found

    def say(self, text):
        """Print a line."""
        print(f"{self.asked.store}: {text}", flush=True)


if __name__ == "__main__":
    main()
