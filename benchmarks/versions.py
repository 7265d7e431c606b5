"""What a change costs: another version of sessile beside the one in the working tree.

``make bench ARGS="versions --before COMMIT"``. The earlier sources are taken from git into a folder
of their own; both versions serve the same application, which uses public names alone. It is logged
in, from one browser, with the default policy.
"""

import io
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

from benchmarks.cpu import PAGES, run_rounds
from benchmarks.peers import BY_NAME, Peer
from benchmarks.processes import peer_processes

ROOT = Path(__file__).parent.parent
STORES = ("memory", "sqlite", "redis")
BEFORE = ", before"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def last_release():
    """Find the newest tag of a release that the working tree descends from; "" if there is none."""
    command = ["git", "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout.strip()


def extract_sources(commit, folder):
    """Unpack the sources of a commit; give the folder that holds its package."""
    target = Path(folder, "before")
    command = ["git", "archive", commit, "src"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if result.returncode:
        raise SystemExit(f"no sources of {commit}: {result.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(result.stdout)) as archive:
        archive.extractall(target, filter="data")
    return str(target / "src")


def add_before(peers, sources):
    """List the peers, and after each that is sessile the same with the earlier sources.

    Not on Flask: without sessile it keeps its own signed cookie, so that sessile's cost over it is
    near nothing, or less, and no ratio means anything.
    """
    both = []
    for peer in peers:
        both.append(peer)
        if peer.option.startswith("sessile") and peer.framework != "flask":
            name, option = peer.name + BEFORE, peer.option + "-before"
            both.append(replace(peer, name=name, option=option, sources=sources))
    return both


def ratios(costs):
    """Compare {name: {page: cost}} with what ``add_before`` added: {name: {page: now / before}}."""
    return {
        name: {page: cost / costs[name + BEFORE][page] for page, cost in pages.items()}
        for name, pages in costs.items()
        if name + BEFORE in costs
    }


def measure(redis, folder, sources, *, rounds=41, number=200):
    """Measure {store: {page: (microseconds before, now, ratio)}}, over the framework alone."""
    now = [Peer(f"sessile {store}", "starlette", f"sessile-{store}") for store in STORES]
    peers = [BY_NAME["starlette"], *add_before(now, sources)]
    with peer_processes(peers, redis, folder) as processes:
        for process in processes:
            process.call("set_user_agent", BROWSER)
            process.start_session()
            process.cookie = process.get("login") or process.cookie
        times = run_rounds(processes, rounds, number)
    return {store: {page: _compare(times, store, page) for page in PAGES} for store in STORES}


def _compare(times, store, page):
    """Compare the least that each took: whatever else the machine does only adds to it."""
    baseline = min(min(costs) for costs in times["starlette"].values())
    before = min(times[f"sessile {store}{BEFORE}"][page]) - baseline
    now = min(times[f"sessile {store}"][page]) - baseline
    return before, now, now / before
