"""The quick comparison of what was read with what it is now misses no change, and costs little."""

import datetime as dt
from array import array
from collections import UserDict, deque
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given

from core.anything import VALUES
from core.mapping import CODEC, stored
from sessile.core.merge import Delta
from sessile.errors import UnsupportedValue
from sessile.testing.effort import effort

PLAIN = [1, 1.5, "text", b"x", None, [1], {"a": [1]}, (1, [2]), {1, 2}, frozenset({3})]


def count_encodings(monkeypatch):
    """Return a list that grows with each value that is encoded."""
    done, encode = [], type(CODEC).encode
    monkeypatch.setattr(
        type(CODEC), "encode", lambda codec, value: done.append(value) or encode(codec, value)
    )
    return done


def test_what_was_only_read_is_not_encoded(monkeypatch):
    """To know that nothing was changed costs no encoding, whatever was read."""
    values = stored(**{f"k{n}": value for n, value in enumerate(PLAIN)})
    encodings = count_encodings(monkeypatch)
    assert list(values.values()) == PLAIN
    held = values["k6"]["a"], values["k7"][1], *values["k5"]  # whoever else holds a part of it

    assert held
    assert not values.modified
    assert values.delta() == Delta()
    assert values.changes_since_delta() == []
    assert encodings == []


TWINS = {
    "1 and True": (1, True),
    "0 and False": (0, False),
    "1 and 1.0": (1, 1.0),
    "0.0 and -0.0": (0.0, -0.0),
    "list and tuple": ([1], (1,)),
    "set and frozenset": ({1}, frozenset({1})),
    "text and bytes": ("a", b"a"),
    "large ints": (2**70, 2**70 + 1),
    "None and empty": (None, ""),
    "times": (dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 1, fold=1)),  # noqa: DTZ001
    "a time and a text": ("2026-01-01", dt.date(2026, 1, 1)),
    "Decimals": (Decimal("1.0"), Decimal("1.00")),
    "a Decimal and a float": (1.0, Decimal("1.0")),
}
PLACES = {
    "list": (lambda v: [0, v], lambda held, v: held.__setitem__(1, v)),
    "dict": (lambda v: {"k": v}, lambda held, v: held.__setitem__("k", v)),
    "tuple": (lambda v: ([v],), lambda held, v: held[0].__setitem__(0, v)),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("twins", TWINS)
def test_value_that_looks_the_same_is_another(twins, place):
    """A nested change to what Python calls equal, or nearly so, is a change, both ways."""
    wrap, put = PLACES[place]
    for old, new in (TWINS[twins], TWINS[twins][::-1]):
        values = stored(key=wrap(old), other=[1])
        put(values["key"], new)

        assert values.changes_since_delta() == ["key"]
        assert values.modified
        assert values.delta().set == {"key": CODEC.encode(values["key"])}


@pytest.mark.parametrize("beside", [*PLAIN[:3], dt.datetime(2026, 1, 1, tzinfo=dt.UTC)], ids=repr)
@pytest.mark.parametrize("value", [dt.timedelta(1), Decimal(1), UUID(int=1)], ids=repr)
def test_change_beside_what_marshal_does_not_know_is_noticed(value, beside):
    """Values that take the slow way are compared as exactly, and so is what stands beside them."""
    values = stored(slow=[value, [beside]], quick=[1])
    assert values["slow"], values["quick"]
    assert not values.modified
    assert values.changes_since_delta() == []
    values["slow"][1].append(2)

    assert values.delta() == Delta({"slow": CODEC.encode([value, [beside, 2]])})
    values["quick"].append(2)
    assert values.delta().set.keys() == {"slow", "quick"}


def loop():
    """Return a list that holds itself."""
    held = []
    held.append(held)
    return held


STRANGE = [
    object(), bytearray(b"y"), memoryview(b"y"), array("b", b"y"), 1j, ...,
    StopIteration, compile("1", "", "eval"), "\ud800", [lambda: None], {"k": object()}, loop(),
    range(1), deque([1]), UserDict(a=1),
]  # fmt: skip


@pytest.mark.parametrize("strange", STRANGE, ids=[type(one).__name__ for one in STRANGE])
def test_what_cannot_be_kept_is_refused_however_it_got_in(strange):
    """Whether marshal knows the type or not, the codec is asked about each nested change."""
    values = stored(key=[b"x", [1]], other=[1])
    values["key"][0] = strange
    with pytest.raises(UnsupportedValue, match=r"session\['key'\]"):
        values.delta()
    with pytest.raises(UnsupportedValue, match=r"session\['key'\]"):
        values.changes_since_delta()


@pytest.mark.parametrize(
    "buffer",
    [bytearray(b"x"), memoryview(bytearray(b"x")), array("b", b"x")],
    ids=lambda b: type(b).__name__,
)
def test_other_kind_of_bytes_is_refused_unless_it_holds_what_is_stored(buffer):
    """A bytearray of the stored bytes is taken for them: nothing is lost, as nothing is saved."""
    values = stored(key=[b"x"])
    values["key"][0] = buffer
    assert not values.modified
    values["key"].append(1)
    with pytest.raises(UnsupportedValue, match=r"session\['key'\]"):
        values.delta()


def test_change_that_was_undone_after_the_delta_is_told():
    """What is saved is then not what is held: it is as it was read, and no longer as saved."""
    values = stored(key=[1])
    values["key"].append(2)
    assert values.delta() == Delta({"key": CODEC.encode([1, 2])})
    values["key"].pop()

    assert values.changes_since_delta() == ["key"]


def test_change_after_a_delta_that_held_another_one_is_told():
    """Each key is compared with what was saved of it, or with what was read."""
    values = stored(a=[1], b=[1], c=[dt.date(2026, 1, 1)])
    assert len(list(values.values())) == 3
    values["a"].append(2)
    values.delta()
    assert values.changes_since_delta() == []
    for key in "abc":
        values[key].append(3)

    assert values.changes_since_delta() == ["a", "b", "c"]


@pytest.mark.parametrize("remove", [lambda v: v.pop("key"), lambda v: v.clear()])
def test_change_in_what_was_removed_is_none(remove):
    """A list that was taken out of the session is the application's own."""
    values = stored(key=[1], other=1)
    held = values["key"]
    remove(values)
    removed = values.delta()
    held.append(2)

    assert values.delta() == removed
    assert values.changes_since_delta() == []
    assert removed.set == {}


@pytest.mark.parametrize("read", [True, False])
def test_set_value_is_followed(read):
    """A value that was set to what is stored, and then changed in place, is a change."""
    values = stored(key=[1])
    assert not read or values["key"] == [1]
    values["key"] = mine = [1]
    assert values.delta() == Delta()
    mine.append(2)

    assert values.changes_since_delta() == ["key"]
    assert values.delta().set == {"key": CODEC.encode([1, 2])}


def test_what_was_read_before_a_save_is_the_measure_no_more():
    """After a rival's change the value of before is a change."""
    values = stored(key=[1], other=1)
    held = values["key"]
    values["other"] = 2
    values.delta()
    values.rebase({"key": CODEC.encode([1, 2]), "other": CODEC.encode(2)})
    held.pop()

    assert values.delta() == Delta({"key": CODEC.encode([1])})


@effort(300, 10_000)
@given(VALUES, VALUES)
def test_quick_comparison_agrees_with_the_codec(old, new):
    """Whatever is put in the place of whatever, it is a change exactly if its bytes are others."""
    values = stored(key=[old])
    values["key"][0] = new
    changed = CODEC.encode([old]) != CODEC.encode([new])

    assert (values.changes_since_delta() == ["key"]) is changed
    assert values.modified is changed
