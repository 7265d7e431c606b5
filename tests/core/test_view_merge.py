"""Rivals that change one value through views keep both changes, in one request and over a save."""

from dataclasses import dataclass, field

import msgspec
import pydantic
import pytest

from core.carts import EMPTY, DataCart, go_on, seen, together
from core.mapping import CODEC, saved, stored
from core.sessions import behind, opened
from sessile.core.mapping import Values
from sessile.core.merge import merge
from sessile.errors import ViewMismatch
from sessile.testing.sample import record


@pytest.mark.parametrize("base", [{}, {"cart": EMPTY}, {"cart": {"items": []}}])
def test_rivals_that_change_different_fields_keep_both(cart, base):
    """Whether the cart was there, was not, or was that of an older class."""
    after = together(
        base,
        cart,
        lambda c: setattr(c, "currency", "USD"),
        lambda c: setattr(c, "note", "gift"),
        lambda c: c.items.append("hat"),
    )

    assert after == {"cart": {"items": ["hat"], "note": "gift", "currency": "USD"}}


def test_rivals_that_extend_one_list_keep_both(cart):
    """A list of a view is merged as any list is."""
    after = together(
        {"cart": EMPTY | {"items": ["hat"]}},
        cart,
        lambda c: c.items.append("sock"),
        lambda c: c.items.append("scarf"),
    )

    assert after["cart"]["items"] == ["hat", "sock", "scarf"]


class Begun(msgspec.Struct):
    tags: list[str] = msgspec.field(default_factory=lambda: ["new"])


def test_default_is_not_doubled_by_two_first_changes():
    """What both sides began with stands there once."""
    after = together({}, Begun, lambda c: c.tags.append("red"), lambda c: c.tags.append("blue"))

    assert after["cart"]["tags"] == ["new", "red", "blue"]


def test_upgrade_of_two_at_once_keeps_both_changes(cart):
    """Two requests that are the first to see an old value do not undo each other."""
    after = together(
        {"cart": {"things": ["hat"]}},
        cart,
        lambda c: setattr(c, "currency", "USD"),
        lambda c: c.items.append("sock"),
        version=2,
        upgrade=lambda _, fields: {"items": fields["things"]},
    )

    assert after["cart"]["items"] == ["hat", "sock"]
    assert after["cart"]["currency"] == "USD"


HAT, BOTH = EMPTY | {"items": ["hat"]}, EMPTY | {"items": ["hat", "sock"]}


@pytest.mark.parametrize(
    ("base", "write", "theirs", "items"),
    [
        ({"cart": HAT}, lambda v: v.pop("cart"), BOTH, ["sock"]),
        ({"cart": HAT}, lambda v: v.update(cart=EMPTY), BOTH, []),
        ({"cart": HAT}, lambda v: v["cart"]["items"].clear(), BOTH, ["sock"]),
        ({}, lambda v: v.update(cart=HAT), EMPTY | {"items": ["sock"]}, ["hat"]),
    ],
)
def test_view_of_a_value_of_this_request_is_merged_as_that_value(base, write, theirs, items):
    """What was written or removed before it was seen stands against a rival's change."""
    base = {key: CODEC.encode(value) for key, value in base.items()}
    values = Values(base, CODEC)
    write(values)
    seen(values, DataCart).note = "gift"
    merged = merge(base, {"cart": CODEC.encode(theirs)}, values.delta(), CODEC)

    assert CODEC.decode(merged.set["cart"])["items"] == items


def test_view_goes_on_after_a_save(cart):
    """What was saved is saved; what comes after it is the next change, in the same object."""
    values = stored()
    mine = seen(values, cart)
    items = mine.items
    items.append("hat")
    go_on(values, cart=EMPTY | {"items": ["hat"]})
    assert not values.modified
    items.append("sock")

    assert seen(values, cart) is mine
    assert mine.items is items
    assert saved(values, {})["cart"]["items"] == ["hat", "sock"]


def test_view_shows_what_a_rival_stored(cart):
    """After a save the object holds a rival's fields too, and its list is still the one held."""
    values = stored(cart=EMPTY | {"items": ["hat"]})
    mine = seen(values, cart)
    items = mine.items
    mine.note = "gift"
    go_on(values, cart={"items": ["hat", "sock"], "note": "gift", "currency": "USD"})

    assert (mine.items, mine.note, mine.currency) == (["hat", "sock"], "gift", "USD")
    assert not values.modified
    items.append("scarf")
    assert values["cart"]["items"] == ["hat", "sock", "scarf"]


