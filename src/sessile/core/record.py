"""The record: the frozen row that every store keeps for one session, and its bytes.

A store reads and writes whole records; ``stores.contract`` says what a commit carries and
``core.verdict`` judges a presented ticket against one.
"""

from enum import IntEnum
from typing import Final, Literal

import msgspec

from sessile.core.address import is_same_family
from sessile.core.client import NOBODY, Client
from sessile.core.identity import Identity, Pending
from sessile.core.ticket import Key, is_key
from sessile.core.trail import Trail, pack_trail, unpack_trail
from sessile.core.value import Instant, Seconds


class RecordKind(IntEnum):
    """What a record is. A session alone opens anything."""

    SESSION = 0
    TOMBSTONE = 1  # logged out, or replaced at login, a moment ago; late requests are known by it
    EVIDENCE = 2  # of a session that was ended for theft: its trail
    DEVICES = 3  # of an owner, under a key that no ticket has
    EVIDENCE_LIST = 4  # of an owner: which there is; under another such key
    MOVING = 5  # a session on its way to another store; see ``stores.moving``
    SERVER = 6  # of a server, or the names of all; under a key that no ticket has


SESSION: Final = RecordKind.SESSION  # a look into an enum costs six times one into a module
_MOVING: Final = RecordKind.MOVING


class Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """One session, as stored. Times are seconds since 1970 in UTC.

    Attributes:
        key: the selector; a record found under another key is malformed.
        version: 1 at creation, one more with each commit.
        created: when the session was made.
        seen: when it was last used, to a twentieth of the idle time.
        idle_until: the session ends here unless it is used before.
        until: the session ends here whatever happens.
        digest: SHA-256 of the current verifier (32 bytes).
        rotated: when the current verifier was made.
        confirmed: when the client first presented the current verifier; None until then.
        owner: the user, or None for an anonymous session.
        assurance: 0 anonymous, 1 and up as the login said.
        authenticated_at: when the user proved who they are.
        persistent: the cookie outlives the browser.
        device: what the login called the client, as in ``"My phone"``; empty when it did not.
        data: key to encoded value, sealed when sealing is on.
        kind: a session, or what one left behind for a while.
        client: the client that used it last, and that it is bound to.
        factors: what the owner gave at the login, as in ``("password", "totp")``.
        pending: a login that is half finished.
        grants: for each purpose that a step-up allowed, until when.
        parent: the digest before the latest rotation; empty before the first, and once polls have
            used the current ticket for longer than a moment.
        past: the trail's bytes; ``trail`` unpacks them.
        confirmed_before: when the tickets before the current one were first presented, newest
            first, as far as a request with an older one may still be on its way.
        replayed: when a used ticket of it came back, and locked it; None where none did.
        other_address: where the client was before, in the other address family; empty if in none.
        moved: when it last came from a new place; None if that is two tickets ago, or its owner has
            proved since who they are.
        proof: code under the key ring over all the others; it is the last field (see
            ``codecs.sealing``), and a record without it is nobody's.
        format: the layout's number; another one is malformed.
    """

    format: Literal[4]
    key: str
    version: int
    created: Instant
    seen: Instant
    idle_until: Instant
    until: Instant
    digest: bytes
    rotated: Instant
    confirmed: Instant | None = None
    owner: str | None = None
    assurance: int = 0
    authenticated_at: Instant | None = None
    persistent: bool = False
    device: str = ""
    data: dict[str, bytes] = {}
    kind: RecordKind = RecordKind.SESSION
    client: Client = NOBODY
    factors: tuple[str, ...] = ()
    pending: Pending | None = None
    grants: dict[str, Instant] = {}
    parent: bytes = b""
    past: bytes = b""
    confirmed_before: tuple[Instant, ...] = ()
    replayed: Instant | None = None
    other_address: str = ""
    moved: Instant | None = None
    proof: bytes = b""

    @property
    def device_name(self) -> str:
        """What to call the client: as the login did, or by its User-Agent."""
        return self.device or self.client.device

    @property
    def index_owner(self) -> str | None:
        """In whose index it stands; None where it is no session, or nobody's."""
        return self.owner if self.kind is SESSION or self.kind is _MOVING else None

    @property
    def bound(self) -> bool:
        """Whether it knows its client: somebody is logged in to it, or about to be."""
        return self.owner is not None or self.pending is not None

    @property
    def settled_address(self) -> str:
        """The other address as far as it counts for those who hold a used ticket.

        Who came from there lately may have a copy of that ticket, and be somebody else.
        """
        return self.other_address if self.moved is None else ""

    @property
    def expires(self) -> Instant:
        """The earlier of the two deadlines."""
        return min(self.idle_until, self.until)

    def live_at(self, now: Instant) -> bool:
        """Tell whether the session lives; at its deadline it no longer does."""
        return now < self.idle_until and now < self.until

    @property
    def presented(self) -> bool:
        """Whether its client has shown a ticket of it yet: no more than that can change it."""
        return self.version > 1 or self.confirmed is not None

    def is_unclaimed(self, now: Instant) -> bool:
        """Tell whether it is nobody's by now: made a while ago, and never presented."""
        return _is_unclaimed(self, now)

    @property
    def trail(self) -> Trail:
        """What was done with the session, when and from where."""
        return unpack_trail(self.past)

    @property
    def identity(self) -> Identity:
        """Who it belongs to."""
        return Identity(
            self.owner, self.assurance, self.authenticated_at, self.factors, self.persistent,
            self.device, self.pending, self.grants,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<Record {self.key} version {self.version}>"


FORMAT: Final = 4

LATE_TTL: Final[Seconds] = 600.0
"""How long a record stays at least when its time is over, for requests that are under way."""

UNCLAIMED_TTL: Final[Seconds] = 70.0
"""How long a new session counts as its user's though nobody has shown its ticket: ten seconds, and
the minute by which clocks may differ. Then the answer of its login was lost, most likely."""

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Record)


