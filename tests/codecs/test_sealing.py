"""Sealing: what is stored opens only in its own place, under its own ring."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile.codecs.sealing import LARGEST_KNOWN, AesGcmSealer, Forged, PlainSealer
from sessile.core.client import Client
from sessile.core.identity import Pending
from sessile.core.record import (
    Record,
    RecordKind,
    evolve,
    pack,
    replacement_of,
    tombstone,
    unpack,
)
from sessile.core.secrets import KeyRing
from sessile.testing.clock import SeededEntropy
from sessile.testing.sample import key, record
from sessile.testing.world import NEWER, SECRET
from sessile.wire import system

RING = KeyRing([SECRET])
NONE = frozenset()


def sealer(*secrets, seed=0):
    return AesGcmSealer(KeyRing(secrets or [SECRET]), SeededEntropy(seed))


def sealed(name="a", **values):
    return sealer().seal(record(name, data={}), values, NONE)[0]


@given(st.dictionaries(st.text(min_size=1), st.binary()))
def test_values_come_back(values):
    """What was sealed opens to the same bytes, whatever keys and values."""
    row, _ = sealer().seal(record(data={}), values, NONE)

    assert sealer().unseal(row) == values


def test_plain_text_is_not_in_the_record():
    """No sealed value shows its plain bytes."""
    assert b"axolotl" not in b"".join(sealed(pet=b"axolotl").data.values())


def test_equal_values_differ_when_sealed():
    """Equal values cannot be recognised as equal from outside."""
    row = sealed(a=b"same", b=b"same")

    assert row.data["a"] != row.data["b"]


SEALERS = {"sealed": sealer, "plain": lambda: PlainSealer(RING)}


@pytest.mark.parametrize("make", SEALERS.values(), ids=SEALERS)
@pytest.mark.parametrize("field", Record.__struct_fields__)
def test_record_of_which_any_field_was_changed_is_forged(make, field):
    """Whoever can write the store cannot change one thing in a record, whatever it is."""
    row, _ = make().seal(record(data={}), {"pet": b"axolotl"}, NONE)
    other = {
        "key": "another",
        "owner": "mallory",
        "digest": b"x" * 32,
        "device": "x",
        "client": Client("192.0.2.9"),
        "factors": ("totp",),
        "pending": Pending("mallory", (), 1.0),
        "grants": {"pay": 1.0},
        "parent": b"x",
        "past": b"x",
        "kind": RecordKind.EVIDENCE,
        "data": {},
        "proof": b"",
    }
    changed = evolve(row, **{field: other.get(field, 7)})

    assert make().holds(row)
    assert not make().holds(changed)
    with pytest.raises(Forged):
        make().unseal(changed)


def test_proof_is_the_last_field():
    """What stands before it is proved; whoever adds a field adds it there."""
    assert Record.__struct_fields__[-1] == "proof"


@pytest.mark.parametrize("make", SEALERS.values(), ids=SEALERS)
def test_proof_does_not_rest_on_the_order_of_values(make):
    """A store may keep values one by one, and give them back in an order of its own."""
    row, _ = make().seal(record(data={}), {"a": b"1", "b": b"2", "c": b"3"}, NONE)
    turned = evolve(row, data=dict(reversed(row.data.items())))

    assert list(turned.data) != list(row.data)
    assert make().holds(turned)


def test_plain_values_are_proved_and_stored_as_they_are():
    """Without encryption a value is readable in the record, and its proof is that of the ring."""
    plain = PlainSealer(KeyRing([NEWER, SECRET]))
    row, written = PlainSealer(RING).seal(record(data={}), {"a": b"1"}, NONE)
    later, _ = plain.seal(row, {"b": b"2"}, frozenset({"a"}), version=2)

    assert (row.data, written) == ({"a": b"1"}, {"a": b"1"})
    assert plain.unseal(row) == {"a": b"1"}
    assert plain.unseal(later) == {"b": b"2"}
    assert not PlainSealer(RING).holds(later)


def test_sealed_record_is_none_to_who_does_not_seal():
    """Who has the secrets and seals nothing does not take a sealed value for a plain one."""
    assert not PlainSealer(RING).holds(sealed(a=b"1"))


def test_record_from_before_sealing_is_read_and_sealed():
    """What was proved in plain under a secret of the ring opens, and is sealed with its change."""
    row, _ = PlainSealer(RING).seal(record(data={}), {"a": b"1", "b": b"2"}, NONE)
    assert sealer().holds(row)
    assert sealer().unseal(row) == {"a": b"1", "b": b"2"}
    later, _ = sealer().seal(row, {"b": b"3"}, NONE, version=2)

    assert sealer().unseal(later) == {"a": b"1", "b": b"3"}
    assert later.data["a"] != b"1"
    assert PlainSealer(RING).holds(later) is False


@pytest.mark.parametrize("plain", [b"1", b"\x01", b"\x01" + bytes(40)])
def test_unproved_record_in_plain_is_forged(plain):
    """Whoever writes a plain record, or puts plain values into a sealed one, has no proof."""
    strangers, _ = PlainSealer(KeyRing([NEWER])).seal(record(data={}), {"a": plain}, NONE)
    for row in (strangers, evolve(sealed(a=b"1"), data={"a": plain}), record(data={"a": plain})):
        assert not sealer().holds(row)
        with pytest.raises(Forged):
            sealer().unseal(row)


@pytest.mark.parametrize("make", SEALERS.values(), ids=SEALERS)
def test_what_has_no_values_is_proved(make):
    """A tombstone names the session in which it goes on, and nobody can change that."""
    left = make().prove(tombstone(key("a"), 1.0, key("b")))

    assert make().holds(left)
    assert replacement_of(left) == key("b")
    assert not make().holds(evolve(left, data={"heir": key("c").encode()}))


def test_value_moved_to_another_field_is_forged():
    """A value opens under its own name only."""
    row = sealed(role=b"user", wish=b"admin")
    swapped = evolve(row, data={"role": row.data["wish"], "wish": row.data["role"]})

    with pytest.raises(Forged):
        sealer().unseal(swapped)


def test_value_moved_to_another_record_is_forged():
    """A value opens in its own session only."""
    mine, yours = sealed("mine", role=b"user"), sealed("yours", role=b"admin")

    with pytest.raises(Forged):
        sealer().unseal(evolve(mine, data=yours.data))


@given(st.data())
def test_any_flipped_bit_is_forged(data):
    """Not one bit of a sealed value can change unnoticed."""
    row = sealed(pet=b"axolotl")
    blob = bytearray(row.data["pet"])
    at = data.draw(st.integers(0, len(blob) * 8 - 1))
    blob[at // 8] ^= 1 << at % 8

    with pytest.raises(Forged):
        sealer().unseal(evolve(row, data={"pet": bytes(blob)}))


@given(st.binary(max_size=80))
def test_foreign_bytes_are_forged(blob):
    """There is no fallback: bytes that were never sealed do not open as plain."""
    with pytest.raises(Forged):
        sealer().unseal(evolve(sealed(pet=b"axolotl"), data={"pet": blob}))


def test_unsealed_record_is_forged():
    """A record without a proof is not taken for one from before sealing."""
    with pytest.raises(Forged):
        sealer().unseal(record(data={"pet": b"axolotl"}))


def test_newer_secret_seals_everything_anew():
    """The first write under a new secret seals every value with it, so the old one can retire."""
    old = sealed(a=b"1", b=b"2", c=b"3")
    new, _ = sealer(NEWER, SECRET).seal(old, {"a": b"9"}, frozenset({"c"}))

    assert sealer(NEWER).unseal(new) == {"a": b"9", "b": b"2"}


def test_ring_shows_fingerprints_only():
    """The ring's repr tells secrets apart without giving any away."""
    assert SECRET not in repr(RING)
    assert "KeyRing of 1" in repr(RING)


