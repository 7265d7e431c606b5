"""Laws of the merge: what was assigned twice is there once, and order decides who is last alone."""

from hypothesis import given
from hypothesis import strategies as st

from core.anything import VALUES, exact
from core.mapping import CODEC
from sessile.core.mapping import Values
from sessile.core.merge import merge
from sessile.testing.effort import effort

NAMES = st.sampled_from("abcd")
PLAIN = st.dictionaries(NAMES, VALUES, max_size=4)
NO_NAN = VALUES.filter(lambda v: "nan" not in str(exact(v)).lower())  # it is no equal of itself


def encoded(plain):
    return {key: CODEC.encode(value) for key, value in plain.items()}


def merged_onto(base, now, ours):
    """Return what the store holds once a delta, made from the base, is merged onto what it has."""
    merged = merge(base, now, ours, CODEC)
    return {key: blob for key, blob in now.items() if key not in merged.removed} | merged.set


def delta(base, act):
    values = Values(base, CODEC)
    act(values)
    return values.delta()


def assign(values, plain):
    """Leave a session with those values, each as a new object."""
    for key in [key for key in values if key not in plain]:
        del values[key]
    values.update(plain)


@effort(300, 10_000)
@given(PLAIN, st.dictionaries(NAMES, NO_NAN, max_size=4))
def test_what_two_assigned_alike_stands_once(before, after):
    """Whatever a request assigned and removed: a second one that did the same changes nothing."""
    base = encoded(before)
    ours = delta(base, lambda values: assign(values, after))
    once = merged_onto(base, base, ours)

    assert merged_onto(base, once, ours) == once


@effort(300, 10_000)
@given(NO_NAN, st.dictionaries(NAMES, NO_NAN, max_size=4))
def test_what_two_assigned_alike_within_a_dict_stands_once(before, after):
    """The same, of the items of a dict that is changed in place."""
    base = encoded({"k": {"a": before, "b": [before]}})
    ours = delta(base, lambda values: values["k"].update(after))
    once = merged_onto(base, base, ours)

    assert merged_onto(base, once, ours) == once


@effort(200, 10_000)
@given(*[st.lists(st.integers(0, 3), max_size=3)] * 3)
def test_last_assignment_of_a_list_stands(was, first, second):
    """Of two lists assigned the later one is there, whole, unless it begins with what was there."""
    base = encoded({"k": was})
    one, two = (delta(base, lambda v, new=new: v.update(k=new)) for new in (first, second))
    now = merged_onto(base, merged_onto(base, base, one), two)
    left = CODEC.decode(now["k"])

    if second == was:
        assert left == first
    elif first in (was, second) or second[: len(was)] != was:
        assert left == second
    else:
        assert left[-(len(second) - len(was)) :] == second[len(was) :]


ITEMS = st.integers(0, 9)
ACTS = st.lists(
    st.tuples(st.sampled_from(["append", "add", "discard", "increment", "item", "own"]), ITEMS),
    max_size=6,
)


def act(values, acts, name):
    """Change what two may change at once, each item of a dict and each key being one's own."""
    for what, number in acts:
        if what == "append":
            values["log"].append((name, number))
        elif what in {"add", "discard"}:
            getattr(values["tags"], what)(number)
        elif what == "increment":
            values.increment("hits", number)
        elif what == "item":
            values["form"][f"{name}{number}"] = [number]
        else:
            values[f"{name}{number}"] = [number]


@effort(200, 10_000)
@given(ACTS, ACTS)
def test_order_decides_who_is_last_alone(ones, twos):
    """Where nobody has to be the last writer both orders of two commits come to the same."""
    base = encoded({"log": [0], "tags": {1, 2}, "hits": 5, "form": {"x": 1}})
    one = delta(base, lambda values: act(values, ones, "one"))
    two = delta(base, lambda values: act(values, twos, "two"))
    states = []
    for first, second in ((one, two), (two, one)):
        now = merged_onto(base, merged_onto(base, base, first), second)
        plain = {key: CODEC.decode(blob) for key, blob in now.items()}
        plain["log"].sort(key=str)
        states.append(plain)

    assert states[0] == states[1]
    assert len(states[0]["log"]) == 1 + sum(what == "append" for what, _ in ones + twos)
