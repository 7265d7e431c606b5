"""``make bench``: every figure of docs/performance.md, measured in one run. ``ARGS=cpu`` picks one."""

import contextlib
import socket
import subprocess
import sys
import tempfile
import time

from benchmarks import bytes as size
from benchmarks import commands, cpu, foundation, throughput
from benchmarks.aims import verdicts

PARTS = ("commands", "bytes", "cpu", "defences", "batching", "throughput")


@contextlib.contextmanager
def redis_server():
    """Start a Redis of our own with nothing kept on disk; give its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        throughput.await_port(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def table(head, rows):
    """Print a Markdown table."""
    print(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")


def show_commands(port, folder):
    counts = commands.measure(port, folder)
    print("\n## Redis commands / network trips per request")
    table(
        ["", *commands.NAMES],
        [
            [situation, *(f"{len(row[n][0])} / {row[n][1]}" for n in commands.NAMES)]
            for situation, row in counts.items()
        ],
    )
    return counts


def show_bytes(port, folder):
    sizes = size.measure(f"redis://127.0.0.1:{port}/0", folder)
    print("\n## Bytes in Redis for a session of 1 KB")
    table(["", "bytes"], sizes.items())
    return sizes


def show_cpu(port, folder):
    costs = cpu.measure(f"redis://127.0.0.1:{port}/0", folder)
    over = cpu.over_floor(costs)
    print("\n## CPU of a request in process, microseconds; over the floor of its framework")
    table(
        ["", *(f"{page}, whole" for page in cpu.PAGES), *(f"{page}, over" for page in cpu.PAGES)],
        [
            [name, *(f"{cost:.0f}" for cost in pages.values())]
            + [f"{over[name][page]:.0f}" if name in over else "" for page in cpu.PAGES]
            for name, pages in costs.items()
        ],
    )
    return over


def show_defences(port, folder):
    found = foundation.measure(f"redis://127.0.0.1:{port}/0", folder)
    print("\n## CPU of a request in process, over the floor: the foundation, and with its defences")
    table(
        ["", *(f"{page}: then, now, ratio" for page in foundation.PAGES)],
        [
            [store, *(f"{then:.1f}, {now:.1f}, {ratio:.2f}" for then, now, ratio in pages.values())]
            for store, pages in found.items()
        ],
    )
    return found


def show_batching(port, folder):
    names = ["starlette", "starsessions redis", "sessile redis"]
    redis = f"redis://127.0.0.1:{port}/0"
    one = cpu.over_floor(cpu.measure(redis, folder, names=names, number=320))
    many = cpu.over_floor(cpu.measure(redis, folder, names=names, number=320, at_once=16))
    print("\n## CPU of a read on Redis over the floor, microseconds, with 1 and 16 in flight")
    table(
        ["", "1", "16"],
        [[name, f"{one[name]['read']:.0f}", f"{many[name]['read']:.0f}"] for name in one],
    )
    return {name: (one[name]["read"], many[name]["read"]) for name in one}


def show_throughput(port, folder):
    rates = throughput.measure(f"redis://127.0.0.1:{port}/0", folder)
    print("\n## Requests per second under uvicorn, 16 connections; share of no sessions at all")
    table(
        ["", *throughput.PAGES, *(f"{page}, share" for page in throughput.PAGES)],
        [
            [name, *(f"{rate:.0f}" for rate, _ in pages.values())]
            + [f"{share:.2f}" for _, share in pages.values()]
            for name, pages in rates.items()
        ],
    )
    return rates


def main(wanted):
    began = time.monotonic()
    found = {}
    with redis_server() as port, tempfile.TemporaryDirectory() as folder:
        for part in wanted or PARTS:
            found[part] = globals()[f"show_{part}"](port, folder)
    print("\n## Aims")
    table(["aim", "measured", "bound", ""], verdicts(found))
    print(f"\nmeasured in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    unknown = set(sys.argv[1:]) - set(PARTS)
    if unknown:
        sys.exit(f"no such part: {', '.join(unknown)}; write some of {', '.join(PARTS)}")
    main(sys.argv[1:])
