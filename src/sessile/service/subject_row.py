"""A row about a subject, beside the sessions: an owner's known devices or evidence, or a server.

It is sealed and proved as any record. It stands in no index, under an id that no ticket was drawn
for. ``service.devices``, ``service.evidence`` and ``service.server_row`` say what is in it.
"""

import base64
import hashlib
from typing import Final

import msgspec

from sessile.core.record import FORMAT, Record, RecordKind
from sessile.core.ticket import Key
from sessile.core.value import Instant
from sessile.errors import KeyTaken
from sessile.service.context import Context
from sessile.stores.contract import Change, Committed, Corrupt

_WORDS: Final = {
    RecordKind.DEVICES: "devices",
    RecordKind.EVIDENCE_LIST: "evidence",
    RecordKind.SERVER: "server",
}
"""What the values of each kind are called, and its key is made of."""


class SubjectRow(msgspec.Struct, frozen=True):
    """One row, as it was found.

    Attributes:
        kind: of what.
        key: where it stands.
        record: as it is stored; None where there is none.
        value: what is in it; empty where there is none.
        is_forged: whether something stands there that is not genuine, which is none.
        forged: when that was written, by its own word; None where it has none.
    """

    kind: RecordKind
    key: Key
    record: Record | None
    value: bytes
    is_forged: bool = False
    forged: Instant | None = None


async def read_row(context: Context, kind: RecordKind, subject: str, now: Instant) -> SubjectRow:
    """Return a subject's row; one that is not genuine is removed, and is none."""
    row = await find_row(context, kind, subject, now)
    if row.is_forged:
        await context.store.delete(row.key)
    return row


async def find_row(context: Context, kind: RecordKind, subject: str, now: Instant) -> SubjectRow:
    """Return a subject's row; one that is not genuine is told, and is left where it is."""
    key = key_of(kind, subject)
    found = await context.store.read(key)
    record = context.intact(found)
    is_forged = isinstance(found, Record | Corrupt) and record is None
    values = None if record is None or record.kind is not kind else context.unseal(record, now)
    value = (values or {}).get(_WORDS[kind], b"")
    forged = found.seen if is_forged and isinstance(found, Record) else None
    return SubjectRow(kind, key, record, value, is_forged, forged)


async def write_row(
    context: Context, row: SubjectRow, value: bytes, now: Instant, until: Instant
) -> bool:
    """Put a value into a row, kept until then; tell whether no rival wrote since it was read."""
    draft, written = _draft(context, row, value, now, until)
    if row.record is not None:
        result = await context.store.commit(Change(draft, row.record.version, written))
        return isinstance(result, Committed)
    try:
        await context.store.create(draft)
    except KeyTaken:
        return False
    return True


def _draft(
    context: Context, row: SubjectRow, value: bytes, now: Instant, until: Instant
) -> tuple[Record, dict[str, bytes]]:
    version = 1 if row.record is None else row.record.version + 1
    blank = Record(FORMAT, row.key, version, now, now, until, until, bytes(32), now, kind=row.kind)
    return context.sealer.seal(blank, {_WORDS[row.kind]: value}, frozenset())


def key_of(kind: RecordKind, subject: str) -> Key:
    """Return where a subject's row of that kind stands: an id that no ticket was drawn for."""
    word = _WORDS[kind]
    digest = hashlib.sha256(f"sessile {word}{subject}".encode()).digest()[:15]
    return Key(word[0].upper() + base64.urlsafe_b64encode(digest).decode()[1:])
