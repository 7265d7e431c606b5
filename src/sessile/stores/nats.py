"""``nats://``: sessions in a stream of NATS JetStream, 2.12.1 or newer. ``wire.nats`` reaches it.

A session is one message of its own subject, stored on the condition of the sequence before it
(``nats_rows``). A login is a batch of them, which the server stores as one act. What is read is
read from the stream's leader; what is acknowledged a majority of its servers has.

Everybody is ended by a purge of the stream, which is one act as well: no message has the sequence
any more on whose condition another one could be stored.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, Final, cast

from sessile.core.flow import Flow, run
from sessile.core.value import Seconds
from sessile.errors import KeyTaken, LostRace, StoreUnavailable
from sessile.stores.contract import (
    COMMITTED,
    GONE,
    PAGE_BYTES,
    Capability,
    Change,
    CommitResult,
    Conflict,
    Corrupt,
    Deleted,
    Instant,
    Key,
    Page,
    Record,
    Replacement,
    ReplaceResult,
    StoreSize,
    pack,
    unpack,
)
from sessile.stores.finding import Finding
from sessile.stores.memory_mirror import Mirror, MirrorWriter
from sessile.stores.nats_diagnosis import diagnose, look_at_followers
from sessile.stores.nats_feed import NatsFeed, NatsMirrorFeed, listen
from sessile.stores.nats_login import NatsLogin
from sessile.stores.nats_placement import placement_of
from sessile.stores.nats_rows import ENDED_TTL, NatsRow, NatsRows, entry_of
from sessile.stores.nats_stream import NatsStream
from sessile.stores.nats_url import NatsPlace, place_of
from sessile.stores.placement import Placement
from sessile.stores.read_tokens import ReadTokens
from sessile.stores.row import is_session, version_start
from sessile.wire import system
from sessile.wire.feed.connection import FeedConnection
from sessile.wire.nats.client import NatsClient
from sessile.wire.nats.messages import StreamMessage
from sessile.wire.pause import pause
from sessile.wire.together import together

ATTEMPTS: Final = 100
"""Of an act of several messages: each one that fails is a rival's that stands."""

_CROWD: Final = 16
"""Rivals of one owner, from which on each one waits longer for the others, at random."""

_PAUSE: Final[Seconds] = 0.1

POWER_CUT: Final = (
    "NATS flushes its files every two minutes, unless 'sync_interval: always' is set: a power cut "
    "of all servers before that brings them back"
)


