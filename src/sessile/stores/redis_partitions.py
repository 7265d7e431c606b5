"""Where a Redis Cluster has which row. ``stores.redis_cluster`` asks there.

A command of a cluster takes keys of one slot, and a row has to be in the slot of the generation
that it is checked against. So rows are dealt out to partitions: each has a hash tag, and with it a
slot, a generation and the rows of those keys that begin alike. Keys are drawn at random, so that
partitions are equally full; and their slots are spread evenly, so that nodes are.

The tags are part of what is stored: with others no row is found. The test that knows them by heart
is ``test_tags_never_change``.
"""

from functools import cache, partial
from itertools import count
from typing import Any, Final

from sessile.stores.redis_generation import SeenGeneration
from sessile.stores.redis_rows import index_name
from sessile.stores.redis_scripts import Script, run_script
from sessile.wire import system
from sessile.wire.redis.cluster import ClusterClient
from sessile.wire.redis.endpoint import Words
from sessile.wire.redis.slots import SLOTS, slot_of
from sessile.wire.throttle import Throttle

PARTITIONS: Final = 256
"""So many that the nodes of a cluster of a dozen primaries differ by a twentieth, and no more: to
end everybody takes a command for each."""

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Partition:
    """Some of the sessions, all in one slot.

    Args:
        client: of the cluster.
        prefix: of the store's keys.
        tag: the hash tag.
        name: of the store.
        losses: as of its generation; a node has dozens of them.

    Attributes:
        prefix: of its rows.
        slot: where they are.
        generation: the key of its generation.
        seen: the newest generation of it that this process has seen.
    """

    __slots__ = ("_client", "generation", "prefix", "seen", "slot")

    def __init__(
        self, client: ClusterClient, prefix: str, tag: str, name: str, losses: Throttle
    ) -> None:
        self._client = client
        self.slot = slot_of(f"{{{tag}}}")
        self.prefix = f"{prefix}{{{tag}}}"
        self.generation = f"{self.prefix}@generation"
        self.seen = SeenGeneration(name, self.generation, self.run, losses)

    async def run(
        self, script: Script, keys: tuple[str, ...], words: Words, what: str | None = None
    ) -> Any:
        """Run a script about rows; it is told the newest generation that was seen."""
        newest = self.seen.newest
        return await run_in_slot(self._client, self.slot, script, keys, (*words, newest), what=what)


class Partitions:
    """All of them.

    Args:
        client: of the cluster.
        prefix: of the store's keys.
        name: of the store.

    Attributes:
        all: in the order of their slots.
        by_start: each under the two characters with which its keys begin.
        ending: the key that is there while everybody is being ended; it is in the first slot.
    """

    def __init__(self, client: ClusterClient, prefix: str, name: str) -> None:
        losses = Throttle(system.clock)
        self.all = [Partition(client, prefix, tag, name, losses) for tag in tags()]
        self.ending = f"{self.all[0].prefix}@ending"
        starts = (one + other for one in _ALPHABET for other in _ALPHABET)
        share = len(_ALPHABET) ** 2 // PARTITIONS
        self.by_start = {start: self.all[n // share] for n, start in enumerate(starts)}

    def index(self, owner: str) -> tuple[int, str]:
        """Return the slot and the key of an owner's index.

        A digest: no name of a user can forge another's.
        """
        name = index_name(owner)
        partition = self.by_start[name[:2]]
        return partition.slot, f"{partition.prefix}@{name}"


@cache
def tags() -> tuple[str, ...]:
    """Return the hash tags: of each share of the slots, the least number that is in it."""
    found: dict[int, str] = {}
    for number in count():
        found.setdefault(slot_of(str(number)) * PARTITIONS // SLOTS, str(number))
        if len(found) == PARTITIONS:
            return tuple(tag for _, tag in sorted(found.items()))
    raise AssertionError("there are numbers enough")


async def run_in_slot(
    client: ClusterClient,
    slot: int,
    script: Script,
    keys: tuple[str, ...],
    words: Words,
    *,
    what: str | None = None,
) -> Any:
    """Run a script at the node that has a slot: see ``run_script``."""
    ask = partial(client.ask, slot)
    return await run_script(ask, script, keys, words, acks=client.acks, what=what)
