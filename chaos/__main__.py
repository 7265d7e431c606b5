"""``make chaos ARGS="--seed 7 --seconds 120 --store redis"``: the run, and its verdict."""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter

import uvloop

from chaos.clients import WISHES, Browser
from chaos.stores import STORES
from chaos.worker import CRASH, SINGLE
from chaos.workers import Workers
from sessile.testing.history import Fate, HistoryFault, Verb, excess, faults
from sessile.testing.surroundings import surroundings

SHOWN = 10
TOLD = 3
"""Clients of whom it is told what happened around their first fault."""

RATE = 0.02
"""The share of the store's acts that fail in a worker."""

LONG = 0.03
"""The share of the workers that are held up for five seconds."""


def main():
    """Run; leave with code 1 where something was wrong."""
    asked = parse_arguments()
    clean = True
    for store in [asked.store] if asked.store else STORES:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            clean &= runner.run(Run(asked, store).run())
    sys.exit(not clean)


def parse_arguments():
    """Return the arguments."""
    parser = argparse.ArgumentParser(
        prog="make chaos ARGS=...", description="Put sessions under fire, and judge what is left."
    )
    parser.add_argument("--store", choices=STORES, help="one store; all in turn without it")
    parser.add_argument("--seconds", type=float, default=40.0, help="how long, for each store")
    parser.add_argument("--operations", type=int, default=0, help="as many, however long it takes")
    parser.add_argument("--seed", type=int, help="of all chance; drawn without it")
    parser.add_argument("--clients", type=int, default=24, help="browsers, three for each user")
    parser.add_argument(
        "--acks", type=int, default=1, help="replicas that have to have a change, where there are"
    )
    parser.add_argument("--replicas", type=int, default=1, help="of a primary, where there are")
    parser.add_argument(
        "--break",
        dest="broken",
        choices=("commit", "delete", CRASH),
        default="",
        help="an act of the store that lies, or an error of ours: the run has to find it",
    )
    asked = parser.parse_args()
    if asked.seed is None:
        asked.seed = random.SystemRandom().randrange(1_000_000)
    return asked


class Run:
    """One run over one store.

    Args:
        asked: the arguments.
        store: its kind.
    """

    def __init__(self, asked, store):
        self.asked = asked
        self.kind = store
        self.chance = random.Random(f"{asked.seed} {store}")
        self.store = STORES[store](self.draw(), asked)
        self.history = []

    def draw(self):
        """Return a source of chance of its own, so that none disturbs another's."""
        return random.Random(self.chance.getrandbits(64))

    async def run(self):
        """Run, and print what came of it; return whether all is well."""
        self.say(f"seed {self.asked.seed}, {self.kind}, {self.asked.seconds:.0f} s")
        await self.store.start()
        self.workers = Workers(
            self.store.workers, self.draw(), url=self.store.url, rate=RATE, broken=self.asked.broken
        )
        try:
            await self.workers.start()
            browsers = [self.browser(n) for n in range(self.asked.clients)]
            await self.play(browsers)
            lists = self.store.has_owners
            left = {one.user: await one.count() for one in browsers} if lists else {}
        finally:
            await self.workers.stop()
            await self.store.stop()
        return self.judge(browsers, left)

    def browser(self, number):
        """Return a client; of each four users one may have one session, if users can be known."""
        user, lists = number // 3, self.store.has_owners
        name = f"{SINGLE if lists and user % 4 == 0 else 'user'} {user}"
        wishes = {one: often for one, often in WISHES.items() if lists or one is not Verb.END_ALL}
        ports, history = self.workers.ports, self.history
        return Browser(f"b{number}", name, self.draw(), ports, history, wishes=wishes)

    async def play(self, browsers):
        """Let clients and troubles go on until the time is over; then look once more."""
        self.deadline = time.monotonic() + self.asked.seconds
        makers = {self.kill: 4.0, self.hold_up: 0.5, self.fill_disk: 6.0} | self.store.troubles
        troubles = [asyncio.create_task(self.trouble(make, each)) for make, each in makers.items()]
        await asyncio.gather(*(browser.live(self.is_over) for browser in browsers))
        await asyncio.gather(*troubles)
        await asyncio.gather(*(browser.insist(Verb.READ) for browser in browsers))

    def is_over(self):
        """Tell whether the time is over, and there are as many operations as asked for."""
        is_enough = len(self.history) >= self.asked.operations
        return is_enough and time.monotonic() > self.deadline

    async def trouble(self, make, each):
        """Make trouble about every so many seconds."""
        chance = self.draw()
        while True:
            await asyncio.sleep(each * (0.5 + chance.random()))
            if self.is_over():
                return
            await make(chance)

    async def kill(self, _chance):
        """Kill a worker, where there are several."""
        if self.store.workers > 1:
            await self.workers.kill_one()

    async def hold_up(self, chance):
        """Let a worker stand still for a moment, or for long, where there are several."""
        if self.store.workers > 1:
            is_long = chance.random() < LONG
            await self.workers.pause_one(5.0 if is_long else 0.2 * chance.random())

    async def fill_disk(self, chance):
        """Let a worker find the disk full for up to a second, where sessions are in a file."""
        if self.store.on_disk:
            await self.workers.fill_disk(chance.random())

    def judge(self, browsers, left):
        """Print the figures and the faults; return whether there are none."""
        fates = Counter(each.fate for each in self.history)
        troubles = Counter({"requests given up": sum(browser.cuts for browser in browsers)})
        troubles.update(self.workers.counts + self.store.counts)
        wrong = Counter(wrong for browser in browsers for wrong in browser.wrong)
        self.say(
            f"{len(self.history)} operations: {fates[Fate.OK]} acknowledged, "
            f"{fates[Fate.REFUSED]} refused, {fates[Fate.UNKNOWN]} unknown; "
            + ", ".join(f"{number} {what}" for what, number in sorted(troubles.items()))
        )
        found = [f"{number} times, in a user's face: {what}" for what, number in wrong.items()]
        for is_single in (True, False):
            names = {one.name for one in browsers if one.is_single is is_single}
            users = {one.user for one in browsers if one.is_single is is_single}
            limit = 1 if is_single else None
            part = [
                one
                for one in self.history
                if one.client in names or (one.verb is Verb.END_ALL and one.given in users)
            ]
            found += faults(part, limit=limit, lag=getattr(self.store, "lag", 0.0))
            if left:
                found += excess(part, {user: left[user] for user in users}, limit=limit)
        reads = Counter(one.fate for one in self.history if one.verb is Verb.READ)
        self.say(f"{reads[Fate.OK]} of {reads.total()} reads were answered")
        for fault in found[:SHOWN]:
            self.say(fault)
        self.say(f"{len(found)} faults" if found else "clean")
        self.tell(found)
        return not found

    def tell(self, found):
        """Print what happened around the first fault of a few clients."""
        firsts = {}
        for fault in found:
            if isinstance(fault, HistoryFault):
                firsts.setdefault(fault.about[-1].client, fault)
        for fault in list(firsts.values())[:TOLD]:
            self.say(f"around the fault: {fault}")
            for line in surroundings(fault, self.history):
                self.say(line)

    def say(self, text):
        """Print a line."""
        print(f"{self.kind}: {text}", flush=True)


if __name__ == "__main__":
    main()
