"""Values come back with their exact types, and nothing else ever comes out of bytes."""

import datetime as dt
import pickle
from collections import UserDict, UserString
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.anything import VALUES, exact
from sessile.codecs import msgpack as module
from sessile.codecs.msgpack import MAX_DEPTH, MAX_SIZE, ValueCodec
from sessile.errors import UnsupportedValue
from sessile.testing.effort import effort

CODEC = ValueCodec()

EVERY_TYPE = [
    None,
    True,
    0,
    -1,
    2**63 - 1,
    2**63,
    2**64 - 1,
    2**64,
    -(2**63),
    -(2**63) - 1,
    10**100,
    -(10**100),
    0.0,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
    "",
    "\0",
    "naïve 💡",
    b"",
    bytes(range(256)),
    [],
    [1, [2, [3]]],
    (),
    (1, (2, [3])),
    {},
    {"a": 1, "b": {"c": (1,)}},
    {1: "a", None: "b", 2.5: "c", b"d": "e", False: "f"},
    {10**30: 1, (1, "a"): 2, frozenset({1}): 3, dt.date(2000, 1, 1): 4, UUID(int=1): 5},
    set(),
    {1, "a", None, b"b", (1, 2), frozenset({3})},
    frozenset(),
    frozenset({1, "a"}),
    dt.datetime(2026, 3, 29, 2, 30, 0, 1),  # noqa: DTZ001  (naive is a case)
    dt.datetime(2026, 3, 29, 2, 30, tzinfo=dt.UTC),
    dt.datetime(2026, 3, 29, tzinfo=dt.timezone(dt.timedelta(hours=5, seconds=1, microseconds=1))),
    dt.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    dt.datetime.min,  # noqa: DTZ901
    dt.datetime.max,  # noqa: DTZ901
    dt.date(2026, 11, 20),
    dt.time(23, 59, 59, 999999, fold=1),
    dt.time(1, tzinfo=dt.timezone(dt.timedelta(hours=-3))),
    dt.timedelta(days=-1, microseconds=1),
    dt.timedelta.max,
    dt.timedelta.min,
    Decimal("1.00"),
    Decimal("-0"),
    Decimal("1E+999999"),
    Decimal("sNaN123"),
    Decimal("-Infinity"),
    UUID(int=2**128 - 1),
]


@pytest.mark.parametrize("value", EVERY_TYPE, ids=lambda value: type(value).__name__)
def test_every_type_comes_back(value):
    """Each kind of value is decoded as the value that was encoded, type and last bit included."""
    assert exact(CODEC.decode(CODEC.encode(value))) == exact(value)


@effort(500, 20_000)
@given(VALUES)
@example([dt.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=0)])
def test_nested_values_come_back(value):
    """Any nesting of values is decoded exactly, and encoding it again gives the same bytes."""
    blob = CODEC.encode(value)
    again = CODEC.decode(blob)

    assert exact(again) == exact(value)
    assert CODEC.encode(again) == blob


@effort(300, 20_000)
@given(st.binary(max_size=64))
def test_foreign_bytes_are_value_errors(blob):
    """Whatever bytes are decoded, they are a value that can be encoded or a ValueError."""
    try:
        value = CODEC.decode(blob)
    except ValueError:
        return
    assert type(CODEC.encode(value)) is bytes


@effort(300, 20_000)
@given(VALUES, st.data())
def test_damaged_bytes_are_value_errors(value, data):
    """An encoding with a byte changed, or cut short, is a value or a ValueError."""
    blob = bytearray(CODEC.encode(value))
    place = data.draw(st.integers(0, len(blob) - 1))
    blob[place] = data.draw(st.integers(0, 255))
    for damaged in (bytes(blob), bytes(blob[:place])):
        try:
            CODEC.decode(damaged)
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("code", "data"),
    [
        *((code, b"\xff\xfe") for code in range(-1, 20) if code != 1),
        (5, b"2026-01-01T00:00:00[Europe]"),
        (5, b"2026-01-01T00:00:00[../../etc/passwd]"),
        (5, b"2026-01-01T00:00:00[/etc/passwd]"),
        (5, b"2026-01-01T00:00:00[Nowhere/Atall]"),
        (5, b"2026-01-01T00:00:00[\0]"),
        (5, b"2026-01-01T00:00:00[" + b"a" * 5000 + b"]"),
        (8, b"99999999999999,0,0"),
        (8, b"1,2"),
        (8, b"9" * 5000 + b",0,0"),
        (9, b"not a number"),
        (10, b"short"),
        (2, msgspec.msgpack.encode({"no": "list"})),
        (3, msgspec.msgpack.encode([msgspec.msgpack.encode([1])])),
        (11, msgspec.msgpack.encode([1, 2, 3])),
        (11, msgspec.msgpack.encode([[1], 2])),
    ],
)
def test_malformed_extensions_are_value_errors(code, data):
    """An extension that holds something else than it says is a ValueError, and opens no file."""
    with pytest.raises(ValueError):
        CODEC.decode(msgspec.msgpack.encode(msgspec.msgpack.Ext(code, data)))


