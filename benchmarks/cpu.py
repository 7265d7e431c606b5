"""CPU of a request in process, over the same framework without sessions. Interleaved, medians.

The order turns by one with each round, because a machine is not as fast in one second as in the
next, and whoever is always first would always profit from it.
"""

from statistics import median

from benchmarks.contestants import ALL
from benchmarks.team import playing

PAGES = ("untouched", "read", "write")


def measure(redis, folder, *, rounds=15, number=200, at_once=1, names=None):
    """Return {name: {page: microseconds}}, medians over interleaved rounds."""
    names = names or [contestant.name for contestant in ALL]
    times = {name: {page: [] for page in PAGES} for name in names}
    with playing(names, redis, folder) as players:
        for player in players:
            player.start()
            for page in PAGES:
                player.ask("cpu", page, player.cookie, 50, at_once)
        for turn in range(rounds):
            for page in PAGES:
                for player in turned(players, turn):
                    cost = player.ask("cpu", page, player.cookie, number, at_once)
                    times[player.name][page].append(cost)
    return {n: {page: median(costs) for page, costs in pages.items()} for n, pages in times.items()}


def turned(those, turn):
    """Return them in another order each turn."""
    first = turn % len(those)
    return [*those[first:], *those[:first]]


def over_floor(costs):
    """Return the costs less those of the framework alone, whose pages are all one page."""
    floors = {contestant.name: contestant.floor for contestant in ALL}
    alone = {name: median(costs[name].values()) for name in costs if floors[name] == name}
    return {
        name: {page: cost - alone[floors[name]] for page, cost in pages.items()}
        for name, pages in costs.items()
        if floors[name] != name
    }
