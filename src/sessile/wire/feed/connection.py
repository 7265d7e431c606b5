"""What a feed says, and how it is asked. ``wire.feed.follower`` follows the one of a store."""

from typing import Protocol

import msgspec

from sessile.core.ticket import Key
from sessile.core.value import Seconds

BEAT: Seconds = 0.2
"""Seconds between two heartbeats of a feed."""


class Heard(msgspec.Struct, frozen=True):
    """What a feed has told since it was last asked. To know how something changed, ask the store.

    Attributes:
        keys: of records that were changed, or are gone.
        anything: whether any record at all may have changed, as when everybody was ended.
        as_of: on the timer; whatever was changed before then has been told, in this word or an
            earlier one. None where nothing newer is known. This is the heartbeat.
    """

    keys: tuple[Key, ...] = ()
    anything: bool = False
    as_of: Seconds | None = None


class FeedConnection(Protocol):
    """A store's feed, as one thread hears it, from when it was opened on.

    What changed before is not told. Either method may fail as the store's own acts do.
    """

    def wait(self, seconds: Seconds) -> Heard:
        """Wait for something to tell, about so many seconds at most.

        Raises:
            StoreUnavailable: something may have been missed; the connection is of no more use.
        """
        ...

    def close(self) -> None:
        """Give the connection back. Harmless when repeated, and from another thread."""
        ...