_REPLACED_BY: Final = "heir"  # the words that stored tombstones have for it
_LOGIN: Final = "login"
_RETRY: Final = "retry"

TOMBSTONE_TTL: Final[Seconds] = 120.0
"""How long a tombstone is kept: longer than an answer may be on its way."""

LONGEST_WALK: Final = 4096
"""Tombstones that are followed from one session to the next. Genuine ones never lead back, and no
client steps up so often within their time."""


def tombstone(
    key: Key,
    now: Instant,
    replacement: Key | None = None,
    digest: bytes = bytes(32),
    *,
    login: bool = False,
    retry: bool = False,
) -> Record:
    """Return the tombstone of a session that was replaced or logged out, for its key.

    Its version is one that no commit of a request expects.

    Args:
        key: the session's.
        now: when it ended.
        replacement: the session in the place of it, if there is one.
        digest: that of the last ticket, if there is a replacement, for the client that holds it
            still: its logout ends a session that goes on there, and its login, made again because
            the answer was lost, finds the values.
        login: whether the replacement is a new login, in which the session does not go on.
        retry: whether it is the same login, made once more before anybody had presented this one:
            a client that receives this one's ticket after all is handed the other's.
    """
    end, data = now + TOMBSTONE_TTL, {}
    if replacement is not None:
        data[_RETRY if retry else _LOGIN if login else _REPLACED_BY] = replacement.encode()
    return Record(
        FORMAT, key, 0, now, now, end, end, digest, now, data=data, kind=RecordKind.TOMBSTONE
    )


def replacement_of(record: Record) -> Key | None:
    """Return the session in which that of a tombstone goes on; None where it ended."""
    return _target(record, _REPLACED_BY) or _target(record, _RETRY)


def retry_of(record: Record) -> Key | None:
    """Return the login that was made in the place of this one's, which may have been lost."""
    return _target(record, _RETRY)


