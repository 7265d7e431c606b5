"""What the defences cost: today's sessile beside its foundation, which had none of them.

The foundation is the commit that this project names so: binding, trail, locks, events and the
cross-site check came after it. Its sources are taken from git, into a folder of their own.
"""

import io
import subprocess
import tarfile

from benchmarks.cpu import turned
from benchmarks.team import playing

COMMIT = "eab115e"
STORES = ("sqlite", "redis")
PAGES = ("untouched", "read", "write")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def unpacked(folder):
    """Return the folder of the foundation's sources."""
    packed = subprocess.run(
        ["git", "archive", COMMIT, "src"], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(f"{folder}/foundation", filter="data")
    return f"{folder}/foundation/src"


def measure(redis, folder, *, rounds=41, number=200):
    """Return {store: {page: (microseconds then, now, ratio)}}, over the framework without sessions.

    Logged in, from one browser.
    """
    then, now = [f"foundation {s}" for s in STORES], [f"sessile {s}" for s in STORES]
    times = {name: {page: [] for page in PAGES} for name in ["starlette", *then, *now]}
    with playing(list(times), redis, folder, foundation=unpacked(folder)) as players:
        for player in players:
            player.ask("be", BROWSER)
            player.start()
            player.cookie = player.ask("get", "login", player.cookie) or player.cookie
        for turn in range(rounds):
            for page in PAGES:
                for player in turned(players, turn):
                    cost = player.ask("cpu", page, player.cookie, number, 1)
                    times[player.name][page].append(cost)
    return {store: {page: _compared(times, store, page) for page in PAGES} for store in STORES}


def _compared(times, store, page):
    """Compare the least that each took: whatever else the machine does only adds to it."""
    floor = min(min(costs) for costs in times["starlette"].values())
    then = min(times[f"foundation {store}"][page]) - floor
    now = min(times[f"sessile {store}"][page]) - floor
    return then, now, now / then
