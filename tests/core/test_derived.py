"""A session with values of derived classes does what it does with plain ones."""

import enum
from collections import OrderedDict, defaultdict

import pytest
from hypothesis import given

from core.anything import VALUES
from core.derived import KINDS, derived
from core.mapping import CODEC, stored
from sessile.core.mapping import Values
from sessile.core.merge import merge
from sessile.errors import UnsupportedValue
from sessile.testing.effort import effort


class Colour(enum.IntEnum):
    RED = 3


class Frozen(dict):
    """A kind of dict that takes no change."""

    def clear(self):
        raise TypeError("frozen")


@effort(100, 3_000)
@given(VALUES, VALUES)
def test_delta_of_derived_values_is_that_of_plain_ones(before, value):
    """Set, put into what is there, or offered as a default: the same is stored."""

    def act(value):
        values = stored(old=before, box={"k": before})
        values["new"] = value
        values["old"] = value
        values["box"]["k"] = value
        values.get("none", value)
        values.setdefault("begun", value)
        delta = values.delta()
        return delta.set, delta.before, {CODEC.encode(place) for place in delta.assigned}

    assert act(derived(value)) == act(value)


@effort(100, 3_000)
@given(VALUES)
def test_equal_value_of_a_derived_class_is_no_change(value):
    """Put in the place of its plain twin, it leaves nothing to be saved."""
    values = stored(key=value, box=[value])
    values["key"] = derived(value)
    values["box"][0] = derived(value)

    assert not values.modified


def together(base, *acts):
    """Return what is stored once all acts were done to the same base at once."""
    start = {key: CODEC.encode(value) for key, value in base.items()}
    now = start
    for act in acts:
        values = Values(start, CODEC)
        act(values)
        done = merge(start, now, values.delta(), CODEC)
        now = {k: v for k, v in {**now, **done.set}.items() if k not in done.removed}
    return {key: CODEC.decode(blob) for key, blob in now.items()}


@pytest.mark.parametrize("kind", [dict, OrderedDict, KINDS[dict]])
def test_rivals_merge_what_they_assigned(kind):
    """What was assigned as a new object stands as it was assigned, of whatever class it is."""
    held = together(
        {"cart": {"hat": 1}, "box": {"in": {"hat": 1}}},
        lambda v: v.update(cart=kind(scarf=1), box=kind({"in": kind(scarf=1)})),
        lambda v: (v.update(cart=kind(glove=1)), v["box"].__setitem__("in", kind(glove=1))),
    )
    assert held == {"cart": {"glove": 1}, "box": {"in": {"glove": 1}}}


def test_rivals_merge_what_they_put_into_a_derived_dict():
    """It is changed in place where it was set, and merged as the dict that it will be."""

    def counts(name):
        def act(values):
            found = values.setdefault("seen", defaultdict(list))
            found["pages"].append(name)
            found[name].append(1)

        return act

    assert together({}, counts("a"), counts("b")) == {
        "seen": {"pages": ["a", "b"], "a": [1], "b": [1]}
    }


def test_value_of_a_derived_class_is_the_sessions_own():
    """It is handed out as it was set, and a change of it is saved."""
    values = stored()
    info = values["info"] = OrderedDict(sub="42")
    values.delta()
    info["roles"] = ["admin"]

    assert values["info"] is info
    assert values.delta().set == {"info": CODEC.encode({"sub": "42", "roles": ["admin"]})}


@pytest.mark.parametrize(
    ("held", "theirs"),
    [
        (OrderedDict(a=1), {"a": 1, "b": 2}),
        (KINDS[list]([1]), [1, 2]),
        (KINDS[set]({1}), {1, 2}),
    ],
    ids=lambda held: type(held).__name__,
)
def test_object_of_a_derived_class_follows_a_rival(held, theirs):
    """A long-lived session goes on with what was handed out, and it holds the rival's items."""
    values = stored()
    values["key"] = held
    values.delta()
    values.rebase({"key": CODEC.encode(theirs)})

    assert values["key"] is held
    assert held == theirs


def test_object_that_cannot_follow_is_replaced():
    """A dict that takes no change stays as it is, and the session has the rival's."""
    values = stored()
    held = values["key"] = Frozen(a=1)
    values.delta()
    values.rebase({"key": CODEC.encode({"a": 2})})

    assert (values["key"], dict(held)) == ({"a": 2}, {"a": 1})


def test_member_of_an_enum_is_a_number():
    """It is added, and added to, as the number it is kept as; the sum is a plain one."""
    values = stored(stored=1)
    values["here"] = Colour.RED
    found = [values.increment(key, Colour.RED) for key in ("stored", "here", "none")]

    assert found == [4, 6, 3]
    assert {type(one) for one in found} == {int}
    assert values.delta().added == {"stored": 3, "none": 3}
    with pytest.raises(UnsupportedValue, match="increment takes"):
        values.increment("stored", True)
