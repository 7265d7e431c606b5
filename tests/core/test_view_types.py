"""A view's fields have their exact types, and its class is one that can come back."""

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from uuid import UUID

import msgspec
import pydantic
import pytest

from core.anything import exact
from core.carts import KINDS
from core.mapping import CODEC, stored
from core.sessions import opened
from sessile.core.mapping import Values
from sessile.errors import ConfigError, ViewMismatch


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


@dataclass
class DataInner:
    when: dt.datetime | None = None
    size: Size = Size.SMALL


class StructInner(msgspec.Struct):
    when: dt.datetime | None = None
    size: Size = Size.SMALL


class ModelInner(pydantic.BaseModel):
    when: dt.datetime | None = None
    size: Size = Size.SMALL


@dataclass
class DataAll:
    when: dt.datetime | None = None
    day: dt.date | None = None
    clock: dt.time | None = None
    lasts: dt.timedelta | None = None
    price: Decimal = Decimal(0)
    number: UUID | None = None
    raw: bytes = b""
    size: Size = Size.SMALL
    tags: set[str] = field(default_factory=set)
    fixed: frozenset[int] = frozenset()
    chosen: set[Size] = field(default_factory=set)
    steps: tuple[Size, ...] = ()
    pair: tuple[int, str] = (0, "")
    sizes: dict[Size, list[Decimal]] = field(default_factory=dict)
    by_number: dict[int, str] = field(default_factory=dict)
    inner: DataInner = field(default_factory=DataInner)
    inners: list[DataInner] = field(default_factory=list)
    maybe: DataInner | None = None


class StructAll(msgspec.Struct):
    when: dt.datetime | None = None
    day: dt.date | None = None
    clock: dt.time | None = None
    lasts: dt.timedelta | None = None
    price: Decimal = Decimal(0)
    number: UUID | None = None
    raw: bytes = b""
    size: Size = Size.SMALL
    tags: set[str] = set()
    fixed: frozenset[int] = frozenset()
    chosen: set[Size] = set()
    steps: tuple[Size, ...] = ()
    pair: tuple[int, str] = (0, "")
    sizes: dict[Size, list[Decimal]] = {}
    by_number: dict[int, str] = {}
    inner: StructInner = msgspec.field(default_factory=StructInner)
    inners: list[StructInner] = []
    maybe: StructInner | None = None


class ModelAll(pydantic.BaseModel):
    when: dt.datetime | None = None
    day: dt.date | None = None
    clock: dt.time | None = None
    lasts: dt.timedelta | None = None
    price: Decimal = Decimal(0)
    number: UUID | None = None
    raw: bytes = b""
    size: Size = Size.SMALL
    tags: set[str] = set()
    fixed: frozenset[int] = frozenset()
    chosen: set[Size] = set()
    steps: tuple[Size, ...] = ()
    pair: tuple[int, str] = (0, "")
    sizes: dict[Size, list[Decimal]] = {}
    by_number: dict[int, str] = {}
    inner: ModelInner = ModelInner()
    inners: list[ModelInner] = []
    maybe: ModelInner | None = None


WHEN = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.timezone(dt.timedelta(hours=2)))
GIVEN = {
    "when": WHEN, "day": dt.date(2026, 1, 2), "clock": dt.time(3, 4, fold=1),
    "lasts": dt.timedelta(days=1, microseconds=7), "price": Decimal("1.10"),
    "number": UUID(int=7), "raw": b"\0\xff", "size": Size.LARGE, "tags": {"new", "red"},
    "fixed": frozenset({1, 2}), "pair": (1, "one"), "sizes": {Size.LARGE: [Decimal("2.50")]},
    "by_number": {7: "seven"}, "chosen": {Size.LARGE}, "steps": (Size.LARGE, Size.SMALL),
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "inner"),
    [(DataAll, DataInner), (StructAll, StructInner), (ModelAll, ModelInner)],
    ids=KINDS,
)
def test_exact_types_come_back(kind, inner):
    """Times, Decimals, sets, Enums and objects within objects are what they were."""
    given = GIVEN | {
        "inner": inner(when=WHEN),
        "inners": [inner(size=Size.LARGE)],
        "maybe": inner(when=WHEN, size=Size.LARGE),
    }
    values = stored()
    mine = values.view(kind, "all", 1, None)
    for name, value in given.items():
        setattr(mine, name, value)
    again = Values(values.delta().set, CODEC).view(kind, "all", 1, None)

    assert type(again) is kind
    assert {name: getattr(again, name) for name in given} == given
    for name in ("when", "day", "clock", "lasts", "price", "number", "raw", "tags", "pair"):
        value = given[name]
        assert exact(getattr(again, name)) == exact(value)
    assert type(again.inners[0]) is type(again.maybe) is inner
    assert not Values(values.delta().set, CODEC).modified


