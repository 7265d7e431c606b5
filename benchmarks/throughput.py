"""Requests per second under uvicorn, 16 connections, each request another session (wrk).

A share is taken within a round, one short run after the other, and the median of the rounds counts:
a machine that is slow for some seconds is slow for all of them.
"""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from benchmarks.cpu import rotate

NAMES = (
    "starlette",
    "starlette signed cookie",
    "starsessions redis",
    "sessile sqlite",
    "sessile sqlite sealed",
    "sessile lmdb",
    "sessile lmdb sealed",
    "sessile redis",
    "sessile redis sealed",
    "litestar redis",
)
PAGES = ("untouched", "read", "write")
CONNECTIONS = 16
SESSIONS = 128  # no two requests in flight share one

SCRIPT = """
local cookies, n = {{ {cookies} }}, 0
request = function()
  n = n % #cookies + 1
  return wrk.format("GET", "/{page}", {{ ["Cookie"] = cookies[n] }})
end
"""


def measure(redis, folder, *, rounds=9, seconds=1, names=NAMES):
    """Measure {name: {page: (requests per second, share of the first name's)}}, both medians."""
    rates = {name: {page: [] for page in PAGES} for name in names}
    with ExitStack() as stack:
        sites = {name: stack.enter_context(run_server(name, redis, folder)) for name in names}
        cookies = {
            name: [open_session(site) for _ in range(SESSIONS)] for name, site in sites.items()
        }
        for turn in range(rounds):
            for page in PAGES:
                for name in rotate(names, turn):
                    rate = load(sites[name], page, cookies[name], folder, seconds)
                    rates[name][page].append(rate)
    return {
        name: {
            page: (median(per_round), share(per_round, rates[names[0]][page]))
            for page, per_round in pages.items()
        }
        for name, pages in rates.items()
    }


def share(rates, baseline):
    """Divide one rate by the other in each round; give the median."""
    return median(rate / alone for rate, alone in zip(rates, baseline, strict=True))


@contextmanager
def run_server(name, redis, folder):
    """Serve a peer with uvicorn; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", "benchmarks.serve:make_app"]
    command += ["--port", str(port), "--no-access-log", "--log-level", "error", "--lifespan", "off"]
    environ = {**os.environ, "BENCH_NAME": name, "BENCH_REDIS": redis, "BENCH_FOLDER": folder}
    process = subprocess.Popen(command, env=environ)
    try:
        await_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def await_port(port):
    """Wait until somebody listens on the port."""
    for _ in range(200):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.05)
    raise SystemExit(f"nobody listens on {port}")


def open_session(site):
    """Make one session; return its cookie."""
    with urllib.request.urlopen(f"{site}/start") as response:
        return (response.headers["set-cookie"] or "none=1").partition(";")[0]


def load(site, page, cookies, folder, seconds):
    """Measure requests per second with wrk; any error ends the measurement."""
    script = Path(folder, "load.lua")
    quoted = ", ".join(f'"{cookie}"' for cookie in cookies)
    script.write_text(SCRIPT.format(cookies=quoted, page=page))
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), site]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(f"{site}/{page}: {output}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])
