"""Remember a user's devices, and tell of a login from one that is not known."""

import base64
import hashlib
from contextlib import suppress
from typing import Final

import msgspec

from sessile.core.address import subnet
from sessile.core.client import Client
from sessile.core.record import FORMAT, Record, RecordKind
from sessile.core.ticket import Key
from sessile.core.value import Instant
from sessile.errors import KeyTaken, StoreUnavailable
from sessile.service.context import Context
from sessile.service.events import NewDevice
from sessile.stores.contract import Change

_MOST: Final = 32
_FIELD: Final = "devices"
_Known = dict[tuple[str, str], Instant]
"""A device and its network, and when it was last seen."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[tuple[str, str, Instant]]).decode


async def note_device(context: Context, record: Record, now: Instant) -> None:
    """Tell of a device that is new to the owner of a fresh session, and know it from now on.

    The first login of a user tells nothing: there is nothing to compare with. A store that fails,
    or a rival that writes first, costs a memory and no login.
    """
    lasts = context.policy.know_devices
    if lasts is None or record.owner is None:
        return
    with suppress(StoreUnavailable, KeyTaken):
        key = _key(record.owner)
        found = await context.store.read(key)
        row = context.intact(found)
        if found is not None and row is None:
            await context.store.delete(key)
        known = _decode_devices(context, row, now - lasts)
        _emit_new(context, record, known, now)
        draft, written = _draft(context, record, row, _with(known, record.client, now), now + lasts)
        if row is None:
            await context.store.create(draft)
        else:
            await context.store.commit(Change(draft, row.version, written))


def _emit_new(context: Context, record: Record, known: _Known, now: Instant) -> None:
    client = record.client
    strange = client.device not in {device for device, _ in known}
    elsewhere = subnet(client.address) not in {network for _, network in known}
    if known and (strange or elsewhere):
        key, owner, device = Key(record.key), record.owner or "", record.device_name
        context.emit(NewDevice(now, key, owner, device, strange, elsewhere, client=client))


def _draft(
    context: Context, record: Record, row: Record | None, known: _Known, until: Instant
) -> tuple[Record, dict[str, bytes]]:
    blob = _encode([(device, network, seen) for (device, network), seen in known.items()])
    version, now = 1 if row is None else row.version + 1, record.created
    key = _key(record.owner or "")
    blank = Record(
        FORMAT, key, version, now, now, until, until, bytes(32), now, kind=RecordKind.DEVICES
    )
    return context.sealer.seal(blank, {_FIELD: blob}, frozenset())


def _decode_devices(context: Context, row: Record | None, since: Instant) -> _Known:
    values = None if row is None else context.unseal(row, since)
    if not values or row is None or row.kind is not RecordKind.DEVICES:
        return {}
    try:
        lines = _decode(values.get(_FIELD, b""))
    except msgspec.DecodeError:
        return {}
    return {(device, network): seen for device, network, seen in lines if seen >= since}


def _with(known: _Known, client: Client, now: Instant) -> _Known:
    here = (client.device, subnet(client.address))
    latest = sorted((known | {here: now}).items(), key=lambda item: item[1])
    return dict(latest[-_MOST:])


def _key(owner: str) -> Key:
    """Return where a user's devices are remembered: an id that no ticket was drawn for."""
    digest = hashlib.sha256(b"sessile devices" + owner.encode()).digest()[:15]
    return Key("D" + base64.urlsafe_b64encode(digest).decode()[1:])
