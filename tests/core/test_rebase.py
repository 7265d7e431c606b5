"""Going on after a save: what was saved is the base, what came since is still a change."""

from hypothesis import given
from hypothesis import strategies as st

from sessile.codecs.values import ValueCodec
from sessile.core.merge import merge
from sessile.core.values import Values

CODEC = ValueCodec()
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


@given(ACTS, ACTS, ACTS)
def test_session_goes_on_as_if_nobody_had_saved(before, meanwhile, after) -> None:
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


def test_list_that_was_handed_out_stays_the_sessions_own() -> None:
    """A list held over a save is still watched."""
    values = Values(encoded({"cart": ["socks"]}), CODEC)
    cart = values["cart"]
    cart.append("hat")

    values.rebase(saved(encoded({"cart": ["socks"]}), values))
    cart.append("scarf")

    assert values["cart"] is cart
    assert values.delta().set == encoded({"cart": ["socks", "hat", "scarf"]})


def test_value_of_a_rival_is_seen_after_a_save() -> None:
    """What the store holds after the merge is what the session shows."""
    values = Values(encoded({"cart": ["socks"], "theme": "dark"}), CODEC)
    values["cart"].append("hat")
    values.delta()

    values.rebase(encoded({"cart": ["socks", "scarf", "hat"], "theme": "light"}))

    assert dict(values) == {"cart": ["socks", "scarf", "hat"], "theme": "light"}
    assert not values.delta()


def test_refused_save_leaves_no_change_behind() -> None:
    """After a save that was dropped the session shows what the store held, changed by nothing."""
    base = encoded({"theme": "dark"})
    values = Values(base, CODEC)
    values["theme"] = "light"
    values.delta()

    values.rebase(base)

    assert dict(values) == {"theme": "dark"}
    assert not values.delta()


def test_changes_of_two_during_a_save_are_merged() -> None:
    """A list that a rival and this session extended during a save keeps both extensions."""
    values = Values(encoded({"cart": ["socks"]}), CODEC)
    cart = values["cart"]
    values.delta()
    cart.append("hat")

    values.rebase(encoded({"cart": ["socks", "scarf"]}))

    assert values["cart"] == ["socks", "scarf", "hat"]
    assert values.delta().set == encoded({"cart": ["socks", "scarf", "hat"]})


def test_increment_during_a_save_stays_an_intent() -> None:
    """What was added while a save was under way still adds up with what others add later."""
    values = Values(encoded({"n": 1}), CODEC)
    values.increment("n", 2)
    values.delta()
    values.increment("n", 10)

    values.rebase(encoded({"n": 3}))

    assert values["n"] == 13
    assert values.delta().added == {"n": 10}


def test_second_rebase_forgets_the_first_delta() -> None:
    """A saved increment is taken off once, however often the session goes on."""
    values = Values(encoded({}), CODEC)
    values.increment("n", 2)
    values.delta()
    values.rebase(encoded({"n": 2}))
    values.increment("n", 2)

    values.rebase(encoded({"n": 2}))

    assert values["n"] == 4
    assert values.delta().added == {"n": 2}
