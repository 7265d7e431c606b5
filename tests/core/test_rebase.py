"""Going on after a save: what was saved is the base, what came since is still a change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.mapping import CODEC, stored
from sessile.core.mapping import Values
from sessile.core.merge import Delta, merge
from sessile.testing.effort import effort

KEYS = st.sampled_from("abc")
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["set", "list", "delete", "append", "increment"]),
        KEYS,
        st.integers(1, 3),
    ),
    max_size=6,
)


def encoded(values):
    return {key: CODEC.encode(value) for key, value in values.items()}


def act(mapping, acts):
    """Do the same to a session's values or to a plain dict."""
    for what, key, number in acts:
        now = mapping.get(key)
        if what == "set":
            mapping[key] = number
        elif what == "list":
            mapping[key] = [number]
        elif what == "delete":
            mapping.pop(key, None)
        elif what == "append" and isinstance(now, list):
            now.append(number)
        elif what == "increment" and isinstance(mapping.get(key, 0), int):
            if isinstance(mapping, Values):
                mapping.increment(key, number)
            else:
                mapping[key] = mapping.get(key, 0) + number
    return mapping


def saved(base, values):
    """Return what the store holds after the values' delta was committed on that base."""
    merged = merge(base, base, values.delta(), CODEC)
    kept = {key: blob for key, blob in base.items() if key not in merged.removed}
    return kept | merged.set


@effort(200, 5_000)
@given(ACTS, ACTS, ACTS)
def test_session_goes_on_as_if_nobody_had_saved(before, meanwhile, after):
    """Saves at any moment change nothing for the session, and in the end the store holds all."""
    base = encoded({"a": [1], "b": 5})
    values, plain = Values(base, CODEC), {"a": [1], "b": 5}
    act(values, before)
    act(plain, before)

    stored = saved(base, values)
    act(values, meanwhile)
    act(plain, meanwhile)
    values.rebase(stored)
    assert dict(values) == plain
    act(values, after)
    act(plain, after)

    assert dict(values) == plain
    assert saved(stored, values) == encoded(plain)


def test_list_that_was_handed_out_stays_the_sessions_own():
    """A list held over a save is still watched."""
    values = Values(encoded({"cart": ["socks"]}), CODEC)
    cart = values["cart"]
    cart.append("hat")

    values.rebase(saved(encoded({"cart": ["socks"]}), values))
    cart.append("scarf")

    assert values["cart"] is cart
    assert values.delta().set == encoded({"cart": ["socks", "hat", "scarf"]})


def test_value_of_a_rival_is_seen_after_a_save():
    """What the store holds after the merge is what the session shows."""
    values = Values(encoded({"cart": ["socks"], "theme": "dark"}), CODEC)
    values["cart"].append("hat")
    values.delta()

    values.rebase(encoded({"cart": ["socks", "scarf", "hat"], "theme": "light"}))

    assert dict(values) == {"cart": ["socks", "scarf", "hat"], "theme": "light"}
    assert not values.delta()


def test_refused_save_leaves_no_change_behind():
    """After a save that was dropped the session shows what the store held, changed by nothing."""
    base = encoded({"theme": "dark"})
    values = Values(base, CODEC)
    values["theme"] = "light"
    values.delta()

    values.rebase(base)

    assert dict(values) == {"theme": "dark"}
    assert not values.delta()


def test_changes_of_two_during_a_save_are_merged():
    """A list that a rival and this session extended during a save keeps both extensions."""
    values = Values(encoded({"cart": ["socks"]}), CODEC)
    cart = values["cart"]
    values.delta()
    cart.append("hat")

    values.rebase(encoded({"cart": ["socks", "scarf"]}))

    assert values["cart"] == ["socks", "scarf", "hat"]
    assert values.delta().set == encoded({"cart": ["socks", "scarf", "hat"]})


def test_increment_during_a_save_stays_an_intent():
    """What was added while a save was under way still adds up with what others add later."""
    values = Values(encoded({"n": 1}), CODEC)
    values.increment("n", 2)
    values.delta()
    values.increment("n", 10)

    values.rebase(encoded({"n": 3}))

    assert values["n"] == 13
    assert values.delta().added == {"n": 10}


def test_second_rebase_forgets_the_first_delta():
    """A saved increment is taken off once, however often the session goes on."""
    values = Values(encoded({}), CODEC)
    values.increment("n", 2)
    values.delta()
    values.rebase(encoded({"n": 2}))
    values.increment("n", 2)

    values.rebase(encoded({"n": 2}))

    assert values["n"] == 4
    assert values.delta().added == {"n": 2}


