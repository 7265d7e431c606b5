"""What other hosts show of a write that was acknowledged a moment ago, under load."""

import asyncio
import json
from contextlib import asynccontextmanager

from benchmarks.cluster.report import Finding
from benchmarks.cluster.tabs import AGAIN, Jar, Tab, figures, insist, share_out, start_jars

PAUSES = (0.0, 0.001, 0.01, 0.1)
"""Seconds after the acknowledgement."""

PAIRS, SHOPPERS, CROWD = 6, 6, 120
"""Hands that write here and read there, visitors who write through the balancer, their sessions."""

REST = 0.01
"""Seconds between an answer and a shopper's next request."""

QUIET = 5.0


async def measure(hosts, asked):
    """Return what is found."""
    crowd = await start_jars(CROWD, hosts.ports)
    async with shoppers(hosts, crowd):
        hinted = await count_stale(hosts, asked.pairs, 0.0, hinted=True)
        bare = [await count_stale(hosts, asked.pairs, pause) for pause in PAUSES]
        lost, changes = await count_lost(hosts, asked.pairs)
    await asyncio.sleep(asked.pace * QUIET)
    wrong, from_memory = await count_wrong(hosts, crowd)
    known = sum(jar.number is not None for jar in crowd)
    return [
        Finding(
            "stale at once after an acknowledged write",
            f"{hinted} of {asked.pairs:,}",
            not hinted,
            [f"{hinted} reads with the hint were stale"] if hinted else (),
        ),
        Finding(
            "the same, without the hint: at once, after 1, 10, 100 ms",
            ", ".join(f"{stale / asked.pairs:.1%}" for stale in bare),
            not bare[2],
        ),
        Finding(
            "sessions wrong somewhere after 5 s of quiet",
            f"{wrong} of {known}"
            + (f"; {from_memory:.0%} of reads from memory" if asked.has_copies else ""),
            not wrong,
            [f"{wrong} sessions are wrong on a host"] if wrong else (),
        ),
        Finding(
            "two writers of two keys on two hosts: changes lost",
            f"{lost} of {changes:,}",
            not lost,
            [f"{lost} changes of another key are lost"] if lost else (),
        ),
    ]


@asynccontextmanager
async def shoppers(hosts, jars):
    """Have visitors write through the balancer meanwhile, each in sessions of its own."""
    is_over = asyncio.Event()

    async def shop(mine):
        tab = Tab(hosts.front.port)
        while not is_over.is_set():
            for jar in mine:
                await jar.write(tab)
                await asyncio.sleep(REST)
        tab.close()

    tasks = [asyncio.create_task(shop(jars[n::SHOPPERS])) for n in range(SHOPPERS)]
    yield
    is_over.set()
    await asyncio.gather(*tasks)


async def count_stale(hosts, number, pause, *, hinted=False):
    """Write on one host, read on another, and return how often that shows what was before.

    Args:
        hosts: which.
        number: how many times.
        pause: seconds between the acknowledgement and the read.
        hinted: whether the reader is the one who wrote, and says what version it has seen.
    """
    stale = 0

    async def try_out(turns):
        nonlocal stale
        tabs = [Tab(port) for port in hosts.ports]
        jar = await Jar().start(tabs[0])
        for turn in turns:
            writer, reader = tabs[turn % len(tabs)], tabs[(turn + 1) % len(tabs)]
            before = dict(jar.cookies)
            while not await jar.write(writer):  # noqa: ASYNC110  (a refusal has no event)
                await asyncio.sleep(AGAIN)
            if pause:
                await asyncio.sleep(pause)
            answer = await reader.get("read", jar.cookies if hinted else before)
            stale += answer.status == 200 and answer.number != jar.number
        for tab in tabs:
            tab.close()

    await asyncio.gather(*(try_out(range(n, number, PAIRS)) for n in range(PAIRS)))
    return stale


async def count_wrong(hosts, jars):
    """Return how many sessions any host shows wrongly, and the share of reads from its memory.

    Whoever asks has seen the first answers alone, so that a mirror that is behind says so.
    """
    wrong, used = set(), [await hits(hosts)]

    async def look(jar, tab):
        answer = await insist(tab.get, "read", jar.early)
        if jar.number is not None and answer.number != jar.number:
            wrong.add(jar)

    for port in hosts.ports:
        await share_out(jars, [Tab(port) for _ in range(4)], look)
    used.append(await hits(hosts))
    return len(wrong), (used[1] - used[0]) / (len(jars) * len(hosts.ports))


async def hits(hosts):
    """Return how many reads the memory of workers was enough for."""
    return sum([(await figures(port))[1] for port in hosts.ports])


async def count_lost(hosts, number):
    """Have two hosts change a key each of a session at once; return how many are lost, of all."""
    lost = changes = 0

    async def try_out(turns):
        nonlocal lost, changes
        tabs = [Tab(port) for port in hosts.ports]
        jar = await Jar().start(tabs[0])
        for turn in turns:
            puts = [
                tab.post(f"put?key={key}&value={turn}", jar.cookies)
                for key, tab in zip("ab", tabs, strict=False)
            ]
            answers = await asyncio.gather(*puts)
            for answer in answers:
                jar.cookies |= answer.cookies
            shown = json.loads((await insist(tabs[-1].get, "values", jar.cookies)).body)
            known = [answer.status == 200 for answer in answers]
            changes += sum(known)
            lost += sum(
                is_known and value != str(turn)
                for is_known, value in zip(known, shown, strict=False)
            )
        for tab in tabs:
            tab.close()

    await asyncio.gather(*(try_out(range(n, number, PAIRS)) for n in range(PAIRS)))
    return lost, changes
