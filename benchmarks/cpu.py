"""CPU of a request in process, over the same framework without sessions. Interleaved, medians.

The order turns by one with each round, because a machine is not as fast in one second as in the
next, and whoever is always first would always profit from it.
"""

from statistics import median

from benchmarks.peers import PEERS
from benchmarks.processes import peer_processes

PAGES = ("untouched", "read", "write")


def measure(redis, folder, *, rounds=15, number=200, concurrency=1, peers=PEERS):
    """Measure {name: {page: microseconds}}, medians over interleaved rounds."""
    with peer_processes(peers, redis, folder) as processes:
        for process in processes:
            process.start_session()
            for page in PAGES:
                process.cpu(page, 50, concurrency)
        times = run_rounds(processes, rounds, number, concurrency)
    return {n: {page: median(costs) for page, costs in pages.items()} for n, pages in times.items()}


def run_rounds(processes, rounds, number, concurrency=1):
    """Measure {name: {page: [microseconds of each round]}}."""
    times = {process.name: {page: [] for page in PAGES} for process in processes}
    for turn in range(rounds):
        for page in PAGES:
            for process in rotate(processes, turn):
                times[process.name][page].append(process.cpu(page, number, concurrency))
    return times


def rotate(items, turn):
    """List the items from another one on each turn."""
    first = turn % len(items)
    return [*items[first:], *items[:first]]


def over_baseline(costs, peers=PEERS):
    """Subtract the cost of the framework alone, whose pages are all one page."""
    baselines = {peer.name: peer.baseline for peer in peers}
    alone = {name: median(costs[name].values()) for name in costs if baselines[name] == name}
    return {
        name: {page: cost - alone[baselines[name]] for page, cost in pages.items()}
        for name, pages in costs.items()
        if baselines[name] != name
    }
