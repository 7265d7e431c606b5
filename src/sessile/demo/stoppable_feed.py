"""The feed of a store that can be stopped: it breaks with it. See ``stoppable_store``."""

from sessile.core.value import Seconds
from sessile.demo.switch import StoreSwitch
from sessile.wire.feed.connection import FeedConnection, Heard


class StoppableFeed:
    """A connection to a store's feed, behind a switch.

    Args:
        behind: the connection.
        switch: whether the store answers.
        store: its name.
    """

    def __init__(self, behind: FeedConnection, switch: StoreSwitch, store: str) -> None:
        self._behind = behind
        self._switch = switch
        self._store = store

    def wait(self, seconds: Seconds) -> Heard:
        """Wait for something to tell, so many seconds at most.

        Raises:
            StoreUnavailable: the store is stopped.
        """
        heard = self._behind.wait(seconds)
        if not (heard.keys or heard.anything):  # else that goes first: it was before the stop
            self._switch.check(self._store)
        return heard

    def close(self) -> None:
        """Give the connection back, stopped or not."""
        self._behind.close()
