"""Every deliberately broken store, and the promises that must notice it."""

from sessile.testing.clock import FakeClock

BROKEN = {}


WATCH = FakeClock()
"""The watch by which the suite's time limits are measured here; a slow store moves it."""


def breaks(*promises):
    """List a broken store under the promises it breaks: these and no others."""

    def listed(store):
        BROKEN[store] = frozenset(f"test_{promise}" for promise in promises)
        return store

    return listed
