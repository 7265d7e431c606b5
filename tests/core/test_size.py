"""What a session may hold: so many bytes and keys, told when something is set, or at the commit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.mapping import CODEC
from sessile.core.mapping import Values
from sessile.core.policy import Policy
from sessile.core.size import SizeLimit, byte_size
from sessile.errors import ConfigError, SessionTooLarge, UnsupportedValue
from sessile.testing.effort import effort

KIB = SizeLimit(max_bytes=1024, max_keys=5)


def holding(limit=KIB, **plain):
    return Values({key: CODEC.encode(value) for key, value in plain.items()}, CODEC, limit)


def text_of(size, key):
    """Return a text that comes to so many bytes under its key."""
    return "x" * (size - len(key) - 3)


def test_session_may_be_full_to_the_byte():
    """What comes to the limit is kept, and one byte more is refused where it is set."""
    values = holding(a="x" * 300)
    rest = 1024 - byte_size({"a": CODEC.encode("x" * 300)})
    values["b"] = text_of(rest, "b")
    assert values.delta()

    with pytest.raises(SessionTooLarge) as error:
        values["b"] = text_of(rest + 1, "b")
    assert (error.value.key, error.value.size, error.value.limit) == ("b", 1025, 1024)
    assert str(error.value) == (
        "session['b']: with it the session holds 1,025 bytes, and 1,024 are allowed; keep the "
        "large thing elsewhere, and its name here, or write Policy(max_bytes=...)"
    )
    assert isinstance(error.value, UnsupportedValue)


def test_refused_value_leaves_the_session_as_it_was():
    """The value that was there is there still, and is what will be saved."""
    values = holding(a=1)
    values["b"] = "small"
    for key in ("a", "b", "c"):
        with pytest.raises(SessionTooLarge, match=f"session\\['{key}'\\]"):
            values[key] = "x" * 2000

    assert dict(values) == {"a": 1, "b": "small"}
    assert values.delta().set == {"b": CODEC.encode("small")}


@pytest.mark.parametrize(
    "make_room",
    [
        lambda v: v.__delitem__("big"),
        lambda v: v.clear(),
        lambda v: v.__setitem__("big", ""),
        lambda v: v.update(big="y" * 20) or v.update(big="z" * 10),
    ],
)
def test_room_that_was_made_can_be_used(make_room):
    """What is removed or replaced counts no more, in the same request."""
    values = holding(big="x" * 900)
    for _ in range(3):
        with pytest.raises(SessionTooLarge):
            values["new"] = "y" * 900
    make_room(values)
    values["new"] = "y" * 900

    assert values.delta().set["new"] == CODEC.encode("y" * 900)


def test_value_set_again_and_again_counts_once():
    """It is what is held in the end that has to fit, and not all that was held once."""
    values = holding()
    for n in range(20):
        values["a"] = str(n) * 200

    assert values.delta().set.keys() == {"a"}


def test_growth_in_place_is_refused_at_the_commit():
    """An append to what was read is told when the delta is taken, by the key that grew most."""
    values = holding(log=["x"], other=[1])
    values["other"].append(2)
    values["log"].append("y" * 2000)
    with pytest.raises(SessionTooLarge, match=r"session\['log'\]"):
        values.delta()

    values["log"].pop()
    assert values.delta().set.keys() == {"other"}


def test_key_beyond_the_limit_is_refused():
    """The last key that is allowed is kept, and the next one is refused where it is set."""
    values = holding(a=1, b=1, c=1)
    values["d"] = values["e"] = 1
    values["a"] = values["d"] = 2
    with pytest.raises(SessionTooLarge) as error:
        values["f"] = 1
    assert (error.value.key, error.value.size, error.value.limit) == ("f", 6, 5)
    assert "6 keys, and 5 are allowed; put what belongs together into one dict" in str(error.value)

    del values["b"]
    values["f"] = 1
    assert dict(values) == {"a": 2, "c": 1, "d": 2, "e": 1, "f": 1}
    assert values.delta()


def test_increment_of_one_key_too_many_is_refused_at_the_commit():
    """A counter is a key as any other."""
    values = holding(a=1, b=1, c=1, d=1, e=1)
    values.increment("a")
    assert values.delta()
    values.increment("f")
    with pytest.raises(SessionTooLarge, match=r"session\['f'\]: with it the session holds 6 keys"):
        values.delta()


def test_long_key_counts():
    """A name takes room as a value does, by its bytes."""
    values = holding()
    with pytest.raises(SessionTooLarge):
        values["ü" * 600] = 1
    values["ü" * 500] = 1

    assert values.delta()


def test_session_that_is_too_large_already_may_shrink_and_stay():
    """After the limit was lowered it can be read, emptied and changed, and may not grow."""
    big = {f"k{n}": "x" * 300 for n in range(7)}
    values = holding(**big)
    values["k0"] = "y" * 300
    assert values.delta()
    del values["k1"]
    assert values.delta()
    values["k2"] = ""
    assert values.delta()
    for key, more in (("k3", "z" * 2000), ("new", 1)):
        with pytest.raises(SessionTooLarge):
            holding(**big)[key] = more


def test_removal_alone_is_never_refused():
    """Whatever a session holds, it can be emptied."""
    values = holding(**{f"k{n}": "x" * 300 for n in range(7)})
    values.clear()

    assert len(values.delta().removed) == 7


@effort(200, 5_000)
@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(0, 400)), max_size=12))
def test_what_is_set_is_refused_exactly_when_it_is_too_much(acts):
    """However often values are set and removed, the limit is that of what is held."""
    values, plain = holding(a="x" * 100), {"a": "x" * 100}
    for key, size in acts:
        then = {name: held for name, held in plain.items() if name != key}
        if size:
            then[key] = "x" * size
        fits = len(then) <= 5 and byte_size({k: CODEC.encode(v) for k, v in then.items()}) <= 1024
        try:
            if size:
                values[key] = "x" * size
            else:
                values.pop(key, None)
        except SessionTooLarge:
            assert not fits
        else:
            assert fits
            plain = then
        assert dict(values) == plain
    values.delta()


def test_setting_is_cheap(monkeypatch):
    """Nothing is encoded a second time to know that it fits, and the sum is made once."""
    sums = []
    monkeypatch.setattr(SizeLimit, "check", lambda *args: sums.append(args))
    values = Values({f"k{n}": CODEC.encode(n) for n in range(300)}, CODEC)
    for n in range(300):
        values[f"k{n}"] = n + 1

    assert sums == []


@pytest.mark.parametrize("name", ["max_bytes", "max_keys"])
@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, None, "1"])
def test_limit_is_a_whole_number(name, wrong):
    """Anything else is refused at start, with what to write."""
    with pytest.raises(ConfigError, match=f"{name}=.*: write a whole number from 1, as in"):
        Policy(**{name: wrong})


def test_limits_of_a_policy_are_one_mebibyte_and_a_thousand_keys():
    """Unless it says otherwise."""
    assert Policy().size_limit == SizeLimit(max_bytes=1_048_576, max_keys=1_000)
    assert Policy(max_bytes=10, max_keys=2).size_limit == SizeLimit(max_bytes=10, max_keys=2)


def test_error_shows_the_beginning_of_a_long_key():
    """A key may be a client's: whoever logs the error logs no mebibyte, and the error has it."""
    key = "k" * 3_000
    with pytest.raises(SessionTooLarge) as refused:
        holding()[key] = 1

    assert len(str(refused.value)) < 300
    assert refused.value.key == key
