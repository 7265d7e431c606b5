"""The switch that stops the store: a file that every server looks at. ``routes.store`` sets it.

It holds the time at which the store comes back by itself, so that nobody stays locked out.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

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

    def stop(self) -> None:
        """Stop the store, for a minute at most."""
        fresh = self._path.with_name(f"{self._path.name}.new")
        fresh.write_text(str(self._clock() + STOP))
        fresh.replace(self._path)  # as one act: no server reads half a number

    def start(self) -> None:
        """Start the store again; it may run already."""
        self._path.unlink(missing_ok=True)

    def remaining(self) -> Seconds:
        """Return how long the store stays stopped; 0 while it runs."""
        with suppress(FileNotFoundError):
            return max(float(self._path.read_text()) - self._clock(), 0.0)
        return 0.0

    def check(self, store: str) -> None:
        """Let a command through.

        Raises:
            StoreUnavailable: the store of that name is stopped.
        """
        if self.remaining():
            raise StoreUnavailable(store, "it was stopped on the page of the demo")
