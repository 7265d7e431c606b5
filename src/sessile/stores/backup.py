"""``backup://``: each session is on some servers of NATS, a primary and its backups.

Sessions are dealt out to streams (``nats_shards``). A stream is led by one server and followed by
some others, and a majority of these decides. All other servers ask, and keep what they were told,
for as long as the streams tell what changed (``stores.near``).

A batch of NATS ends at a stream. A login takes more, and is a two-phase commit over rows
(``two_phase_login``).
"""

import math
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import ClassVar, Final

from sessile.core.flow import run
from sessile.core.value import Seconds
from sessile.errors import StoreUnavailable
from sessile.stores.contract import (
    PAGE_BYTES,
    Capability,
    Corrupt,
    Instant,
    Key,
    Page,
    Record,
    StoreSize,
    unpack,
)
from sessile.stores.finding import Finding
from sessile.stores.intents import MARK
from sessile.stores.key_value import SETTLE
from sessile.stores.key_value_store import KeyValueStore
from sessile.stores.nats import POWER_CUT, NatsStore
from sessile.stores.nats_diagnosis import diagnose, look_at_followers
from sessile.stores.nats_feed import NatsFeed, listen
from sessile.stores.nats_placement import placement_of
from sessile.stores.nats_rows import ENDED_TTL
from sessile.stores.nats_shard_rows import ShardIndex, ShardRows
from sessile.stores.nats_shards import Shard, Shards
from sessile.stores.nats_url import NatsPlace, place_of
from sessile.stores.placement import Placement
from sessile.stores.settling import PATIENCE, see_through
from sessile.wire.feed.connection import FeedConnection, Heard
from sessile.wire.feed.local import LocalConnection, LocalFeed
from sessile.wire.nats.client import NatsClient
from sessile.wire.nats.messages import StreamInfo, StreamMessage

_BEAT: Final[Seconds] = 0.4
"""Between two heartbeats, each of which is a message in every shard."""

_ENDING_TTL: Final = 60
"""Seconds for which logins that carry a session over are refused where an end broke off.

What the acts of an end may take comes to that: a thread does one after the other.
"""


