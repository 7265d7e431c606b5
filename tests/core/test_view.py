"""``session.view``: a value as an object of one's own class, whose changes are noticed."""

import pytest

from core.carts import EMPTY, seen
from core.mapping import CODEC, saved, stored
from core.sessions import behind, opened
from sessile.core.merge import Delta
from sessile.errors import TooLate
from sessile.testing.sample import record


def test_view_is_an_object_of_the_class(cart):
    """What is stored comes as the class; it stands under the class's name in lower case."""
    session = opened(**{cart.__name__.lower(): EMPTY | {"items": ["hat"]}})
    mine = session.view(cart)

    assert type(mine) is cart
    assert (mine.items, mine.note, mine.currency) == (["hat"], "", "EUR")
    assert session.view(cart) is mine


def test_key_can_be_named(cart):
    """Two values of one class stand under names of their own."""
    session = opened()
    session.view(cart, "mine").items.append("hat")
    session.view(cart, "gifts").items.append("sock")

    assert session["mine"]["items"] == ["hat"]
    assert session["gifts"]["items"] == ["sock"]


def test_view_is_an_access(cart):
    """An answer that was made of a view depends on the session."""
    session = opened(record())
    session.view(cart)

    assert behind(session).accessed


def test_looking_at_defaults_stores_nothing(cart):
    """A class begins with its defaults, and nothing is stored until something is changed."""
    session = opened()
    mine = session.view(cart)

    assert (mine.items, mine.currency) == ([], "EUR")
    assert not session.modified
    assert dict(session) == {}
    assert "cart" not in session


def test_looking_at_a_stored_value_stores_nothing(cart):
    """Not even where the class has fields that the stored value lacks."""
    values = stored(cart={"items": ["hat"]})

    assert seen(values, cart).currency == "EUR"
    assert not values.modified
    assert values.changes_since_delta() == []


CHANGES = {
    "a field": lambda c: setattr(c, "note", "gift"),
    "in place": lambda c: c.items.append("sock"),
    "another list": lambda c: setattr(c, "items", ["sock"]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("before", [{}, {"cart": EMPTY | {"items": ["hat"]}}])
def test_change_is_noticed(cart, before, change):
    """A field that was set and a list that was changed are saved, as a plain dict of the fields."""
    values = stored(**before)
    mine = seen(values, cart)
    change(mine)

    assert values.modified
    plain = {"items": mine.items, "note": mine.note, "currency": mine.currency}
    assert values.delta().set == {"cart": CODEC.encode(plain)}
    assert CODEC.decode(values.delta().set["cart"]) == plain


@pytest.mark.parametrize(
    "look",
    [
        lambda v: v["cart"]["items"] == ["hat"],
        lambda v: v.get("cart")["items"] == ["hat"],
        lambda v: "cart" in v,
        lambda v: list(v) == ["cart"],
        lambda v: len(v) == 1,
        lambda v: dict(v) == {"cart": EMPTY | {"items": ["hat"]}},
        lambda v: v.pop("cart")["items"] == ["hat"],
        lambda v: v.popitem()[0] == "cart",
        lambda v: v.__delitem__("cart") is None,
    ],
)
def test_change_shows_in_the_mapping_at_once(cart, look):
    """However the mapping is asked, it holds what was changed in a view."""
    values = stored()
    seen(values, cart).items.append("hat")

    assert look(values)


def test_change_that_was_undone_is_none(cart):
    """A field that is as it was needs no saving."""
    values = stored(cart=EMPTY)
    mine = seen(values, cart)
    mine.items.append("hat")
    assert values.modified
    mine.items.pop()

    assert not values.modified


def test_change_after_the_delta_is_told(cart):
    """What was changed too late to be saved is known by its key."""
    values = stored(cart=EMPTY)
    mine = seen(values, cart)
    mine.items.append("hat")
    values.delta()
    assert values.changes_since_delta() == []
    mine.items.append("sock")

    assert values.changes_since_delta() == ["cart"]


def test_view_may_be_had_when_it_is_too_late(cart):
    """Looking is allowed after the answer has left, as with any value; changes are refused."""
    session = opened(cart=EMPTY)
    behind(session).close("the answer has left")

    assert session.view(cart, "cart").currency == "EUR"
    with pytest.raises(TooLate):
        session["cart"] = EMPTY


def test_plain_write_drops_the_view(cart):
    """What is set in the view's place is the value; the next view is of that."""
    values = stored(cart=EMPTY)
    old = seen(values, cart)
    old.items.append("hat")
    values["cart"] = EMPTY | {"items": ["sock"]}
    old.items.append("scarf")
    new = seen(values, cart)

    assert new is not old
    assert new.items == ["sock"]
    assert saved(values, {})["cart"]["items"] == ["sock"]


REMOVALS = {
    "del": lambda s: s.__delitem__("cart"),
    "pop": lambda s: s.pop("cart"),
    "clear": lambda s: s.clear(),
    "logout": lambda s: s.logout(),
    "another login": lambda s: s.login("alice") or s.login("bob"),
}


@pytest.mark.parametrize("remove", REMOVALS.values(), ids=REMOVALS)
@pytest.mark.parametrize("before", [{}, {"cart": EMPTY}])
def test_removed_value_does_not_come_back_by_its_view(cart, before, remove):
    """Whoever holds the old object changes nothing any more, and a new view is empty."""
    session = opened(record(), **before)
    old = session.view(cart, "cart")
    old.items.append("hat")
    remove(session)
    old.items.append("sock")

    assert dict(session) == {}
    assert session.view(cart, "cart").items == []
    assert behind(session).values.delta() == Delta(removed=frozenset(before))


def test_removed_and_changed_again_is_a_change(cart):
    """A view after a removal begins with the defaults, and stands against the old value."""
    values = stored(cart=EMPTY | {"items": ["hat"]})
    del values["cart"]
    seen(values, cart).note = "gift"

    assert values.delta() == Delta({"cart": CODEC.encode(EMPTY | {"note": "gift"})})
