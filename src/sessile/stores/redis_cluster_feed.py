"""The feed of ``redis+cluster://``: which keys are changed. ``wire.redis.cluster_tracking`` hears.

A login is decided by a change of its own row alone, and with it the locked rows that it ends are
gone: see ``intents``. Nobody names them at this instant. So a session that is read through such a
lock is *told again*, with the next word: whoever has kept it, or has it open, asks once more, and
again, until the login is decided.
"""

from collections.abc import Callable, Collection

from sessile.core.ticket import Key
from sessile.core.value import Seconds
from sessile.stores.redis_partitions import Partitions
from sessile.wire.feed.connection import Heard
from sessile.wire.feed.local import LocalConnection
from sessile.wire.redis.cluster_tracking import ClusterTracking


class RedisClusterFeed:
    """Keys of sessions, out of all names that the nodes tell.

    Args:
        tracking: of the cluster.
        again: the sessions that this process has read through a lock.
        partitions: of the store.
        keys_of: finds the keys of sessions among names.
        wanted: the keys of which somebody wants to hear.
    """

    def __init__(
        self,
        tracking: ClusterTracking,
        again: LocalConnection,
        partitions: Partitions,
        keys_of: Callable[[Collection[bytes]], list[Key]],
        wanted: Callable[[], Collection[Key]],
    ) -> None:
        self._tracking, self._again = tracking, again
        self._keys_of, self._wanted = keys_of, wanted
        self._by_start = partitions.by_start
        self._generations = {one.generation.encode(): one.slot for one in partitions.all}

    def wait(self, seconds: Seconds) -> Heard:
        """Wait for something new, so long at most."""
        news = self._tracking.wait(seconds)
        again = self._again.wait(0.0)
        if again.anything or news.names is None:
            return Heard(anything=True, as_of=news.as_of)
        keys = dict.fromkeys((*self._keys_of(news.names), *again.keys))
        # whoever changes a generation has ended what is in that slot, or the slot has moved
        slots = {self._generations[name] for name in news.names if name in self._generations}
        slots |= news.slots
        if slots:
            keys |= dict.fromkeys(key for key in self._wanted() if self._slot(key) in slots)
        return Heard(tuple(keys), as_of=news.as_of)

    def close(self) -> None:
        """Close the connections."""
        self._tracking.close()
        self._again.close()

    def _slot(self, key: Key) -> int:
        return self._by_start[key[:2]].slot
