"""What a session and an owner's index are in a stream: one message each, under a subject.

One that says ``ENDED`` says that what stood there has ended; the server removes it after a while.
Each message is stored on the condition that the one before it has a certain sequence, which none
other ever has: so it is compared and set.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from sessile.core.flow import Flow
from sessile.stores.contract import LATE_TTL, Instant, Key, Record, pack
from sessile.stores.nats_stream import NatsStream
from sessile.stores.nats_url import NatsPlace
from sessile.stores.row import milliseconds, owner_digest, row_lifetime
from sessile.wire.nats.messages import (
    NO_MESSAGE,
    NO_STREAM,
    PENDING,
    GetAnswer,
    StoredMessage,
    StreamMessage,
)
from sessile.wire.nats.version import BEHIND, numbers_of
from sessile.wire.opaque import Opaque
from sessile.wire.together import for_each, together

ENDED: Final = b"ended"
"""What stands where something has ended."""

ENDED_TTL: Final = 60
"""Seconds for which it stands there, so that whoever follows the stream is told."""


class NatsRow(msgspec.Struct, frozen=True):
    """What stands under a subject.

    Attributes:
        seq: of its message; 0 where there is none.
        value: its bytes; None where there is none, or what was there has ended.
    """

    seq: int = 0
    value: bytes | None = None

    def __repr__(self) -> str:
        return f"<NatsRow {self.seq}>"


class StreamIndexEntry(msgspec.Struct, frozen=True, array_like=True):
    """A session in its owner's index.

    Attributes:
        number: of the login that entered it; no other entry of that owner ever has it.
        key: the session's.
        until: when it is over at the latest.
        lasts: seconds for which the server keeps the entry, from the index's latest change on.
    """

    number: int
    key: Key
    until: Instant
    lasts: int


class StreamIndex(msgspec.Struct, frozen=True, array_like=True):
    """The sessions of an owner, oldest login first.

    Attributes:
        entries: theirs.
        last: the number of the newest login there ever was.
    """

    entries: tuple[StreamIndexEntry, ...] = ()
    last: int = 0

    def with_entry(self, entry: StreamIndexEntry) -> "StreamIndex":
        """Return the index with one more session, the newest."""
        return StreamIndex((*self.entries, entry), entry.number)

    def without(self, keys: Collection[str]) -> "StreamIndex":
        """Return the index without some sessions."""
        return StreamIndex(
            tuple(entry for entry in self.entries if entry.key not in keys), self.last
        )

    def alive(self, now: Instant) -> "StreamIndex":
        """Return the index without what is over, and with the server no more."""
        entries = (entry for entry in self.entries if entry.until + LATE_TTL > now)
        return StreamIndex(tuple(entries), self.last)


_decode = msgspec.msgpack.Decoder(StreamIndex).decode


class NatsRows:
    """The messages of a stream.

    Args:
        stream: that.
        place: its subjects.
    """

    def __init__(self, stream: NatsStream, place: NatsPlace) -> None:
        self._stream = stream
        self._sessions, self._owners = place.sessions, place.owners
        self._ending = f"{place.subjects}ending"

    async def get(self, key: Key) -> NatsRow:
        """Return the row of a session."""
        return await self._get({"last_by_subj": self._sessions + key})

    async def get_all(self, keys: Sequence[Key]) -> list[NatsRow]:
        """Return the rows of some sessions, in their order; many are asked for at once."""
        return await for_each("nats get", keys, self.get)

    async def get_index(self, owner: str, what: str = "get") -> tuple[StreamIndex, int]:
        """Return an owner's index, and its sequence.

        Raises:
            StoreUnavailable: what stands there is no index.
        """
        subject = self._owners + owner_digest(owner).hex()
        row = await self._get({"last_by_subj": subject}, what)
        try:
            index = StreamIndex() if row.value is None else _decode(row.value)
        except msgspec.MsgspecError as error:
            raise self._stream.no_index(subject) from error
        return index, row.seq

    async def look(
        self, keys: Sequence[Key], owners: Collection[str]
    ) -> tuple[list[NatsRow], dict[str, tuple[StreamIndex, int]]]:
        """Return the rows of some sessions, and the indexes of some owners, asked for at once."""
        flows: list[Callable[[], Flow[Any]]] = [partial(self.get, key) for key in keys]
        flows += [partial(self.get_index, owner) for owner in owners]
        found = await together("nats get", flows)
        return found[: len(keys)], dict(zip(owners, found[len(keys) :], strict=True))

    async def next(self, seq: int) -> tuple[Key, NatsRow] | None:
        """Return the first session whose message is at this sequence or behind it."""
        told = await self._ask({"seq": seq, "next_by_subj": f"{self._sessions}*"})
        if told.message is None:
            return None
        key = Key(told.message.subject.removeprefix(self._sessions))
        return key, _row(told.message)

    async def count(self) -> int:
        """Return about how many sessions' messages there are, by one of the stream's servers."""
        await self._stream.make_ready()
        question = {"seq": 1, "next_by_subj": f"{self._sessions}*", "batch": 1}
        told = await self._stream.ask_directly("count", msgspec.json.encode(question))
        if PENDING not in told:
            return 0
        server = await self._stream.server()
        return int(told[PENDING]) + (numbers_of(server.version) >= BEHIND)

    def session(
        self, key: str, expected: int, record: Record | None, blob: bytes = b""
    ) -> StreamMessage:
        """Return the message that puts a record into a row; None ends what is there."""
        if record is None:
            return self.row(key, expected)
        return self.row(key, expected, blob or pack(record), row_lifetime(record))

    def row(
        self, key: str, expected: int, value: bytes | None = None, lasts: int = 0
    ) -> StreamMessage:
        """Return the message that puts bytes into a row for milliseconds; None ends it."""
        subject = self._sessions + key
        if value is None:
            return StreamMessage(subject, ENDED, expected, ENDED_TTL)
        return StreamMessage(subject, Opaque(value), expected, in_seconds(lasts))

    def index(self, owner: str, expected: int, index: StreamIndex) -> StreamMessage:
        """Return the message that puts an owner's index into its row."""
        subject = self._owners + owner_digest(owner).hex()
        lasts = max((entry.lasts for entry in index.entries), default=ENDED_TTL)
        return StreamMessage(subject, Opaque(msgspec.msgpack.encode(index)), expected, lasts)

    async def has(self, subject: str, seq: int) -> bool:
        """Tell whether a message stands there under a subject, and has a certain sequence."""
        return (await self._get({"last_by_subj": subject})).seq == seq

    async def has_ending(self) -> bool:
        """Tell whether everybody is being ended, in several streams of which this is the first."""
        return (await self._get({"last_by_subj": self._ending})).value is not None

    def ending(self, lasts: int) -> StreamMessage:
        """Return the message that says so for some seconds."""
        return StreamMessage(self._ending, b"ending", None, lasts)

    def end_of_ending(self, seq: int | None) -> StreamMessage:
        """Return the message that says that it is over; it takes the place of that one alone."""
        return StreamMessage(self._ending, ENDED, seq, 1)

    async def _get(self, question: dict[str, str | int], what: str = "get") -> NatsRow:
        told = await self._ask(question, what)
        return NatsRow() if told.message is None else _row(told.message)

    async def _ask(self, question: dict[str, str | int], what: str = "get") -> GetAnswer:
        await self._stream.make_ready()
        told = await self._stream.get(question, what)
        if told.error is not None and told.error.err_code != NO_MESSAGE:
            if told.error.err_code == NO_STREAM:
                self._stream.forget()
            raise self._stream.failure(told.error)
        return told


def _row(message: StoredMessage) -> NatsRow:
    return NatsRow(message.seq, None if message.data == ENDED else message.data)


def entry_of(record: Record, index: StreamIndex) -> StreamIndexEntry:
    """Return the entry of a session that comes to stand in an index, as the newest."""
    lasts = in_seconds(milliseconds(record.until, record.seen))
    return StreamIndexEntry(index.last + 1, Key(record.key), record.until, lasts)


def in_seconds(lasts: int) -> int:
    """Return whole seconds, which the server counts, for milliseconds."""
    return max(-(-lasts // 1000), 1)
