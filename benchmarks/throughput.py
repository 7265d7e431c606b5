"""Requests per second under uvicorn, 16 connections, each request another session (wrk).

A share is taken within a round, one short run after the other, and the median of the rounds counts:
a machine that is slow for some seconds is slow for all of them.
"""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from statistics import median

from benchmarks.cpu import turned

NAMES = (
    "starlette",
    "starlette signed cookie",
    "starsessions redis",
    "sessile sqlite",
    "sessile sqlite sealed",
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
    """Return {name: {page: (requests per second, share of the first name's)}}, both medians."""
    rates = {name: {page: [] for page in PAGES} for name in names}
    with ExitStack() as stack:
        sites = {name: stack.enter_context(serving(name, redis, folder)) for name in names}
        cookies = {name: [start(site) for _ in range(SESSIONS)] for name, site in sites.items()}
        for turn in range(rounds):
            for page in PAGES:
                for name in turned(names, turn):
                    rate = load(sites[name], page, cookies[name], folder, seconds)
                    rates[name][page].append(rate)
    return {
        name: {
            page: (median(found), share(found, rates[names[0]][page]))
            for page, found in pages.items()
        }
        for name, pages in rates.items()
    }


def share(rates, alone):
    """Return the median over the rounds of one rate by the other."""
    return median(rate / floor for rate, floor in zip(rates, alone, strict=True))


@contextmanager
def serving(name, redis, folder):
    """Serve a contestant with uvicorn; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", "benchmarks.serve:app",
               "--port", str(port), "--no-access-log", "--log-level", "error", "--lifespan", "off"]  # fmt: skip
    environ = {**os.environ, "BENCH_NAME": name, "BENCH_REDIS": redis, "BENCH_FOLDER": folder}
    process = subprocess.Popen(command, env=environ)
    try:
        await_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def await_port(port):
    """Return when somebody listens."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nobody listens on {port}")


def start(site):
    """Make one session; return its cookie."""
    with urllib.request.urlopen(f"{site}/start") as answer:
        return (answer.headers["set-cookie"] or "none=1").partition(";")[0]


def load(site, page, cookies, folder, seconds):
    """Return the requests per second that wrk counts; any error ends the measurement."""
    script = f"{folder}/load.lua"
    with open(script, "w") as out:
        quoted = ", ".join(f'"{cookie}"' for cookie in cookies)
        out.write(SCRIPT.format(cookies=quoted, page=page))
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script, site]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"{site}/{page}: {said}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])
