"""Remember a user's devices, and tell of a login from one that is not known."""

from contextlib import suppress
from typing import Final

import msgspec

from sessile.core.address import subnet
from sessile.core.client import Client
from sessile.core.record import Record, RecordKind
from sessile.core.ticket import Key
from sessile.core.value import Instant
from sessile.errors import StoreUnavailable
from sessile.service.context import Context
from sessile.service.events import NewDevice
from sessile.service.subject_row import SubjectRow, read_row, write_row

MOST_DEVICES: Final = 32
"""Devices, each with its network, that are remembered of a user: the latest."""

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
    with suppress(StoreUnavailable):
        row = await read_row(context, RecordKind.DEVICES, record.owner, now)
        known = _devices(row, now - lasts)
        _emit_new(context, record, known, now)
        value = _encode_devices(_with(known, record.client, now))
        await write_row(context, row, value, record.created, now + lasts)


def _emit_new(context: Context, record: Record, known: _Known, now: Instant) -> None:
    client = record.client
    strange = client.device not in {device for device, _ in known}
    elsewhere = subnet(client.address) not in {network for _, network in known}
    if known and (strange or elsewhere):
        key, owner, device = Key(record.key), record.owner or "", record.device_name
        context.emit(NewDevice(now, key, owner, device, strange, elsewhere, client=client))


def _devices(row: SubjectRow, since: Instant) -> _Known:
    try:
        lines = _decode(row.value) if row.value else []
    except msgspec.DecodeError:
        return {}
    return {(device, network): seen for device, network, seen in lines if seen >= since}


def _encode_devices(known: _Known) -> bytes:
    return _encode([(device, network, seen) for (device, network), seen in known.items()])


def _with(known: _Known, client: Client, now: Instant) -> _Known:
    here = (client.device, subnet(client.address))
    latest = sorted((known | {here: now}).items(), key=lambda item: item[1])
    return dict(latest[-MOST_DEVICES:])