def login_of(record: Record) -> Key | None:
    """Return the login that took the place of the session of a tombstone; None where none did."""
    return _target(record, _LOGIN)


def _target(record: Record, word: str) -> Key | None:
    if record.kind is not RecordKind.TOMBSTONE:
        return None
    key = record.data.get(word, b"").decode("ascii", "replace")
    return Key(key) if is_key(key) else None


def evidence(stolen: Record, now: Instant, lasts: Seconds, trail: Trail) -> Record:
    """Return the evidence of a session that was ended for theft: whose it was, and its trail.

    That of nobody's session, which is counted nowhere, is kept no longer than the session itself.
    """
    end = now + lasts if stolen.owner is not None else min(now + lasts, stolen.until)
    return Record(
        FORMAT, stolen.key, 0, stolen.created, now, end, end, bytes(32), now,
        owner=stolen.owner, device=stolen.device, kind=RecordKind.EVIDENCE, client=stolen.client,
        past=pack_trail(trail),
    )  # fmt: skip


def pack(record: Record) -> bytes:
    """Return the record's bytes (MessagePack)."""
    return _encoder.encode(record)


class Corrupt(msgspec.Struct, frozen=True):
    """The answer where a row is no record of its key. It is never taken for a session.

    Attributes:
        key: whose row it is.
    """

    key: Key


def unpack(blob: bytes, key: Key) -> Record | Corrupt:
    """Return the record of that key. Truncated, foreign, swapped or another format: ``Corrupt``."""
    try:
        record = _decoder.decode(blob)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Corrupt(key)
    return record if record.key == key and len(record.digest) == 32 else Corrupt(key)


class Head(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The beginning of a record, which tells whether it lives. Its fields are those of a record."""

    format: Literal[4]
    key: str
    version: int
    created: Instant
    seen: Instant
    idle_until: Instant
    until: Instant
    digest: bytes
    rotated: Instant
    confirmed: Instant | None

    def live_at(self, now: Instant) -> bool:
        """Tell whether it is a session, and lives; what an end has left has a version below 1."""
        return self.version > 0 and now < self.idle_until and now < self.until

    def is_unclaimed(self, now: Instant) -> bool:
        """Tell whether it is nobody's by now: see ``Record.is_unclaimed``."""
        return _is_unclaimed(self, now)


def _is_unclaimed(one: Record | Head, now: Instant) -> bool:
    # one that goes on from another, by a step-up, is older than its ticket: its user is at work
    is_new = one.version == 1 and one.confirmed is None and one.created == one.rotated
    return is_new and now >= one.rotated + UNCLAIMED_TTL


HEAD_BYTES: Final = 128
"""The beginning of a record's bytes that has its ``Head``."""

_WIDTHS: Final = {0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5,
                  0xD3: 9}  # fmt: skip
"""How many bytes a number of MessagePack has, by the first of them; others have one."""

_DIGEST: Final = 34  # bytes, with the two before it
_head_decoder: Final = msgspec.msgpack.Decoder(Head)
_HEAD_ARRAY: Final = bytes((0x90 | len(Head.__struct_fields__),))


def head_of(start: bytes, key: str) -> Head | None:
    """Return the head of the record that begins so; None where it is none of that key.

    However long the record is, its first ``HEAD_BYTES`` are enough.
    """
    at = 5 + len(key)  # behind the array's three bytes, the format, and the key with its length
    try:
        for numbers, more in ((5, _DIGEST), (2, 0)):
            for _ in range(numbers):
                at += _WIDTHS.get(start[at], 1)
            at += more
        head = _head_decoder.decode(_HEAD_ARRAY + start[3:at])
    except (IndexError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return head if head.key == key else None


def other_address(record: Record, client: Client) -> str:
    """Return the other address of a record's client, once that is where this client is."""
    was = record.client.address
    if not was or not client.address or is_same_family(was, client.address):
        return record.other_address
    return was


evolve: Final = msgspec.structs.replace
"""Returns a record with some fields changed: ``evolve(record, seen=now)``."""