class NatsStore:
    """Records in the messages of a stream.

    Args:
        place: the servers and the stream.
    """

    capabilities: ClassVar[Capability] = (
        Capability.OWNERS
        | Capability.SCAN
        | Capability.NATIVE_EXPIRY
        | Capability.SHARED
        | Capability.NETWORK
        | Capability.DURABLE
        | Capability.FEED
    )

    def __init__(self, place: NatsPlace) -> None:
        self.name = place.endpoint.name
        self._place = place
        self._client = NatsClient(place.endpoint)
        self._stream = NatsStream(self._client, place)
        self._rows = NatsRows(self._stream, place)
        self._tokens = ReadTokens()

    @classmethod
    def from_url(cls, url: str) -> "NatsStore":
        """Return the store of ``nats://user:password@one:4222,two,three/bucket``, or ``nats+tls``.

        Options: ``copies``, ``timeout``, ``connect_timeout``, ``credentials``; ``ca``, ``cert`` and
        ``key`` with TLS.
        """
        return cls(place_of(url))

    async def read(self, key: Key) -> Record | Corrupt | None:
        """Return the record of that key, from the leader."""
        row = await self._rows.get(key)
        if row.value is None:
            return None
        self._tokens.note(key, row.value, row.seq)
        return unpack(row.value, key)

    async def create(self, record: Record) -> None:
        """Store a new record."""
        expected = 0
        while not await self._stream.store(
            "create", self._rows.session(record.key, expected, record)
        ):
            row = await self._rows.get(Key(record.key))
            if row.value is not None:
                raise KeyTaken(record.key)
            expected = row.seq

    async def commit(self, change: Change) -> CommitResult:
        """Replace the record if its version is the expected one: one trip if it was just read.

        Now and then it is seen besides that its owner's index has it: whoever can write the stream
        could hide it from its owner. Each one is touched, or has its ticket rotated.
        """
        owner = change.record.index_owner
        if owner is None or change.set or change.removed:
            return await self._commit(change)
        keep = partial(self._keep, owner, change.record)
        flows: list[Callable[[], Flow[Any]]] = [partial(self._commit, change), keep]
        answer, _ = await together("nats commit", flows)
        return cast("CommitResult", answer)

    async def _keep(self, owner: str, record: Record) -> None:
        """Enter a session into its owner's index, if it is missing."""
        with suppress(StoreUnavailable):
            index, seq = await self._rows.get_index(owner)
            if not any(entry.key == record.key for entry in index.entries):
                longer = index.with_entry(entry_of(record, index))
                await self._stream.store("keep", self._rows.index(owner, seq, longer))

    async def _commit(self, change: Change) -> CommitResult:
        record, key, blob = change.record, Key(change.record.key), pack(change.record)
        start = version_start(blob, key, change.expected)
        seq = self._tokens.take(key, start)
        while True:
            if seq is not None:
                stored = await self._stream.store(
                    "commit", self._rows.session(key, seq, record, blob)
                )
                if stored:
                    self._tokens.note(key, blob, stored)
                    return COMMITTED
            row = await self._rows.get(key)
            if row.value is None:
                return GONE
            if not row.value.startswith(start):
                current = unpack(row.value, key)
                return current if isinstance(current, Corrupt) else Conflict(current)
            seq = row.seq

    async def replace(self, replacement: Replacement) -> ReplaceResult:
        """Store a new record in the place of an old one, in one batch."""
        for number in range(ATTEMPTS):
            if number:
                await pause(_PAUSE * min(number, _CROWD) / _CROWD * _share())
            login = NatsLogin(self._rows, replacement)
            await login.plan()
            stored = not login.messages or await self._stream.store("replace", *login.messages)
            if stored and login.result is not None:
                return login.result
        raise LostRace(replacement.new.key, attempts=ATTEMPTS)

    async def delete(
        self, key: Key, owner: str | None = None, *, leaving: Record | None = None
    ) -> Record | Corrupt | None:
        """Remove the record, and its entry in the index."""
        while True:
            (row,), indexes = await self._rows.look([key], [] if owner is None else [owner])
            messages: list[StreamMessage] = []
            if row.value is not None:
                messages.append(self._rows.session(key, row.seq, leaving))
            for each, (index, seq) in indexes.items():
                if (left := index.without({key})) != index:
                    messages.append(self._rows.index(each, seq, left))
            if not messages or await self._stream.store("delete", *messages):
                return None if row.value is None else unpack(row.value, key)

    async def end_everybody(self) -> str | None:
        """Purge the stream; then tell whoever follows it, whom a purge does not tell."""
        await self._stream.make_ready()
        await self._stream.purge()
        await self._stream.store("tell", StreamMessage(self._place.everybody, b"", None, ENDED_TTL))
        return POWER_CUT

    def open_feed(
        self,
        timer: Callable[[], Seconds],
        wanted: Callable[[], Collection[Key]],  # noqa: ARG002  (it is told of every one)
    ) -> FeedConnection:
        """Listen to what is stored."""
        run(self._stream.make_ready())
        return self._open_keys(timer)

    def open_mirror(self, timer: Callable[[], Seconds], mirror: Mirror) -> FeedConnection:
        """Listen to what is stored, and to all that is there already."""
        run(self._stream.make_ready())
        return mirror.follow(partial(self._open_keys, timer), partial(self._open_records, timer))

    def _open_keys(self, timer: Callable[[], Seconds]) -> NatsFeed:
        listener, beats = listen(self._client, [self._place])
        return NatsFeed(listener, self._place.endpoint, beats, timer)

    def _open_records(self, timer: Callable[[], Seconds], writer: MirrorWriter) -> NatsMirrorFeed:
        """Listen from where a mirror has the stream, or to all that is there.

        While a heartbeat stands where it was told, everything before it does, and what was stored
        since is there, or something newer: it goes before any end does (``ENDED_TTL``).
        """
        last = writer.position
        is_known = last is not None and run(self._rows.has(last.beat, last.seq))
        if not is_known:
            writer.clear()
        after = last.seq if last is not None and is_known else 0
        listener, beats = listen(self._client, [self._place], after=after)
        return NatsMirrorFeed(listener, self._place.endpoint, beats, timer, writer)

    async def owned_by(self, owner: str, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of the owner's records.

        Where one of them has gone since its entry was read, it may go on under another key: so the
        page is read again, until the index is the same.
        """
        after, seen = int(cursor or 0), -1
        while True:
            index, seq = await self._rows.get_index(owner)
            entries = [entry for entry in index.entries if entry.number > after][:batch]
            rows = await self._page([entry.key for entry in entries])
            found = [
                None if row.value is None else unpack(row.value, entry.key)
                for entry, row in zip(entries, rows, strict=False)
            ]
            records = [record for record in found if record is not None and is_session(record)]
            if len(records) == len(rows) or seq == seen:
                break
            seen = seq
        is_full = len(rows) == batch or len(rows) < len(entries)
        return Page(records, str(entries[len(rows) - 1].number) if is_full else None)

    async def delete_owned(
        self,
        owner: str,
        *,
        keep: Collection[str] = (),
        before: Key | None = None,
        batch: int = 250,
    ) -> Deleted:
        """Remove some of the owner's sessions, in one batch."""
        while True:
            index, seq = await self._rows.get_index(owner)
            keys = [entry.key for entry in index.entries]
            if before is not None:
                keys = keys[: keys.index(before)] if before in keys else []
            wanted = [key for key in keys if key not in keep][:batch]
            rows = await self._page(wanted)
            chosen = dict(zip(wanted, rows, strict=False))
            found = {
                key: unpack(row.value, key) for key, row in chosen.items() if row.value is not None
            }
            ended = [key for key, record in found.items() if is_session(record)]
            messages = [self._rows.session(key, chosen[key].seq, None) for key in ended]
            if chosen:
                messages.append(self._rows.index(owner, seq, index.without(chosen)))
            if not messages or await self._stream.store("delete_owned", *messages):
                removed = tuple(key for key in ended if isinstance(found[key], Record))
                return Deleted(removed, len(chosen) == batch or len(chosen) < len(wanted))

    async def scan(self, cursor: str | None = None, batch: int = 100) -> Page:
        """Return a page of all records, in the order of their last changes.

        One that is changed meanwhile is found again behind: it is on a page all the same.
        """
        seq, size = int(cursor or 1), 0
        records: list[Record | Corrupt] = []
        while len(records) < batch and size < PAGE_BYTES:
            found = await self._rows.next(seq)
            if found is None:
                return Page(records, None)
            key, row = found
            seq = row.seq + 1
            if row.value is not None:
                size += len(row.value)
                records.append(unpack(row.value, key))
        return Page(records, str(seq))

    async def count(self) -> int:
        """Return about how many there are: what has ended within the last minute is counted."""
        return await self._rows.count()

    async def size(self) -> StoreSize:
        """Return that number, and the bytes of the stream's messages, as one server has them."""
        records = await self._rows.count()
        return StoreSize(records, (await self._stream.info()).state.bytes, is_estimate=True)

    async def sweep(
        self,
        now: Instant,  # noqa: ARG002  (the server removes what is past its deadline)
        batch: int = 1000,  # noqa: ARG002
    ) -> int:
        """Leave it to the servers."""
        self._client.check_open()
        return 0

    async def ping(self) -> None:
        """Ask the leader for a session that there is not."""
        await self._rows.get(Key("ping"))

    async def server_time(self) -> Instant:
        """Return the time of the stream's leader."""
        return await self._stream.time()

    async def diagnose(self) -> list[Finding]:
        """Look at the server, and at the stream."""
        info = await look_at_followers(self._stream, self._place)
        servers = await self._stream.servers()
        return list(diagnose(self._place, servers, [info]))

    async def placement(self, key: Key) -> Placement:  # noqa: ARG002  (all are in one stream)
        """Ask about the stream."""
        info = await look_at_followers(self._stream, self._place)
        return placement_of(self._place.stream, info)

    async def close(self) -> None:
        """Close every connection of this process."""
        await self._client.close()

    def keep_secret(self, fresh: bytes) -> bytes | None:  # noqa: ARG002
        """Refuse: the servers that share this store would each draw their own."""
        return None

    async def _page(self, keys: Sequence[Key]) -> list[NatsRow]:
        """Return some rows, up to the one that makes a page of them."""
        size = 0
        found: list[NatsRow] = []
        for at in range(0, len(keys), _TOGETHER):
            for row in await self._rows.get_all(keys[at : at + _TOGETHER]):
                found.append(row)
                size += len(row.value or b"")
                if size >= PAGE_BYTES:
                    return found
        return found


_TOGETHER: Final = 8
"""Rows that are asked for in one trip, where their bytes are counted."""


def _share() -> float:
    """Return a share of a pause, drawn so that rivals do not come back together."""
    return system.entropy(1)[0] / 255
