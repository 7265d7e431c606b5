"""Ready-made keys, records and changes are what the contract takes."""

from sessile.core.record import pack, unpack
from sessile.core.ticket import Key, is_key
from sessile.stores.contract import Change
from sessile.testing.clock import T0
from sessile.testing.sample import change, key, record


def test_key_is_made_from_its_name():
    """The same name is the same key, another name another, and each has a key's shape."""
    assert key("a") == key("a") != key("b")
    assert is_key(key("a"))


def test_record_lives_from_the_instant_it_was_made():
    """A sample is the first version of a sound record, and any field can be chosen."""
    row = record("b", at=T0 + 1.0, idle=10.0, absolute=20.0, owner="alice")

    assert (row.key, row.version, row.owner) == (key("b"), 1, "alice")
    assert (row.created, row.idle_until, row.until) == (T0 + 1.0, T0 + 11.0, T0 + 21.0)
    assert unpack(pack(row), Key(row.key)) == row
    assert record("a").digest != record("b").digest


def test_change_tells_the_same_in_both_ways():
    """The new record and the delta of a change say the same, for stores of either kind."""
    old = record(data={"a": b"1", "b": b"2"})
    made = change(old, {"c": b"3"}, removed=["a"], seen=T0 + 5.0)

    assert made == Change(made.record, 1, {"c": b"3"}, frozenset({"a"}))
    assert (made.record.version, made.record.seen) == (2, T0 + 5.0)
    assert made.record.data == {"b": b"2", "c": b"3"}
    assert old.data == {"a": b"1", "b": b"2"}