def test_no_nonce_serves_twice():
    """Of four thousand values sealed in one record, though all are the same, no two share one."""
    row, nonces = record(data={}), set()
    fresh = AesGcmSealer(RING, system.entropy)
    for _ in range(1_000):
        row, written = fresh.seal(row, dict.fromkeys("abcd", b"same"), NONE)
        nonces |= {blob[5:17] for blob in written.values()}

    assert len(nonces) == 4_000


def test_each_record_has_a_key_of_its_own():
    """Under one nonce, which chance may repeat, two records still seal one value differently."""
    one, other = (
        AesGcmSealer(RING, bytes).seal(record(name, data={}), {"a": b"same"}, NONE)[1]
        for name in "ab"
    )

    assert one["a"][5:17] == other["a"][5:17] == bytes(12)
    assert one["a"][17:21] != other["a"][17:21]


@pytest.mark.parametrize("make", SEALERS.values(), ids=SEALERS)
def test_proof_that_held_is_looked_at_once(make, monkeypatch):
    """What was read before and held holds as long as it is equal; what differs is looked at."""
    ring, looks = make(), []
    whole = type(ring._newest).proof_of
    monkeypatch.setattr(
        type(ring._newest), "proof_of", lambda keys, row: looks.append(1) or whole(keys, row)
    )
    row = pack(ring.prove(record("a")))
    looks.clear()
    assert [ring.holds(unpack(row, key("a"))) for _ in range(3)] == [True] * 3
    assert len(looks) == 1

    forged = evolve(unpack(row, key("a")), assurance=9)
    assert [ring.holds(forged) for _ in range(2)] == [False] * 2
    assert len(looks) == 3
    assert ring.holds(unpack(row, key("a")))
    assert len(looks) == 3


