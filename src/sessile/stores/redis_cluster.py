"""``redis+cluster://``: sessions in a Redis or Valkey Cluster. ``wire.redis.cluster`` reaches it.

A transaction of a cluster ends at a slot. A row and the generation that it is checked against share
one (``redis_partitions``); a login takes more, and is a two-phase commit (``two_phase_login``).

The rows are those of ``stores.redis``, and so is what is said there of generations, of the server's
clock and of eviction. The one act that takes a command for each partition is ``end_everybody``.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import ClassVar, Final

from sessile.core.value import Seconds
from sessile.errors import ConfigError, StoreUnavailable
from sessile.stores.contract import (
    Capability,
    Corrupt,
    Instant,
    Key,
    Page,
    Record,
    StoreSize,
    is_key,
    unpack,
)
from sessile.stores.finding import Finding
from sessile.stores.intents import MARK
from sessile.stores.key_value_store import KeyValueStore
from sessile.stores.large_keys import LargeKeys
from sessile.stores.location import Location
from sessile.stores.redis_cluster_diagnosis import diagnose_nodes
from sessile.stores.redis_cluster_feed import RedisClusterFeed
from sessile.stores.redis_cluster_rows import ClusterIndex, ClusterRows
from sessile.stores.redis_cluster_scripts import BEGIN_END, FINISH_END
from sessile.stores.redis_durability import write_to_disk
from sessile.stores.redis_generation import Asking
from sessile.stores.redis_partitions import Partition, Partitions, run_in_slot
from sessile.stores.redis_rows import STAMP, key_pattern
from sessile.stores.redis_size import START, add_up, count_keys, measure_server
from sessile.stores.redis_url import endpoint_of
from sessile.stores.settling import PATIENCE, see_through
from sessile.wire import system
from sessile.wire.commands.repeat import Repeat
from sessile.wire.feed.local import LocalFeed
from sessile.wire.redis.cluster import ClusterClient
from sessile.wire.redis.cluster_tracking import ClusterTracking
from sessile.wire.redis.endpoint import Endpoint
from sessile.wire.redis.slots import Place, migrations
from sessile.wire.together import together

PREFIX: Final = "sessile:"
_ENDING_TTL: Final[Seconds] = 10.0
"""How long logins that carry a session over are refused, if whoever ends everybody crashes."""

_NONCE: Final = 8
_ALL: Final = 2**31 - 1  # the keys of a slot that is on its way


class RedisClusterStore(KeyValueStore):
    """Records in the strings of a cluster.

    Args:
        endpoint: the cluster.
        prefix: stands before every key; two applications on one cluster need two.
        patience: how long a login that is under way is waited for.

    Attributes:
        has_shards: that each primary may be away by itself.
    """

    has_shards: ClassVar[bool] = True
    capabilities: ClassVar[Capability] = (
        Capability.OWNERS
        | Capability.SCAN
        | Capability.NATIVE_EXPIRY
        | Capability.SHARED
        | Capability.NETWORK
        | Capability.FEED
    )

    def __init__(
        self, endpoint: Endpoint, *, prefix: str = PREFIX, patience: Seconds = PATIENCE
    ) -> None:
        self.name = endpoint.name
        self._prefix = prefix
        self._start = f"{prefix}{{".encode()
        self._endpoint = endpoint
        self._client = ClusterClient(endpoint)
        self._partitions = Partitions(self._client, prefix, endpoint.name)
        self._cluster_rows = ClusterRows(self._client, self._partitions, endpoint.name)
        index = ClusterIndex(self._client, self._partitions, endpoint.name)
        super().__init__(self._cluster_rows, index, patience)
        self._large = LargeKeys()
        self._again = LocalFeed()  # of what was read through a lock: see redis_cluster_feed

    @classmethod
    def from_url(cls, url: str) -> "RedisClusterStore":
        """Return the store of ``redis+cluster://one:6379,two:6379,three``, or ``rediss+cluster``.

        A few nodes are enough: they name the others. ``valkey+cluster`` and ``valkeys+cluster`` are
        the same.

        Options: ``prefix``, ``timeout``, ``connect_timeout``, ``acks``; ``ca``, ``cert`` and
        ``key`` with TLS.
        """
        place = Location(url)
        prefix = place.option("prefix", str, PREFIX)
        if "{" in prefix or "}" in prefix:
            raise ConfigError(
                f"prefix={prefix} of {place.safe} has a brace, and what stands between two of them "
                "decides which node a key is at: leave braces out"
            )
        endpoint = endpoint_of(place)
        place.refuse_leftovers()
        return cls(endpoint, prefix=prefix)

    async def read(self, key: Key) -> Record | Corrupt | None:
        """Return the record of that key."""
        row = await self._cluster_rows.row_with_stamp(key, is_large=key in self._large)
        if row is None:
            return None
        self._large.note(key, row)
        if row[:1] == MARK:
            tell = self._again.tell
            blob = await see_through(self._cluster_rows, key, row[:-STAMP], tell)
            return None if blob is None else unpack(blob, key)
        return unpack(row[:-STAMP], key)

    def open_feed(
        self, timer: Callable[[], Seconds], wanted: Callable[[], Collection[Key]]
    ) -> RedisClusterFeed:
        """Have every node tell of each key that is changed; no writer does anything for it."""
        tracking = ClusterTracking(self._client, self._endpoint, f"{self._prefix}{{", timer)
        again = self._again.open(timer)
        return RedisClusterFeed(tracking, again, self._partitions, self._keys_of, wanted)

    async def end_everybody(self) -> str | None:
        """Begin a new generation in each partition, and have every node write it to disk."""
        self._client.check_open()
        # connections of their own: a node answers for what came over this one, and may wait
        client = ClusterClient(self._endpoint)
        try:
            asks = {one: partial(client.ask, one.slot) for one in self._partitions.all}
            await self._begin_generations(client, asks)
            nodes = [client.at(place) for place in (await client.slot_map()).primaries]
            if self._endpoint.acks:
                for node in nodes:
                    await node.check_replicas()
            risks = [await write_to_disk(node) for node in nodes]
            checks = [partial(one.seen.check, ask) for one, ask in asks.items()]
            await together("redis end everybody", checks)
        finally:
            await client.close()
        return next((risk for risk in risks if risk is not None), None)

    async def _begin_generations(
        self, client: ClusterClient, asks: Mapping[Partition, Asking]
    ) -> None:
        """Begin a new generation in each partition. Meanwhile no login carries a session over."""
        nonce, lasts = system.entropy(_NONCE), int(_ENDING_TTL * 1000)
        mark = partial(run_in_slot, client, self._partitions.all[0].slot)
        key = (self._partitions.ending,)
        try:
            await mark(BEGIN_END, key, (nonce, lasts))
            ends = [partial(one.seen.end, ask) for one, ask in asks.items()]
            await together("redis end everybody", ends)
            was_marked = await mark(FINISH_END, key, (nonce,))
        except StoreUnavailable:
            with suppress(StoreUnavailable):  # else its time will be over
                await mark(FINISH_END, key, (nonce,))
            raise
        if not was_marked:
            raise StoreUnavailable(
                self.name, f"to end everybody took longer than {_ENDING_TTL:g} s; ask again"
            )

    async def scan(self, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of all records, node by node.

        Where slots have moved since the last page it begins anew, for what moved from a node that
        was not yet looked at to one that was. So a scan does not end before a resharding does. What
        is on its way when it ends is looked for last, where it was and then where it is going.
        """
        slots = await self._client.slot_map()
        places = slots.primaries
        before, number, following, *left = (cursor or f",0,{START}").split(",")
        at = int(number)
        if before != slots.fingerprint:
            at, following, left = 0, START, []
        keys = [Key(key) for key in left if is_key(key)]
        if not keys and at < len(places):
            following, keys = await self._keys(places[at], following, batch)
        values = await self._values(keys)
        found = [
            None if value is None else await self._load(key, value)
            for key, value in zip(keys, values, strict=False)
        ]
        rest = keys[len(values) :]
        if not rest and following == START:
            at += 1
            rest = await self._migrating_keys(places) if at == len(places) else []
        is_over = at >= len(places) and not rest
        more = None if is_over else ",".join((slots.fingerprint, str(at), following, *rest))
        return Page([record for record in found if record is not None], more)

    async def _migrating_keys(self, places: Sequence[Place]) -> list[Key]:
        """Return the keys of sessions whose slots are on their way, with the slots still open."""
        found: list[Key] = []
        for place in places:
            ask = partial(self._client.ask_at, repeat=Repeat.HARMLESS)
            said = await ask(place, "redis CLUSTER NODES", "CLUSTER", "NODES")
            for slot, target in migrations(said, place):
                for at in dict.fromkeys((place, target)):
                    words = ("CLUSTER", "GETKEYSINSLOT", slot, _ALL)
                    names = await ask(at, "redis CLUSTER GETKEYSINSLOT", *words)
                    found += self._keys_of(names)
        return found

    async def count(self) -> int:
        """Return how many rows there are; those are counted too that ended with everybody."""
        places = (await self._client.slot_map()).primaries
        return sum([await count_keys(partial(self._keys, place)) for place in places])

    async def size(self) -> StoreSize:
        """Ask every primary; of more keys than a sample the number is an estimate."""
        places = (await self._client.slot_map()).primaries
        nodes = (self._client.at(place) for place in places)
        return add_up([await measure_server(node, self._keys_of) for node in nodes])

    async def _keys(self, place: Place, cursor: str, batch: int) -> tuple[str, list[Key]]:
        """Return where to go on at a node, and some keys of sessions there."""
        words = ("SCAN", cursor, "MATCH", key_pattern(self._prefix, "{*}"), "COUNT", batch)
        following, names = await self._client.ask_at(
            place, "redis SCAN", *words, repeat=Repeat.HARMLESS
        )
        return following.decode(), self._keys_of(names)

    def _keys_of(self, names: Iterable[bytes]) -> list[Key]:
        """Return the keys of the sessions of this store among some names at a node."""
        ours = (name for name in names if name.startswith(self._start))
        keys = (Key(name.rpartition(b"}")[2].decode("ascii", "replace")) for name in ours)
        return [key for key in keys if is_key(key)]

    async def sweep(
        self,
        now: Instant,  # noqa: ARG002  (the server removes what is past its deadline)
        batch: int = 1000,  # noqa: ARG002
    ) -> int:
        """Leave it to the nodes."""
        self._client.check_open()
        return 0

    async def ping(self) -> None:
        """Ask every primary."""
        for place in (await self._client.slot_map()).primaries:
            await self._client.ask_at(place, "redis PING", "PING", repeat=Repeat.HARMLESS)

    async def server_time(self) -> Instant:
        """Return the time of one of the nodes."""
        place = (await self._client.slot_map()).primaries[0]
        ask = self._client.ask_at(place, "redis TIME", "TIME", repeat=Repeat.HARMLESS)
        whole, micros = await ask
        return int(whole) + int(micros) / 1_000_000

    async def diagnose(self) -> list[Finding]:
        """Look at every primary."""
        places = (await self._client.slot_map()).primaries
        return await diagnose_nodes({place: self._client.at(place) for place in places})

    async def close(self) -> None:
        """Close every connection of this process."""
        await self._client.close()