def test_saved_changes_are_not_saved_again():
    """After a save the mapping holds the same values and has nothing to save."""
    values = stored(a=1, b=[1], n=1)
    values["a"] = 2
    values["b"].append(2)
    values["new"] = {"k": 1}
    values.increment("n")
    kept = values["b"]
    values.rebase(saved(values._base, values))

    assert dict(values) == {"a": 2, "b": [1, 2], "n": 2, "new": {"k": 1}}
    assert not values.modified
    assert values["b"] is kept


def test_change_made_while_saving_is_still_to_be_saved():
    """What was changed after the delta was taken is in the next one, on top of a rival's."""
    values = stored(a=[1], n=1)
    values["a"].append(2)
    values.increment("n")
    first = values.delta()
    values["a"].append(3)
    values.increment("n", 5)
    values["late"] = 1
    theirs = {"a": CODEC.encode([1, 2]), "n": CODEC.encode(10), "rival": CODEC.encode(1)}
    values.rebase(theirs)

    assert first == Delta({"a": CODEC.encode([1, 2])}, added={"n": 1})
    assert dict(values) == {"a": [1, 2, 3], "n": 15, "rival": 1, "late": 1}
    assert saved(theirs, values) == encoded(dict(values))


def test_strayed_names_what_was_changed_after_the_delta():
    """A change in place after the last delta is told by its key, and a saved one is not."""
    values = stored(a=[1], b=[1])
    values["a"].append(2)
    values.delta()
    assert values.changes_since_delta() == []
    values["b"].append(2)

    assert values.changes_since_delta() == ["b"]


def test_everything_strays_from_a_delta_that_was_never_taken():
    """Without a delta whatever was changed in place is still unsaved."""
    values = stored(a=[1], b=[1])
    values["a"].append(2)

    assert values.changes_since_delta() == ["a"]


@pytest.mark.parametrize(
    ("held", "theirs"),
    [([1], [1, 2]), ({"a": 1, "z": 0}, {"a": 1, "b": 2}), ({1, 0}, {1, 2})],
)
def test_object_that_was_handed_out_follows_a_rival(held, theirs):
    """What the application holds shows the merged value after a save, and its changes count."""
    values = stored(k=held, other=1)
    mine = values["k"]
    values["other"] = 2
    values.delta()
    values.rebase({"k": CODEC.encode(theirs), "other": CODEC.encode(2)})

    assert values["k"] is mine
    assert mine == theirs
    assert not values.modified
    mine.clear()
    assert values.modified


def test_list_assigned_and_saved_is_changed_in_place_from_then_on():
    """A WebSocket that assigned a list, saved, and appends to it keeps a rival's append."""
    values = Values({}, CODEC)
    values["cart"] = cart = ["hat"]
    first = values.delta()
    values.rebase(encoded({"cart": ["hat"]}))
    cart.append("sock")
    second = values.delta()

    assert first.assigned == {("cart",)}
    assert not second.assigned
    theirs = encoded({"cart": ["hat", "sock"]})
    assert merge(encoded({"cart": ["hat"]}), theirs, second, CODEC).set == encoded(
        {"cart": ["hat", "sock", "sock"]}
    )


def test_list_assigned_during_a_save_is_assigned():
    """What was set as a new object while another change was being saved is the last writer's."""
    values = stored(steps=["intro"], other=1)
    values["other"] = 2
    values.delta()
    values["steps"] = ["quiz"]
    values.rebase(encoded({"steps": ["intro", "rival"], "other": 2}))

    assert values["steps"] == ["quiz"]
    assert values.delta().assigned == {("steps",)}
    theirs = encoded({"steps": ["intro", "rival", "late"], "other": 2})
    merged = merge(
        encoded({"steps": ["intro", "rival"], "other": 2}), theirs, values.delta(), CODEC
    )
    assert merged.set == encoded({"steps": ["quiz"]})


def test_list_that_is_refreshed_is_told_from_a_new_one():
    """After a rival's change of a dict its lists are the ones to append to, or to replace."""
    values = stored(form={"errors": [1]}, other=1)
    form = values["form"]
    values["other"] = 2
    values.delta()
    values.rebase(encoded({"form": {"errors": [1, 2]}, "other": 2}))
    form["errors"].append(3)
    assert not values.delta().assigned

    form["errors"] = [4]
    assert values.delta().assigned == {("form", "errors")}
