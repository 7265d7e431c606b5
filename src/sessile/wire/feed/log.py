"""Lines for the operator when a feed breaks, and when it works again."""

from sessile.errors import StoreUnavailable
from sessile.wire import system
from sessile.wire.log import log_feed_failure, log_feed_recovery
from sessile.wire.throttle import Throttle


class FeedLog:
    """Logs what a follower tells; each kind once a minute.

    Args:
        store: its name, without credentials.
    """

    __slots__ = ("_store", "_throttle")

    def __init__(self, store: str) -> None:
        self._store = store
        self._throttle = Throttle(system.clock)

    def __call__(self, error: StoreUnavailable | None) -> None:
        """Take an error of the feed; None where it works again."""
        if self._throttle.admit(error is None) is None:
            return
        if error is None:
            log_feed_recovery(self._store)
        else:
            log_feed_failure(self._store, error.why)