def test_zone_that_is_no_file_is_a_value_error(monkeypatch):
    """A zone's name that the system's or Python's own tables stumble over is a ValueError."""

    def stumble(name):
        raise IsADirectoryError(name)

    blob = CODEC.encode(dt.datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")))
    monkeypatch.setattr(module, "ZoneInfo", stumble)
    with pytest.raises(ValueError):
        CODEC.decode(blob)


def test_pickles_are_never_executed():
    """A pickle in place of a value is no value."""
    with pytest.raises(ValueError):
        CODEC.decode(pickle.dumps({"a": [1, 2, 3]}))


def test_deep_bytes_are_value_errors():
    """Bytes that nest deeper than the interpreter can follow are a ValueError."""
    tuples = msgspec.msgpack.encode(1)
    for _ in range(5_000):
        tuples = msgspec.msgpack.encode(msgspec.msgpack.Ext(2, b"\x91" + tuples))
    for deep in (b"\x91" * 100_000 + b"\xc0", tuples):
        with pytest.raises(ValueError):
            CODEC.decode(deep)


@pytest.mark.parametrize(
    "value",
    [
        object(),
        len,
        ValueError("secret value"),
        bytearray(b"secret value"),
        memoryview(b"secret value"),
        range(3),
        (n for n in "secret value"),
        1j,
        UserString("secret value"),
        UserDict(a=1),
        dt.datetime(2026, 1, 1, tzinfo=type("Zone", (dt.tzinfo,), {})()),
        dt.time(1, tzinfo=ZoneInfo("Europe/Berlin")),
        "secret value \ud800",
        {"secret value \udfff": 1},
        {object(): 1},
        {UserString("secret value"): 1},
        {(1, object()): 1},
        {frozenset({object()})},
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_cannot_be_kept_is_refused(value):
    """A value that would not come back as it is is refused, nested too, without being quoted."""
    for nested in (value, [value], (1, [value]), {"a": value}, {"a": {"b": [{1: value}]}}):
        with pytest.raises(UnsupportedValue) as refused:
            CODEC.encode(nested)
        assert "secret value" not in str(refused.value)
        assert refused.value.reason


def test_refusal_is_a_type_error():
    """What json and pickle users expect to catch catches it."""
    with pytest.raises(TypeError, match="UserDict cannot be kept; store None, bool"):
        CODEC.encode(UserDict())


def test_nesting_has_a_limit():
    """Containers may stand in each other so deep and no deeper, however they are mixed."""

    def nested(depth):
        value = 1
        for n in range(depth):
            value = [value] if n % 3 else (value,) if n % 2 else {"a": value}
        return value

    assert exact(CODEC.decode(CODEC.encode(nested(MAX_DEPTH)))) == exact(nested(MAX_DEPTH))
    with pytest.raises(UnsupportedValue, match="deeper than 64"):
        CODEC.encode(nested(MAX_DEPTH + 2))


def test_cycle_is_refused():
    """A list that holds itself is too deep, not an endless loop."""
    loop = []
    loop.append(loop)
    with pytest.raises(UnsupportedValue, match="deeper"):
        CODEC.encode(loop)


def test_equal_sets_give_equal_bytes():
    """A set's bytes do not depend on the order in which it was filled."""
    names = [f"item {n}" for n in range(100)]

    backwards = set()
    for name in reversed(names):
        backwards.add(name)
    assert CODEC.encode(set(names)) == CODEC.encode(backwards)


@effort(100, 2_000)
@given(st.lists(VALUES, min_size=1, max_size=3))
def test_decoding_shares_nothing(value):
    """Two decodings of the same bytes have no mutable part in common."""
    blob = CODEC.encode(value)
    first = CODEC.decode(blob)
    assert isinstance(first, list)
    for item in (*first, first):
        if isinstance(item, list | dict | set):
            item.clear()

    assert exact(CODEC.decode(blob)) == exact(value)


def test_value_beyond_a_mebibyte_is_refused():
    """What would be read and written with every request has a bound, and the error says why."""
    fits = bytes(MAX_SIZE - 5)

    assert CODEC.decode(CODEC.encode(fits)) == fits
    with pytest.raises(UnsupportedValue, match=r"1,048,577 bytes: .* keep the large thing"):
        CODEC.encode(bytes(MAX_SIZE - 4))
