"""The record: bytes that somebody may have written to a store, and the sealer that opens them."""

import atheris
import msgspec

from sessile.codecs.sealing import AesGcmSealer, Forged, PlainSealer, Sealer
from sessile.core.client import Client
from sessile.core.identity import Pending
from sessile.core.record import FORMAT, Corrupt, Record, evolve, pack, unpack
from sessile.core.secrets import KeyRing
from sessile.core.ticket import Key
from sessile.core.trail import TrailEntry, pack_trail
from sessile.testing.sample import key, record
from sessile.testing.world import NEWER, SECRET

KEY = key("a")
ANOTHER = Key("another")
CORRUPT = Corrupt(KEY)
RING = KeyRing([SECRET, NEWER])
PLAIN = PlainSealer(RING)
SEALED = AesGcmSealer(RING, bytes)  # nonces of zeros: an input can be repeated
NONE: frozenset[str] = frozenset()

RICH = {
    "owner": "alice",
    "client": Client("192.0.2.1", "Firefox", "Linux", 7),
    "factors": ("password", "totp"),
    "pending": Pending("alice", ("password",), 1.0),
    "grants": {"pay": 1.0},
    "past": pack_trail((TrailEntry(1.0, "logged in"),)),
}
RAW, TAMPERED = b"\0", b"\1"


def seal(values: dict[str, bytes], **fields: object) -> Record:
    """Return a record that holds those values, sealed."""
    return SEALED.seal(record(data={}, **fields), values, NONE)[0]


LONGEST = 512
SEEDS = (
    RAW + pack(record()),
    RAW + pack(record(owner="alice", authenticated_at=1.0, device="curl", data={})),
    RAW + pack(seal({"cart": b"socks", "": b""}, owner="alice")),
    RAW + pack(seal({"a": b"b"}, **RICH)),
    RAW + pack(evolve(seal({"a": b"b"}), proof=b"")),
    RAW + pack(evolve(seal({}), data={"a": seal({"a": b"b"}).data["a"][:9]})),
    RAW + pack(record(digest=b"short")),
    RAW + pack(record("b")),
    RAW + msgspec.msgpack.encode([[]] * 19),
    TAMPERED + bytes(range(64)),
    TAMPERED + b"\xff" * 64,
)


def check(data: bytes) -> None:
    """Assert what holds of foreign bytes, or of our own with some changed."""
    if data[:1] == TAMPERED:
        check_tampered(atheris.FuzzedDataProvider(data[1:]))
    else:
        check_raw(data[1:])


def check_raw(blob: bytes) -> None:
    """Assert that bytes are a whole record of that key, or nothing."""
    found = unpack(blob, KEY)
    assert unpack(blob, ANOTHER) == Corrupt(ANOTHER) or found == CORRUPT
    if isinstance(found, Corrupt):
        assert found == CORRUPT
        return
    assert (found.format, found.key, len(found.digest)) == (FORMAT, KEY, 32)
    again = unpack(pack(found), KEY)
    assert isinstance(again, Record)
    assert pack(again) == pack(found)  # compared as bytes: a time that is no number equals nothing
    assert unpack(pack(found)[:-1], KEY) == CORRUPT
    assert not found.live_at(found.expires)
    assert repr(found) == f"<Record {KEY} version {found.version}>"
    plain, unsealed = unseal_with(PLAIN, found), unseal_with(SEALED, found)
    assert plain in (None, found.data)
    assert unsealed is None or set(unsealed) == set(found.data)
    assert PLAIN.unseal(PLAIN.prove(found)) == found.data


def check_tampered(given: atheris.FuzzedDataProvider) -> None:
    """Assert that our own record comes back, and that a changed one is not taken for ours."""
    values = {
        given.ConsumeUnicodeNoSurrogates(8): given.ConsumeBytes(12)
        for _ in range(given.ConsumeIntInRange(0, 3))
    }
    owner = given.ConsumeUnicodeNoSurrogates(8)
    ours = seal(values, **RICH | {"owner": owner, "assurance": given.ConsumeIntInRange(0, 3)})
    blob = bytearray(pack(ours))
    assert unpack(bytes(blob), KEY) == ours
    assert SEALED.unseal(ours) == values
    for _ in range(given.ConsumeIntInRange(1, 3)):
        blob[given.ConsumeIntInRange(0, len(blob) - 1)] = given.ConsumeIntInRange(0, 255)
    found = unpack(bytes(blob), KEY)
    unsealed = unseal_with(SEALED, found) if isinstance(found, Record) else None
    if unsealed is not None:
        assert (found, unsealed) == (ours, values)


def unseal_with(sealer: Sealer, found: Record) -> dict[str, bytes] | None:
    """Return the plain values of a record; Forged, the documented error, is None."""
    try:
        return dict(sealer.unseal(found))
    except Forged:
        return None
