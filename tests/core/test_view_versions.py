"""Values of another layout are upgraded; what does not fit is told without a word of it."""

import traceback
from dataclasses import dataclass
from enum import Enum

import pytest

from core.anything import exact
from core.carts import EMPTY, seen
from core.mapping import CODEC, stored
from sessile.core.mapping import Values
from sessile.errors import ConfigError, UnsupportedValue, ViewMismatch

SECRET = "4000-0000-0000-0002"


def test_older_value_is_upgraded(cart):
    """The upgrade is given the old version and fields, once; the new layout is stored with it."""
    calls = []

    def upgrade(version, fields):
        calls.append((version, dict(fields)))
        return {"items": fields["things"]}

    values = stored(cart={"things": ["hat"]})
    mine = seen(values, cart, 2, upgrade)

    assert mine.items == ["hat"]
    assert calls == [(1, {"things": ["hat"]})]
    assert not values.modified
    mine.items.append("sock")
    assert values["cart"] == {
        "items": ["hat", "sock"],
        "note": "",
        "currency": "EUR",
        "_version": 2,
    }
    later = Values(values.delta().set, CODEC)
    assert seen(later, cart, 2, upgrade).items == ["hat", "sock"]
    assert len(calls) == 1


def test_newer_value_is_given_to_the_upgrade_too(cart):
    """A server that still has the older class may read what a newer one has stored."""
    given = []
    values = stored(cart={"things": ["hat"], "_version": 3})
    mine = seen(values, cart, 1, lambda *old: given.append(old) or {"items": old[1]["things"]})

    assert mine.items == ["hat"]
    assert given == [(3, {"things": ["hat"]})]


def test_class_that_begins_at_a_later_version_needs_no_upgrade(cart):
    """Defaults are of the present version; nothing is upgraded where nothing is stored."""
    values = stored()
    seen(values, cart, 2, lambda *_: pytest.fail("called")).items.append("hat")

    assert values["cart"]["_version"] == 2


MISFITS = [
    SECRET,
    [SECRET],
    None,
    7,
    {"items": SECRET},
    {"items": [SECRET, 7]},
    {"items": {SECRET: SECRET}},
    {"note": [SECRET]},
    {7: SECRET, "note": 7},
]


@pytest.mark.parametrize("misfit", MISFITS, ids=range(len(MISFITS)))
def test_value_that_does_not_fit_is_a_mismatch(cart, misfit):
    """The error names the key and the class, and nowhere shows what is stored."""
    values = stored(cart=misfit)
    with pytest.raises(ViewMismatch) as refused:
        seen(values, cart)

    assert (refused.value.key, refused.value.kind) == ("cart", cart.__name__)
    assert f"session['cart'] is no {cart.__name__}" in str(refused.value)
    assert SECRET not in "".join(traceback.format_exception(refused.value))
    assert SECRET not in refused.value.reason
    assert exact(values["cart"]) == exact(misfit)
    assert not values.modified


def test_mismatch_tells_the_versions(cart):
    """Whoever changed the class without an upgrade is told what to write."""
    with pytest.raises(ViewMismatch, match=r"version 1, the class of 2; see .*upgrade="):
        seen(stored(cart={"items": "hat"}), cart, 2)


class Strict(Enum):
    A = "a"


@dataclass
class Chosen:
    letter: Strict = Strict.A


def test_value_of_no_member_is_not_quoted():
    """What is no member of an Enum any more is a mismatch like any other."""
    with pytest.raises(ViewMismatch) as refused:
        stored(cart={"letter": SECRET}).view(Chosen, "cart", 1, None)

    assert SECRET not in "".join(traceback.format_exception(refused.value))


WRONG = [lambda c: c.items.append(7), lambda c: setattr(c, "note", [SECRET])]


@pytest.mark.parametrize("change", WRONG)
def test_change_that_does_not_fit_the_class_is_refused_when_it_is_saved(cart, change):
    """By the request that did it, and not by every later one that would read it."""
    values = stored(cart=EMPTY, other=1)
    change(seen(values, cart))
    with pytest.raises(UnsupportedValue, match=rf"session\['cart'\]: .*{cart.__name__}") as refused:
        values.delta()

    assert SECRET not in "".join(traceback.format_exception(refused.value))
    assert values["other"] == 1


def test_change_to_what_cannot_be_kept_names_its_key(cart):
    """An object of a class that no store could keep is refused as in any value."""
    values = stored(other=1)
    seen(values, cart).items.append(object())
    with pytest.raises(UnsupportedValue, match=r"session\['cart'\]: object cannot be kept"):
        values.delta()

    assert values["other"] == 1


@pytest.mark.parametrize(("stored_version", "version"), [(2, 1), (1, 2), (2, 3)])
def test_other_version_without_an_upgrade_is_not_guessed_at(cart, stored_version, version):
    """Fields that only the other version has would be lost with the next change."""
    other = {"amounts": {"hat": 1}, "_version": stored_version}
    if stored_version == 1:
        del other["_version"]
    values = stored(cart=other)

    with pytest.raises(ViewMismatch, match=f"version {stored_version}, the class of {version}"):
        seen(values, cart, version)
    assert not values.modified


def test_upgrade_is_a_function_that_returns_fields(cart):
    """What is none is told in words, and nothing is changed."""
    values = stored(cart={"items": ["hat"]})

    with pytest.raises(ConfigError, match="upgrade=5: write a function"):
        values.view(cart, "cart", 2, 5)
    with pytest.raises(ConfigError, match="upgrade returned a NoneType; return a dict"):
        values.view(cart, "cart", 2, lambda version, fields: None)
    assert not values.modified
