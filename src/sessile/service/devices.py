"""Remember a user's devices, and tell of a login from one that is not known."""

import base64
import hashlib
from contextlib import suppress
from typing import Final

import msgspec

from sessile.core.address import subnet
from sessile.core.change import Change
from sessile.core.client import Client
from sessile.core.record import FORMAT, Over, Record
from sessile.core.ticket import Key
from sessile.core.value import Instant
from sessile.errors import KeyTaken, StoreUnavailable
from sessile.service.events import NewDevice
from sessile.service.parts import Parts
from sessile.service.unseal import opened

_MOST: Final = 32
_FIELD: Final = "devices"
_Known = dict[tuple[str, str], Instant]
"""A device and its network, and when it was last seen."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[tuple[str, str, Instant]]).decode


async def introduce(parts: Parts, record: Record, now: Instant) -> None:
    """Tell of a device that is new to the owner of a fresh session, and know it from now on.

    The first login of a user tells nothing: there is nothing to compare with. A store that fails,
    or a rival that writes first, costs a memory and no login.
    """
    lasts = parts.policy.know_devices
    if lasts is None or record.owner is None:
        return
    with suppress(StoreUnavailable, KeyTaken):
        row = await parts.store.read(_key(record.owner), now)
        known = _known(parts, row, now - lasts)
        _tell(parts, record, known, now)
        draft, written = _written(parts, record, row, _with(known, record.client, now), now + lasts)
        if row is None:
            await parts.store.create(draft)
        else:
            await parts.store.commit(Change(draft, row.version, written))


def _tell(parts: Parts, record: Record, known: _Known, now: Instant) -> None:
    client = record.client
    strange = client.device not in {device for device, _ in known}
    elsewhere = subnet(client.address) not in {network for _, network in known}
    if known and (strange or elsewhere):
        key, owner, device = Key(record.key), record.owner or "", record.device_name
        parts.tell(NewDevice(now, key, owner, device, strange, elsewhere, client=client))


def _written(
    parts: Parts, record: Record, row: Record | None, known: _Known, until: Instant
) -> tuple[Record, dict[str, bytes]]:
    blob = _encode([(device, network, seen) for (device, network), seen in known.items()])
    version, now = 1 if row is None else row.version + 1, record.created
    key = _key(record.owner or "")
    blank = Record(FORMAT, key, version, now, now, until, until, bytes(32), now, over=Over.MEMORY)
    return parts.sealer.seal(blank, {_FIELD: blob}, frozenset())


def _known(parts: Parts, row: Record | None, since: Instant) -> _Known:
    values = None if row is None else opened(parts, row, since)
    if not values or row is None or row.over is not Over.MEMORY:
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