class BackupStore(KeyValueStore):
    """Records in the messages of several streams.

    Args:
        place: the servers and the bucket.
        patience: how long a login that is under way is waited for.

    Attributes:
        near: how many copies a process keeps, unless the URL says otherwise.
        has_shards: that each primary may be away by itself.
    """

    capabilities: ClassVar[Capability] = NatsStore.capabilities
    near: ClassVar[int] = 10_000
    has_shards: ClassVar[bool] = True

    def __init__(self, place: NatsPlace, patience: Seconds = PATIENCE) -> None:
        self.name, self._place = place.endpoint.name, place
        self._client = NatsClient(place.endpoint)
        self._shards = Shards(self._client, place)
        self._shard_rows = ShardRows(self._shards)
        self._again = LocalFeed()  # of what was read through a lock: see ``BackupFeed``
        super().__init__(self._shard_rows, ShardIndex(self._shards), patience)

    @classmethod
    def from_url(cls, url: str) -> "BackupStore":
        """Return the store of ``backup://one:4222,two,three/bucket``, or ``backup+tls``.

        Options: ``shards``, and those of ``nats://``.
        """
        return cls(place_of(url))

    async def read(self, key: Key) -> Record | Corrupt | None:
        """Return the record of that key, from its primary."""
        row = await self._shard_rows.read(key)
        if row is not None and row[:1] == MARK:
            row = await see_through(self._shard_rows, key, row, self._again.tell)
        return None if row is None else unpack(row, key)

    async def end_everybody(self) -> str | None:
        """End each shard. Meanwhile no login carries a session over from one to another.

        Of two at once the one that began last says when that is over: what was there before the
        other one began is gone by then, too.
        """
        await self._shards.each("info", _make_ready)
        first, acts = self._shards.all[0], 2 * len(self._shards.all)
        lasts = _ENDING_TTL + math.ceil(acts * self._place.endpoint.timeout)
        seq = await first.stream.store("end everybody", first.rows.ending(lasts))
        await self._shards.each("end everybody", _end_everybody)
        with suppress(StoreUnavailable):  # that it is over is known later, then
            await first.stream.store(SETTLE, first.rows.end_of_ending(seq))
        return POWER_CUT

    def open_feed(
        self,
        timer: Callable[[], Seconds],
        wanted: Callable[[], Collection[Key]],  # noqa: ARG002  (it is told of every one)
    ) -> FeedConnection:
        """Listen to what is stored in every shard."""
        again = self._again.open(timer)
        run(self._shards.each("info", _make_ready))
        listener, beats = listen(self._client, self._place.parts)
        feed = NatsFeed(listener, self._place.endpoint, beats, timer, _BEAT)
        return BackupFeed(feed, again)

    async def scan(self, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of all records, shard by shard, in the order of their last changes."""
        number, _, after = (cursor or "0:1").partition(":")
        shard, seq, size = int(number), int(after), 0
        records: list[Record | Corrupt] = []
        while len(records) < batch and size < PAGE_BYTES:
            found = await self._shards.all[shard].rows.next(seq)
            if found is None:
                shard, seq = shard + 1, 1
                if shard == len(self._shards.all):
                    return Page(records, None)
                continue
            key, row = found
            seq = row.seq + 1
            if row.value is not None:
                size += len(row.value)
                record = await self._load(key, row.value)
                records += [] if record is None else [record]
        return Page(records, f"{shard}:{seq}")

    async def count(self) -> int:
        """Return about how many there are: what has ended within the last minute is counted."""
        return sum(await self._shards.each("count", _count))

    async def size(self) -> StoreSize:
        """Return that number, and the bytes of the streams' messages, as one server of each has."""
        infos = await self._shards.each("info", _info)
        taken = sum(info.state.bytes for info in infos)
        return StoreSize(await self.count(), taken, is_estimate=True)

    async def sweep(
        self,
        now: Instant,  # noqa: ARG002  (the server removes what is past its deadline)
        batch: int = 1000,  # noqa: ARG002
    ) -> int:
        """Leave it to the servers."""
        self._client.check_open()
        return 0

    async def ping(self) -> None:
        """Ask every primary for a session that there is not."""
        await self._shards.each("get", _ping)

    async def server_time(self) -> Instant:
        """Return the time of the first shard's primary."""
        return await self._shards.all[0].stream.time()

    async def diagnose(self) -> list[Finding]:
        """Look at the server, and at the streams."""
        infos = await self._shards.each("info", _look)
        servers = await self._shards.all[0].stream.servers()
        return list(diagnose(self._place, servers, infos))

    async def placement(self, key: Key) -> Placement:
        """Ask about the session's shard, and about the others, which name servers if they can."""
        shard = self._shards.of_key(key)
        info = await _look(shard)
        others = await self._shards.each("info", _info_if_led)
        return placement_of(shard.place.stream, info, others)

    async def close(self) -> None:
        """Close every connection of this process."""
        await self._client.close()


class BackupFeed:
    """The feed of the streams, and what is told again.

    A login is decided by a change of its own row alone, and with it the locked rows that it ends
    are gone: see ``intents``. Nobody names them at this instant. So a session that is read through
    such a lock is told again, until the login is decided: as in ``stores.redis_cluster_feed``.

    Args:
        feed: of the streams.
        again: the sessions that this process has read through a lock.
    """

    def __init__(self, feed: NatsFeed, again: LocalConnection) -> None:
        self._feed, self._again = feed, again

    def wait(self, seconds: Seconds) -> Heard:
        """Wait for something new, so long at most."""
        heard, again = self._feed.wait(seconds), self._again.wait(0.0)
        keys = dict.fromkeys((*heard.keys, *again.keys))
        return Heard(tuple(keys), heard.anything or again.anything, heard.as_of)

    def close(self) -> None:
        """Close the connection. Harmless when repeated."""
        self._feed.close()
        self._again.close()


async def _end_everybody(shard: Shard) -> None:
    """Purge a shard, and tell whoever follows it: a purge does not, whatever the others do."""
    await shard.stream.purge(f"{shard.place.sessions}*")
    await shard.stream.store("tell", StreamMessage(shard.place.everybody, b"", None, ENDED_TTL))


async def _make_ready(shard: Shard) -> None:
    await shard.stream.make_ready()


async def _count(shard: Shard) -> int:
    return await shard.rows.count()


async def _info(shard: Shard) -> StreamInfo:
    await shard.stream.make_ready()
    return await shard.stream.info()


async def _info_if_led(shard: Shard) -> StreamInfo:
    with suppress(StoreUnavailable):
        return await _info(shard)
    return StreamInfo()


async def _look(shard: Shard) -> StreamInfo:
    return await look_at_followers(shard.stream, shard.place)


async def _ping(shard: Shard) -> None:
    await shard.rows.get(Key("ping"))
