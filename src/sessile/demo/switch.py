"""The switch that stops the store: a file that every server looks at. ``routes.store`` sets it.

It holds the time at which the store comes back by itself, so that nobody stays locked out, and what
readers get until then.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from sessile import Outage
from sessile.core.value import Instant, Seconds
from sessile.errors import StoreUnavailable

STOP: Final[Seconds] = 60.0
"""How long a stop lasts unless somebody starts the store before."""


class StoreSwitch:
    """The switch of all servers.

    Args:
        path: the file; the store runs while there is none.
        clock: seconds since 1970.
    """

    def __init__(self, path: Path, clock: Callable[[], Instant]) -> None:
        self._path = path
        self._clock = clock

    def stop(self, outage: Outage = Outage.FAIL) -> None:
        """Stop the store, for a minute at most.

        Args:
            outage: what readers get meanwhile.
        """
        fresh = self._path.with_name(f"{self._path.name}.new")
        fresh.write_text(f"{self._clock() + STOP} {outage.name}")
        fresh.replace(self._path)  # as one act: no server reads half a number

    def start(self) -> None:
        """Start the store again; it may run already."""
        self._path.unlink(missing_ok=True)

    def remaining(self) -> Seconds:
        """Return how long the store stays stopped; 0 while it runs."""
        return self._read()[0]

    def reads_on(self) -> bool:
        """Tell whether the store is stopped, and readers are served from copies."""
        left, outage = self._read()
        return left > 0 and outage is Outage.READ

    def check(self, store: str) -> None:
        """Let a command through.

        Raises:
            StoreUnavailable: the store of that name is stopped.
        """
        if self.remaining():
            raise StoreUnavailable(store, "it was stopped on the page of the demo")

    def _read(self) -> tuple[Seconds, Outage]:
        with suppress(FileNotFoundError):
            until, name = self._path.read_text().split()
            return max(float(until) - self._clock(), 0.0), Outage[name]
        return 0.0, Outage.FAIL
