"""Stores whose feed passes something over, or vouches for what it has not told."""

from harness.reference_store import ReferenceStore
from mutations.stores.registry import breaks
from sessile.wire.feed.connection import Heard
from sessile.wire.feed.local import LocalFeed


@breaks(
    "feed_tells_of_every_act",
    "heartbeat_vouches_for_what_came_before",
)
class TellsOfWhatIsGoneAlone(ReferenceStore):
    def swap(self, change):
        self.feed, whole = LocalFeed(), self.feed
        answer = super().swap(change)
        self.feed = whole
        return answer


@breaks(
    "feed_tells_at_whatever_step_a_login_ends_a_session",
    "feed_tells_of_a_login_what_it_ends",
    "feed_tells_of_the_end_of_a_user",
    "every_listener_is_told",
    "feed_tells_of_other_processes",
)
class TellsOfNoEnd(ReferenceStore):
    def remove(self, key, owner):
        self.feed, whole = LocalFeed(), self.feed
        found = super().remove(key, owner)
        self.feed = whole
        return found


@breaks("feed_tells_of_the_end_of_everybody")
class TellsOfNoEndOfEverybody(ReferenceStore):
    def wipe(self):
        self.rows.clear()
        self.owners.clear()


class _Hasty:
    """A connection whose heartbeat is one word ahead of what it tells."""

    def __init__(self, connection):
        self.connection = connection
        self.kept = Heard()

    def wait(self, seconds):
        before, self.kept = self.kept, self.connection.wait(seconds)
        return Heard(before.keys, before.anything, self.kept.as_of)

    def close(self):
        self.connection.close()


@breaks(
    "every_listener_is_told",
    "feed_tells_at_whatever_step_a_login_ends_a_session",
    "feed_tells_of_a_login_what_it_ends",
    "feed_tells_of_every_act",
    "feed_tells_of_other_processes",
    "feed_tells_of_the_end_of_a_user",
    "feed_tells_of_the_end_of_everybody",
    "heartbeat_vouches_for_what_came_before",
)
class BeatsAhead(ReferenceStore):
    def open_feed(self, timer, wanted):
        return _Hasty(super().open_feed(timer, wanted))
