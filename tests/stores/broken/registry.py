"""Every deliberately broken store, and the promises that must notice it."""

from collections.abc import Callable

from sessile.testing.clock import FakeClock
from stores.pretend import Served

BROKEN: dict[type[Served], frozenset[str]] = {}


WATCH = FakeClock()
"""The watch by which the suite's time limits are measured here; a slow store moves it."""


def breaks(*promises: str) -> Callable[[type[Served]], type[Served]]:
    """List a broken store under the promises it breaks: these and no others."""

    def listed(store: type[Served]) -> type[Served]:
        BROKEN[store] = frozenset(f"test_{promise}" for promise in promises)
        return store

    return listed
