"""What a run notes every few seconds, and the verdict on it: flat, or what grew.

The first quarter is the warm-up: pools are opened, caches filled, the first sessions expire. The
median of the last quarter may exceed that of the second one by as much as ``ALLOWANCES`` says. A
median, because a sample may fall into a collection of garbage or a burst.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sessile.stores.contract import LATE_TTL

ROWS = 12
"""Of the table that is printed."""


@dataclass(frozen=True)
class Allowance:
    """How much a figure may grow after the warm-up.

    Args:
        share: of what it was.
        more: beside.
    """

    share: float = 0.0
    more: float = 0.0

    def covers(self, before, after):
        """Tell whether that is no growth."""
        return after <= before * (1 + self.share) + self.more

    def __str__(self):
        words = [f"{self.share:.0%}"] if self.share else []
        words += [f"{self.more:g}"] if self.more else []
        return f"{' + '.join(words)} more" if words else "no more"


ALLOWANCES = {
    "rss MB": Allowance(0.05, 8),
    "blocks": Allowance(0.05, 20_000),
    "threads": Allowance(),
    "files": Allowance(more=2),  # a connection that somebody else's follows is being closed
    "connections": Allowance(),
    "keys": Allowance(0.10, 100),
    "store MB": Allowance(0.10, 8),
}
"""Of each figure that must be flat. Keys come and go with the crowd's chance; what is in neither a
key nor a copy would be a leak."""

STORE = frozenset(("keys", "store MB"))
"""What a store forgets ``LATE_TTL`` after a session's end: before, nothing about it is flat."""


def absolute(seconds):
    """Return how old a session gets in a run of so many seconds."""
    return seconds / 15


def process_figures(pid):
    """Return a process's memory, threads and open files, as the kernel counts them."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return {
        "rss MB": int(status["VmRSS"].split()[0]) / 1024,
        "threads": int(status["Threads"]),
        "files": sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
    }


def judged(samples):
    """Return the names of the figures that must be flat: not the store's, of a short run."""
    is_long = samples[-1]["second"] / 4 >= LATE_TTL + absolute(samples[-1]["second"])
    return [name for name in ALLOWANCES if name in samples[0] and (is_long or name not in STORE)]


def grown(samples):
    """Yield a sentence for each figure that is not flat."""
    second, last = quarter(samples, 1), quarter(samples, 3)
    for name in judged(samples):
        allowance = ALLOWANCES[name]
        before, after = (median(one[name] for one in part) for part in (second, last))
        if not allowance.covers(before, after):
            yield f"{name} grew from {before:,.1f} to {after:,.1f}; allowed is {allowance}"


def quarter(samples, number):
    """Return a quarter of the samples, by their time."""
    end = samples[-1]["second"]
    first, past = number * end / 4, (number + 1) * end / 4
    part = [one for one in samples if first <= one["second"] < past]
    return part or samples[-1:]


def table(samples):
    """Yield the lines of a table with some of the samples, and the last one."""
    columns = list(samples[0])
    yield "  ".join(f"{name:>11}" for name in columns)
    step = max(1, len(samples) // ROWS)
    for sample in [*samples[:-1:step], samples[-1]]:
        yield "  ".join(f"{sample[name]:>11,.0f}" for name in columns)