@pytest.mark.parametrize("make", SEALERS.values(), ids=SEALERS)
@pytest.mark.parametrize("field", Record.__struct_fields__)
def test_record_that_held_vouches_for_no_other(make, field):
    """Whatever one field is changed to, the record is forged, though the genuine one is known."""
    ring = make()
    genuine = ring.prove(record("a", client=Client("192.0.2.7", "Firefox", "Linux", 7)))
    assert ring.holds(genuine)
    was = getattr(genuine, field)
    others = (None, b"", "", 0, 1, -1, {}, (), {"a": b"1"}, True, False)
    forged = [evolve(genuine, **{field: other}) for other in others if other != was]

    assert [row for row in forged if _can_be_read(row) and ring.holds(row)] == []


def _can_be_read(row):
    """Tell whether a store would return such a record."""
    return isinstance(unpack(pack(row), key("a")), Record)


def test_word_of_another_ring_counts_for_itself():
    """What holds under one ring is looked at by another one, though it is known to both."""
    row = pack(sealer().prove(record("of one ring")))
    one, other = sealer(), sealer(NEWER)

    for _ in range(2):
        assert one.holds(unpack(row, key("of one ring")))
        assert not other.holds(unpack(row, key("of one ring")))


def test_record_is_opened_once():
    """Whoever reads it again, to the last bit, is given the values that were found before."""
    ring = sealer()
    sealed, _ = ring.seal(record("a", data={}), {"v": b"1"}, frozenset())
    row = pack(sealed)
    values = ring.unseal(unpack(row, key("a")))

    assert ring.unseal(unpack(row, key("a"))) is values
    changed, _ = ring.seal(sealed, {"v": b"2"}, frozenset(), version=2)
    assert ring.unseal(unpack(pack(changed), key("a"))) == {"v": b"2"}
    assert ring.unseal(unpack(row, key("a"))) == {"v": b"1"}


def test_record_that_was_proved_by_somebody_else_is_opened_once():
    """Whoever only looked whether it is genuine has not opened it; the next one does, for all."""
    ring = sealer()
    row = pack(sealed("a", v=b"1"))
    assert ring.holds(unpack(row, key("a")))

    assert ring.unseal(unpack(row, key("a"))) is ring.unseal(unpack(row, key("a")))


def test_record_that_was_changed_is_no_known_one():
    """A value that somebody put there is found out, however well the record was known."""
    ring = sealer()
    sealed, _ = ring.seal(record("a", data={}), {"v": b"1"}, frozenset())
    ring.unseal(sealed)
    forged = evolve(sealed, data={"v": sealed.data["v"][:-1] + b"x"})

    with pytest.raises(Forged):
        ring.unseal(forged)


def test_records_that_hold_are_remembered_within_bounds():
    """So many of them, and none that is large; their values likewise."""
    ring = AesGcmSealer(KeyRing([SECRET]), SeededEntropy(1), most=3)
    for n in range(10):
        row = pack(ring.seal(record(f"row {n}", data={}), {"v": b"1"}, NONE)[0])
        assert ring.unseal(unpack(row, key(f"row {n}"))) is not None
        assert len(ring._proved) <= 3
        assert len(ring._opened) <= 3
    large = pack(ring.prove(record("large", data={"v": bytes(LARGEST_KNOWN + 1)})))
    assert ring.holds(unpack(large, key("large")))
    assert key("large") not in ring._proved