def test_stored_value_has_no_class():
    """It is a dict of plain values all through: any program can read it, and a merge go into it."""
    values = stored()
    mine = values.view(DataAll, "all", 1, None)
    mine.inners.append(DataInner(size=Size.LARGE))
    mine.sizes[Size.SMALL] = [Decimal(1)]
    mine.chosen.add(Size.LARGE)
    plain = values["all"]

    assert plain["inners"] == [{"when": None, "size": "l"}]
    assert plain["inner"] == {"when": None, "size": "s"}
    assert plain["sizes"] == {"s": [Decimal(1)]}
    assert plain["chosen"] == {"l"}
    assert "_version" not in plain


@pytest.mark.parametrize("kind", [DataInner, StructInner])
def test_text_is_not_taken_for_a_time(kind):
    """Values have their exact types in a session, so that a text in place of one is a mistake."""
    with pytest.raises(ViewMismatch):
        stored(k={"when": "2026-01-02T03:04:05Z"}).view(kind, "k", 1, None)


@pytest.mark.parametrize("kind", [DataInner, StructInner, ModelInner])
def test_mismatch_names_the_field(kind):
    """By its name in the class, and no name that only what is stored has."""
    with pytest.raises(ViewMismatch, match=r"fields of version 1, at when;"):
        stored(k={"when": ["x"]}).view(kind, "k", 1, None)


class Renamed(msgspec.Struct, rename="camel"):
    cart_items: list[str] = []


class Card(msgspec.Struct, tag=True):
    number: str = ""


class Cash(msgspec.Struct, tag="cash", tag_field="how"):
    amount: int = 0


class Bill(msgspec.Struct, tag=True, tag_field="how"):
    number: int = 0


class Tagged(msgspec.Struct, tag=True):
    paid: Cash | Bill | None = None
    card: Card = msgspec.field(default_factory=Card)


class ByName(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(populate_by_name=True)
    cart_items: list[str] = pydantic.Field(default=[], alias="cartItems")


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (Renamed, "cart_items", ["hat"]),
        (ByName, "cart_items", ["hat"]),
        (Tagged, "paid", Cash(7)),
        (Tagged, "paid", Bill(7)),
        (Tagged, "card", Card("1")),
    ],
)
def test_names_of_other_formats_lose_nothing(kind, name, value):
    """A renamed field and a tagged union come back as they were."""
    values = stored()
    setattr(values.view(kind, "k", 1, None), name, value)
    again = Values(values.delta().set, CODEC)

    assert getattr(again.view(kind, "k", 1, None), name) == value
    assert not again.modified


class Aliased(pydantic.BaseModel):
    cart_items: list[str] = pydantic.Field(default=[], alias="cartItems")


class Camel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(alias_generator=str.upper)
    items: list[str] = []


class Holds(pydantic.BaseModel):
    inner: Aliased = Aliased()


@pytest.mark.parametrize("kind", [Aliased, Camel, Holds])
def test_alias_that_would_lose_the_value_is_refused(kind):
    """A model that cannot read its fields by their names would come back empty; it is told so."""
    with pytest.raises(ConfigError, match="populate_by_name=True"):
        stored().view(kind, "k", 1, None)


@dataclass
class HasVersion:
    _version: int = 1


@dataclass
class Required:
    items: list[str]


class Odd(Enum):
    PAIR = (1, 2)


@dataclass
class OddEnum:
    odd: Odd = Odd.PAIR


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (dict, "write a dataclass, a msgspec Struct or a pydantic model"),
        (str, "write a dataclass"),
        (object, "write a dataclass"),
        (list[str], "write a dataclass"),
        (HasVersion, "rename its field '_version'"),
        (Required, "give each field a default"),
        (OddEnum, "not supported"),
    ],
)
def test_class_that_cannot_be_seen_is_refused(kind, said):
    """The error says what to write."""
    with pytest.raises(ConfigError, match=said):
        opened().view(kind, "k")


@pytest.mark.parametrize("version", [0, -1, True, 1.0, "1", None])
def test_version_is_a_whole_number_from_1(cart, version):
    """Versions are counted."""
    with pytest.raises(ConfigError, match="whole number from 1"):
        opened().view(cart, version=version)


def test_second_class_under_one_key_is_refused(cart):
    """One value is seen as one class; another one takes a key of its own."""
    session = opened()
    mine = session.view(cart, "cart")
    with pytest.raises(ConfigError, match=f"seen as {cart.__name__} already; name another key"):
        session.view(StructInner, "cart")

    assert session.view(cart, "cart") is mine
    assert session.view(StructInner, "inner").size is Size.SMALL
