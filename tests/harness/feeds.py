"""Wait for the end of a feed, or for what is about to come."""

from time import monotonic

from sessile.errors import StoreUnavailable
from sessile.testing.promises.feeds import PATIENCE


def wait_for_end(feed):
    """Return the error that a feed ends with."""
    deadline = monotonic() + PATIENCE
    while monotonic() < deadline:
        try:
            feed.wait(0.2)
        except StoreUnavailable as error:
            return str(error)
    raise AssertionError("it goes on")


def wait_until(is_so, why):
    """Return when something is so."""
    deadline = monotonic() + 2 * PATIENCE
    while not is_so():
        assert monotonic() < deadline, why
