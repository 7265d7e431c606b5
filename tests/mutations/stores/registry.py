"""Every deliberately broken store, and the promises that must notice it."""

from collections.abc import Callable

from harness.reference_store import ReferenceStore
from sessile.testing.clock import FakeClock

BROKEN: dict[type[ReferenceStore], frozenset[str]] = {}


WATCH = FakeClock()
"""The watch by which the suite's time limits are measured here; a slow store moves it."""


def breaks(*promises: str) -> Callable[[type[ReferenceStore]], type[ReferenceStore]]:
    """List a broken store under the promises it breaks: these and no others."""

    def listed(store: type[ReferenceStore]) -> type[ReferenceStore]:
        BROKEN[store] = frozenset(f"test_{promise}" for promise in promises)
        return store

    return listed
