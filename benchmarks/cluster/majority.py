"""Two of three hosts are killed at once: what the third one says, and what is there afterwards."""

import asyncio
import time
from collections import Counter
from itertools import cycle

from benchmarks.cluster.report import Finding
from benchmarks.cluster.staleness import count_wrong
from benchmarks.cluster.tabs import Tab, share_out, start_jars

SESSIONS = 300
AWAY = 8.0
"""Seconds for which they are away; readers may be spared an outage for longer."""

READERS, PAUSE = 3, 0.02

TOLD = 1.5
"""Seconds until the third host has been told of all that was written."""


class Answers:
    """What the host that is left has answered, of what kind and how often."""

    def __init__(self, jars):
        self.jars = jars
        self.counts = Counter()

    async def read(self, tab, jar):
        """Read a session, and judge the answer."""
        answer = await tab.get("read", jar.cookies)
        self.counts[f"read: {judge_answer(answer, jar.number)}"] += 1

    async def write(self, tab, jar):
        """Change a session of which nobody then knows what it shows, unless it was acknowledged."""
        answer = await tab.post("write", jar.cookies)
        self.counts[f"write: {judge_answer(answer, (jar.number or 0) + 1)}"] += 1
        jar.cookies |= answer.cookies
        jar.number = answer.number if answer.status == 200 else None

    async def ask(self, port, seconds):
        """Read some sessions again and again, and write in others, for so long."""
        until = time.monotonic() + seconds

        async def go_on(act, jars):
            tab = Tab(port)
            for jar in cycle(jars):
                if time.monotonic() > until:
                    break
                await act(tab, jar)
                await asyncio.sleep(PAUSE)
            tab.close()

        acts = [self.read] * READERS + [self.write]
        await asyncio.gather(*(go_on(act, self.jars[n :: len(acts)]) for n, act in enumerate(acts)))


def judge_answer(answer, number):
    """Return what kind of an answer it is."""
    if answer.status != 200:
        return {503: "503", 0: "none"}.get(answer.status, f"status {answer.status}")
    return "right" if answer.number == number else "empty" if answer.number < 0 else "wrong"


async def measure(hosts, asked):
    """Return what is found."""
    jars = await start_jars(SESSIONS, hosts.ports)
    await share_out(
        jars, [Tab(hosts.front.port) for _ in range(8)], lambda jar, tab: jar.write(tab)
    )
    await asyncio.sleep(TOLD)
    leader, *others = await asyncio.to_thread(hosts.leader)
    killed, left = [leader, others[0]], others[1]
    for host in killed:
        await asyncio.to_thread(host.kill)
    answers = Answers(jars)
    await answers.ask(left.ports[0], asked.pace * AWAY)
    for host in killed:  # each waits for the others
        await asyncio.to_thread(host.begin)
    for host in killed:
        await asyncio.to_thread(host.wait)
    await asyncio.to_thread(hosts.await_all)
    wrong, _ = await count_wrong(hosts, jars)
    known = sum(jar.number is not None for jar in jars)
    counts = answers.counts
    dishonest = [
        f"{number} times, {what}"
        for what, number in counts.items()
        if what.partition(": ")[2] not in {"right", "503"}
    ]
    return [
        Finding(
            "two of three killed at once: sessions lost",
            f"{wrong} of {known}",
            not wrong,
            [f"{wrong} sessions are lost or old"] if wrong else (),
        ),
        Finding(
            "answers meanwhile",
            ", ".join(f"{what} {number:,}" for what, number in sorted(counts.items())),
            not dishonest,
            dishonest,
        ),
    ]
