"""Values of derived classes are kept as what they are derived from, or refused."""

import datetime as dt
import enum
import http
from collections import Counter, OrderedDict, defaultdict, namedtuple
from decimal import Decimal
from uuid import UUID

import pytest
from authlib.oidc.core import UserInfo
from hypothesis import given
from markupsafe import Markup
from werkzeug.local import LocalProxy

from core.anything import VALUES, exact
from core.derived import KINDS, derived
from sessile.codecs.msgpack import ValueCodec
from sessile.errors import UnsupportedValue
from sessile.testing.effort import effort

CODEC = ValueCodec()
Point = namedtuple("Point", "x y")  # noqa: PYI024


class Colour(enum.IntEnum):
    RED = 1


class Size(enum.StrEnum):
    LARGE = "large"


class Mood(str, enum.Enum):  # noqa: UP042  (whose str() is "Mood.GLAD")
    GLAD = "glad"


class Days(dt.timedelta):
    """As pendulum's: it counts its days otherwise than it stores them."""

    days = 7


class Stamp(dt.datetime):
    """As freezegun's and pendulum's: another class comes out of every operation."""

    def replace(self, **_):
        raise AssertionError

    isoformat = replace


class Its:
    """Equal to nothing but itself, whatever it is derived from."""

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)


class ItsText(Its, str):
    __slots__ = ()


MOVED = OrderedDict(a=1, b=2)
MOVED.move_to_end("a")


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (UserInfo(sub="42", name="Alice"), {"sub": "42", "name": "Alice"}),
        (Markup("<b>"), "<b>"),
        (Colour.RED, 1),
        (http.HTTPStatus.NOT_FOUND, 404),
        (Size.LARGE, "large"),
        (Mood.GLAD, "glad"),
        (Point(1, Point(2, 3)), (1, (2, 3))),
        (MOVED, {"b": 2, "a": 1}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (Counter("aab"), {"a": 2, "b": 1}),
        ({Size.LARGE: Colour.RED, Colour.RED: Size.LARGE}, {"large": 1, 1: "large"}),
        ({Mood.GLAD: OrderedDict(a=Point(1, 2))}, {"glad": {"a": (1, 2)}}),
        ({(Mood.GLAD,): 1}, {("glad",): 1}),
        ({Mood.GLAD, Colour.RED}, {"glad", 1}),
        (Stamp(2026, 1, 2, 3, 4, 5, 6, dt.UTC), dt.datetime(2026, 1, 2, 3, 4, 5, 6, dt.UTC)),
        (Days(1, 2, 3), dt.timedelta(1, 2, 3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_of_a_derived_class_comes_back_as_its_base(value, kept):
    """What libraries hand out is kept, in plain types down to the last item and key."""
    assert exact(CODEC.decode(CODEC.encode(value))) == exact(kept)


@effort(300, 10_000)
@given(VALUES)
def test_bytes_of_a_derived_class_are_those_of_its_base(value):
    """A value is known by its bytes, so both are the same value, nested as deep as may be."""
    assert CODEC.encode(derived(value)) == CODEC.encode(value)


@pytest.mark.parametrize("base", KINDS, ids=lambda base: base.__name__)
def test_every_type_has_derived_classes(base):
    """No type that can be kept is forgotten, but those that have none: None and bool."""
    samples = {
        dt.datetime: dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        dt.date: dt.date(2026, 1, 1),
        UUID: UUID(int=1),
        Decimal: Decimal("1.10"),
    }
    value = samples[base] if base in samples else base()

    assert exact(CODEC.decode(CODEC.encode(derived(value)))) == exact(value)


def test_what_is_frozen_in_time_comes_back(monkeypatch):
    """A library that puts its own classes in place of ``datetime``'s is none in our way."""
    blob = CODEC.encode(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    for name in ("datetime", "date"):
        monkeypatch.setattr(dt, name, KINDS[getattr(dt, name)])
    found = CODEC.decode(blob)

    assert type(found) is dt.datetime
    assert CODEC.encode(found) == blob
    assert CODEC.encode(dt.date(2026, 1, 1)).endswith(b"2026-01-01")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({ItsText("secret"): 1, ItsText("secret"): 2}, "two keys in a dict would come back as one"),
        ({ItsText("secret"), "secret"}, "two items of a set would come back as one"),
        (LocalProxy(lambda: "secret"), "LocalProxy cannot be kept"),
        (LocalProxy(dict), "LocalProxy cannot be kept"),
        ({LocalProxy(lambda: "secret"): 1}, "LocalProxy cannot be kept"),
        (OrderedDict(a=object()), "object cannot be kept"),
        (Point(1, len), "builtin_function_or_method cannot be kept"),
        ({KINDS[frozenset]({len}): 1}, "builtin_function_or_method cannot be kept"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_not_come_back_is_refused(value, why):
    """Two that are one by their base, what only says that it is a text, and what is inside."""
    with pytest.raises(UnsupportedValue, match=why) as refused:
        CODEC.encode(value)

    assert "secret" not in str(refused.value)
