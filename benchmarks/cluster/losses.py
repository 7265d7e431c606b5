"""Ten thousand acknowledged writes, and two hosts that are killed in between."""

import asyncio
import json
from collections import Counter
from itertools import cycle

from benchmarks.cluster.report import Finding
from benchmarks.cluster.tabs import AGAIN, Jar, Tab, insist, share_out
from benchmarks.cluster.troubles import ELECTION, SHORT

SESSIONS, HANDS = 480, 24


class Flood:
    """Those who write, half of them through the balancer, the others at all hosts in turn.

    Attributes:
        items: by jar, those that were acknowledged.
        acknowledged: how many.
        refused: how many writes were not: of those nobody knows.
    """

    def __init__(self, hosts, writes):
        self.writes, self.acknowledged, self.refused = writes, 0, 0
        self.items = {Jar(): [] for _ in range(SESSIONS)}
        ports = cycle(hosts.ports)
        self._tabs = [Tab(next(ports) if n % 2 else hosts.front.port) for n in range(HANDS)]

    async def run(self):
        """Write until there are enough."""
        jars = list(self.items)
        hands = (self._write(tab, jars[n::HANDS]) for n, tab in enumerate(self._tabs))
        await asyncio.gather(*hands)

    async def _write(self, tab, jars):
        for number, jar in enumerate(cycle(jars)):
            if self.acknowledged >= self.writes:
                return tab.close()
            answer = await tab.post(f"add?item={number}", jar.cookies)
            jar.cookies |= answer.cookies
            if answer.status == 200:
                self.items[jar].append(str(number))
                self.acknowledged += 1
            else:
                self.refused += 1
                await asyncio.sleep(AGAIN)
        return None

    async def look(self, port):
        """Return how many acknowledged writes a host does not show, and how many it shows twice."""
        lost = doubled = 0

        async def look(jar, tab):
            nonlocal lost, doubled
            answer = await insist(tab.get, "values", jar.cookies)
            shown = Counter(json.loads(answer.body)[-1] or ())
            lost += sum(shown[item] == 0 for item in self.items[jar])
            doubled += sum(shown[item] > 1 for item in self.items[jar])

        await share_out(self.items, [Tab(port) for _ in range(4)], look)
        return lost, doubled


async def measure(hosts, asked):
    """Return what is found."""
    flood = Flood(hosts, asked.writes)
    running = asyncio.create_task(flood.run())
    for share, leads in ((0.25, True), (0.6, False)):
        while flood.acknowledged < asked.writes * share:  # noqa: ASYNC110  (a count has no event)
            await asyncio.sleep(0.05)
        leader, *followers = await asyncio.to_thread(hosts.leader)
        struck = leader if leads else followers[0]
        await asyncio.to_thread(struck.kill)
        await asyncio.sleep(asked.pace * (ELECTION if leads else SHORT))
        await asyncio.to_thread(struck.start)
        await asyncio.to_thread(hosts.await_all)
    await running
    looks = [await flood.look(port) for port in hosts.ports]
    lost, doubled = (max(each) for each in zip(*looks, strict=True))
    text = f"{lost} in {flood.acknowledged:,}; {flood.refused:,} were refused or had no answer"
    wrong = {"are not there": lost, "are there twice": doubled}
    faults = [f"{number} acknowledged writes {what}" for what, number in wrong.items() if number]
    return [
        Finding("acknowledged writes lost at kill -9 of a host", text, not lost, faults),
    ]
