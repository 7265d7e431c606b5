"""CPU of a request in process, over the same framework without sessions. Interleaved, medians."""

from statistics import median

from benchmarks.contestants import ALL
from benchmarks.team import playing

PAGES = ("untouched", "read", "write")


def measure(redis, folder, *, rounds=9, number=400, at_once=1, names=None):
    """Return {name: {page: microseconds}}, medians over interleaved rounds."""
    names = names or [contestant.name for contestant in ALL]
    times = {name: {page: [] for page in PAGES} for name in names}
    with playing(names, redis, folder) as players:
        for player in players:
            player.start()
            for page in PAGES:
                player.ask("cpu", page, player.cookie, 50, at_once)
        for _ in range(rounds):
            for page in PAGES:
                for player in players:
                    cost = player.ask("cpu", page, player.cookie, number, at_once)
                    times[player.name][page].append(cost)
    return {n: {page: median(costs) for page, costs in pages.items()} for n, pages in times.items()}


def over_floor(costs):
    """Return the costs less those of the framework alone."""
    floors = {contestant.name: contestant.floor for contestant in ALL}
    return {
        name: {page: cost - costs[floors[name]][page] for page, cost in pages.items()}
        for name, pages in costs.items()
        if floors[name] != name
    }
