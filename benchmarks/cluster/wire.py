"""What a write takes on the wires between three hosts: the bytes that TCP carries, TLS with it."""

import asyncio
import re
import shutil
import subprocess
import time

from benchmarks.cluster.report import Finding
from benchmarks.cluster.tabs import Tab, insist, share_out, start_jars

BYTES, KILOBYTE = 200, 1000
QUIET = 3.0
"""Seconds in which it is seen what the hosts tell each other all the time."""


async def measure(hosts, asked):
    """Return what is found; nothing where ``ss`` is not there."""
    if shutil.which("ss") is None:
        return []
    alone = await each_write(hosts, asked, BYTES, f"rewrite?bytes={BYTES}")
    within = await each_write(hosts, asked, KILOBYTE, f"put?key=a&value={'x' * BYTES}")
    text = f"{alone:,.0f}; {within:,.0f} in a session of 1 KB"
    return [Finding("bytes on the wire per 200-byte write, two peers", text)]


async def each_write(hosts, asked, size, page):
    """Return the bytes for one write, without those that a quiet moment takes as well."""
    jars = await start_jars(asked.pairs, hosts.ports, size)
    began, quiet = time.monotonic(), carried(hosts)
    await asyncio.sleep(asked.pace * QUIET)
    rate = (carried(hosts) - quiet) / (time.monotonic() - began)

    async def write(jar, tab):
        await insist(tab.post, page, jar.cookies)

    began, before = time.monotonic(), carried(hosts)
    await share_out(jars, [Tab(port) for port in hosts.ports * 2], write)
    after, took = carried(hosts), time.monotonic() - began
    return (after - before - rate * took) / asked.pairs


def carried(hosts):
    """Return the bytes that nodes have sent each other so far."""
    ports = {str(peer.port) for peer in hosts.nodes.peers}
    told = subprocess.run(["ss", "-tinH"], capture_output=True, text=True, check=True).stdout
    sockets = re.findall(
        r"^ESTAB\s+\d+\s+\d+\s+\S+:(\d+)\s+\S+:(\d+).*\n\s(.*)$", told, re.MULTILINE
    )
    sent = (re.search(r"bytes_sent:(\d+)", more) for *ends, more in sockets if ports & {*ends})
    return sum(int(found[1]) for found in sent if found)
