"""Hypothesis strategies for everything that a session may hold, and exact comparison of it."""

import datetime as dt
import struct
from decimal import Decimal

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
OFFSETS = st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)).map(dt.timezone)
ZONES = st.none() | st.just(dt.UTC) | OFFSETS
FOLDED = st.builds(
    lambda moment, fold: moment.replace(fold=fold),
    st.datetimes(timezones=ZONES | st.timezones(), allow_imaginary=True)
    | st.times(timezones=ZONES),
    st.integers(0, 1),
)
INTS = st.integers() | st.integers(-(2**70), 2**70) | st.sampled_from([2**63, 2**64, -(2**63) - 1])
SCALARS = st.one_of(
    st.none(), st.booleans(), INTS, st.floats(), TEXT, st.binary(max_size=8), FOLDED, st.dates(),
    st.timedeltas(), st.decimals() | st.just(Decimal("sNaN7")), st.uuids(),
)  # fmt: skip
HASHABLE = SCALARS.filter(lambda v: not (isinstance(v, Decimal) and v.is_snan()))
KEYS = st.recursive(
    HASHABLE,
    lambda inner: st.lists(inner, max_size=2).map(tuple) | st.frozensets(inner, max_size=2),
    max_leaves=3,
)
VALUES = st.recursive(
    SCALARS | st.sets(KEYS, max_size=3) | st.frozensets(KEYS, max_size=3),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(KEYS, inner, max_size=3),
        st.dictionaries(TEXT, inner, max_size=3),
    ),
    max_leaves=8,
)


def exact(value):
    """Return what is equal for values that are the same to the last bit, and no others."""
    kind = type(value).__name__
    if isinstance(value, float):
        return kind, "nan" if value != value else struct.pack(">d", value)  # noqa: PLR0124
    if isinstance(value, dict):
        return kind, [(exact(key), exact(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return kind, [exact(item) for item in value]
    if isinstance(value, set | frozenset):
        return kind, sorted((exact(item) for item in value), key=repr)
    if isinstance(value, dt.datetime | dt.time):
        return kind, value.isoformat(), value.fold, type(value.tzinfo), str(value.tzinfo)
    return kind, str(value)