def test_change_during_a_save_is_merged_with_a_rivals(cart):
    """What was changed while the first change was being saved is still to be saved."""
    values = stored(cart=EMPTY)
    mine = seen(values, cart)
    values["other"] = 1
    values.delta()
    mine.items.append("hat")
    theirs = {"cart": EMPTY | {"currency": "USD"}, "other": 1}
    values.rebase({key: CODEC.encode(value) for key, value in theirs.items()})

    assert (mine.items, mine.currency) == (["hat"], "USD")
    assert values["cart"] == EMPTY | {"items": ["hat"], "currency": "USD"}
    assert values.delta().set == {"cart": CODEC.encode(values["cart"])}


def test_second_change_during_a_save_adds_to_the_first(cart):
    """What was saved already is not put in once more."""
    values = stored()
    mine = seen(values, cart)
    mine.items.append("hat")
    values.delta()
    mine.items.append("sock")
    values.rebase({"cart": CODEC.encode(EMPTY | {"items": ["hat", "scarf"]})})

    assert mine.items == ["hat", "scarf", "sock"]
    assert saved(values, {})["cart"]["items"] == ["hat", "scarf", "sock"]


def test_first_change_during_a_save_keeps_a_rivals_first_one(cart):
    """Both began with the defaults, neither undoes the other."""
    values = stored()
    mine = seen(values, cart)
    values["other"] = 1
    values.delta()
    mine.note = "gift"
    theirs = {"cart": EMPTY | {"currency": "USD"}, "other": 1}
    values.rebase({key: CODEC.encode(value) for key, value in theirs.items()})

    assert (mine.note, mine.currency) == ("gift", "USD")


def test_value_that_a_rival_removed_is_seen_no_more(cart):
    """The next view begins anew."""
    values = stored(cart=EMPTY | {"items": ["hat"]})
    old = seen(values, cart)
    values["other"] = 1
    go_on(values, other=1)
    old.items.append("sock")

    assert dict(values) == {"other": 1}
    assert seen(values, cart).items == []
    assert not values.modified


def test_value_that_fits_no_more_is_told_by_the_next_view(cart):
    """A save is not failed by what a rival made of the value."""
    values = stored(cart=EMPTY)
    seen(values, cart)
    values["other"] = 1
    go_on(values, cart="no cart", other=1)

    assert dict(values) == {"cart": "no cart", "other": 1}
    with pytest.raises(ViewMismatch):
        seen(values, cart)


def test_session_that_saved_goes_on_with_its_view(cart):
    """As a WebSocket does: the state resumes, and the view with it."""
    session = opened(record(), cart=EMPTY)
    mine, state = session.view(cart, "cart"), behind(session)
    mine.items.append("hat")
    delta = state.values.delta()
    state.resume(record(version=2), delta.set, state.intent)

    assert not session.modified
    assert session.view(cart, "cart") is mine
    mine.items.append("sock")
    assert session["cart"]["items"] == ["hat", "sock"]


@dataclass(frozen=True)
class FrozenData:
    items: list[str] = field(default_factory=list)
    note: str = ""


class FrozenStruct(msgspec.Struct, frozen=True):
    items: list[str] = []
    note: str = ""


class FrozenModel(pydantic.BaseModel, frozen=True):
    items: list[str] = []
    note: str = ""


@pytest.fixture(params=[FrozenData, FrozenStruct, FrozenModel])
def frozen(request):
    """A class whose fields cannot be set, though a list in it can be changed."""
    return request.param


def test_list_of_a_frozen_class_is_watched(frozen):
    """A frozen class is seen as any other."""
    values = stored(cart={"items": ["hat"], "note": ""})
    seen(values, frozen).items.append("sock")

    assert values["cart"] == {"items": ["hat", "sock"], "note": ""}


def test_frozen_view_undoes_no_rivals_change(frozen):
    """Its list takes what a rival put in, and what is appended then stands behind it."""
    values = stored(cart={"items": ["hat"], "note": ""})
    mine = seen(values, frozen)
    values["other"] = 1
    go_on(values, cart={"items": ["hat", "sock"], "note": ""}, other=1)
    mine.items.append("scarf")

    assert seen(values, frozen) is mine
    assert saved(values, {})["cart"]["items"] == ["hat", "sock", "scarf"]


def test_frozen_view_that_cannot_follow_is_made_anew(frozen):
    """Where a rival changed a field that cannot be set the next view is another object."""
    values = stored(cart={"items": [], "note": ""})
    old = seen(values, frozen)
    values["other"] = 1
    go_on(values, cart={"items": [], "note": "gift"}, other=1)
    new = seen(values, frozen)

    assert (old.note, new.note) == ("", "gift")
    assert not values.modified
    assert values["cart"] == {"items": [], "note": "gift"}
