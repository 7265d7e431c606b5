"""A row about an owner, beside the sessions: the known devices, or the list of evidence.

It is sealed and proved as any record. It stands in no index, under an id that no ticket was drawn
for. ``service.devices`` and ``service.evidence`` say what is in it.
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
from sessile.stores.contract import Change, Committed

_WORDS: Final = {RecordKind.DEVICES: "devices", RecordKind.EVIDENCE_LIST: "evidence"}
"""What the values of each kind are called, and its key is made of."""


class OwnerRow(msgspec.Struct, frozen=True):
    """One row, as it was found.

    Attributes:
        kind: of what.
        key: where it stands.
        record: as it is stored; None where there is none.
        value: what is in it; empty where there is none.
    """

    kind: RecordKind
    key: Key
    record: Record | None
    value: bytes


async def read_row(context: Context, kind: RecordKind, owner: str, now: Instant) -> OwnerRow:
    """Return an owner's row; one that is not genuine is removed, and is none."""
    key = key_of(kind, owner)
    found = await context.store.read(key)
    record = context.intact(found)
    if found is not None and record is None:
        await context.store.delete(key)
    values = None if record is None or record.kind is not kind else context.unseal(record, now)
    return OwnerRow(kind, key, record, (values or {}).get(_WORDS[kind], b""))


async def write_row(
    context: Context, row: OwnerRow, value: bytes, now: Instant, until: Instant
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
    context: Context, row: OwnerRow, value: bytes, now: Instant, until: Instant
) -> tuple[Record, dict[str, bytes]]:
    version = 1 if row.record is None else row.record.version + 1
    blank = Record(FORMAT, row.key, version, now, now, until, until, bytes(32), now, kind=row.kind)
    return context.sealer.seal(blank, {_WORDS[row.kind]: value}, frozenset())


def key_of(kind: RecordKind, owner: str) -> Key:
    """Return where a user's row of that kind stands: an id that no ticket was drawn for."""
    word = _WORDS[kind]
    digest = hashlib.sha256(f"sessile {word}{owner}".encode()).digest()[:15]
    return Key(word[0].upper() + base64.urlsafe_b64encode(digest).decode()[1:])
