"""Ten thousand open WebSockets of one process: what the watch over them costs, and how they end.

The server is uvicorn; its clients are in another process. CPU is that of the server, memory its
resident set. A store without a feed is asked about each session every five seconds.
"""

import json
import os
import resource
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from statistics import median, quantiles

from benchmarks.throughput import await_port

SOCKETS = 10_000
QUIET = 20.0
"""Seconds for which nothing happens, and CPU is measured."""

KINDS = {
    "memory, left alone": ("memory://", ""),
    "memory, watched": ("memory://", "4401"),
    "redis, left alone": ("{redis}", ""),
    "redis, watched": ("{redis}", "4401"),
    "sqlite, watched": ("sqlite:///{folder}/sockets.db", "4401"),
}
TICKS = os.sysconf("SC_CLK_TCK")


def measure(redis, folder):
    """Measure {kind: (KiB and CPU ms to open one, CPU of all in 1 s of silence, how they end)}.

    That is CPU ms for one, and after how many ms the half, 99 in 100 and the last were told.
    """
    return {
        kind: measure_kind(url.format(redis=redis, folder=folder), code, number())
        for kind, (url, code) in KINDS.items()
    }


def number():
    """Return how many there can be: each takes a file of its process."""
    return min(SOCKETS, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500)


def measure_kind(url, code, many):
    with server(url, code) as (process, port):
        before = memory(process), cpu(process)
        with clients(port, many) as told:
            assert told.stdout.readline() == "open\n"
            opened = memory(process), cpu(process)
            time.sleep(QUIET)
            idle = (cpu(process) - opened[1]) / QUIET
            closing = None
            if code:
                began = cpu(process)
                took = end(port, told)
                time.sleep(1.0)  # until the server has let go of them
                closing = (cpu(process) - began) / many * 1e3, *took
        size, spent = (b - a for a, b in zip(before, opened, strict=True))
        return size / many, spent / many * 1e3, idle, closing


def end(port, told):
    """End everybody, and return when the half, 99 in 100 and the last of them were told, in ms."""
    asked = time.monotonic()
    urllib.request.urlopen(f"http://127.0.0.1:{port}/", data=b"").close()
    times, codes = zip(*json.loads(told.stdout.readline()), strict=True)
    assert set(codes) == {4401}, set(codes)
    took = [(time - asked) * 1e3 for time in times]
    return median(took), quantiles(took, n=100)[98], max(took)


@contextmanager
def server(url, code):
    """Serve with uvicorn; give its process and port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", "benchmarks.open_sockets:make_app"]
    command += ["--port", str(port), "--log-level", "error", "--ws", "websockets-sansio"]
    command += ["--ws-ping-interval", "3600", "--ws-per-message-deflate", "false"]
    environ = {**os.environ, "BENCH_URL": url, "BENCH_ENDED_CODE": code}
    process = subprocess.Popen(command, env=environ)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (hard, hard))
    try:
        await_port(port)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def clients(port, many):
    command = [sys.executable, "-m", "benchmarks.socket_clients", str(port), str(many)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def memory(pid):
    """Return the resident set of a process, in KiB."""
    with open(f"/proc/{pid}/statm") as file:  # noqa: PTH123  (no file of ours)
        return int(file.read().split()[1]) * resource.getpagesize() / 1024


def cpu(pid):
    """Return the CPU seconds that a process has spent."""
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
