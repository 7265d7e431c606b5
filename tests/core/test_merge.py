"""Three-way merges: what two requests did to one session, both kept."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.anything import TEXT, VALUES, exact
from sessile.codecs.msgpack import ValueCodec
from sessile.core.mapping import Values
from sessile.core.merge import Delta, merge, merge_value, plus, same
from sessile.core.view import refresh
from sessile.testing.effort import effort

CODEC = ValueCodec()
NAMES = st.sampled_from("abcd")
PLAIN = st.dictionaries(NAMES, VALUES, max_size=4)
COUNTS = st.integers(-100, 100)


def encoded(plain):
    return {key: CODEC.encode(value) for key, value in plain.items()}


def after(base, theirs, ours):
    """Return what the store holds once our delta is merged onto their state."""
    found = encoded(base)
    now = found if theirs is base else encoded(theirs)
    merged = merge(found, now, ours, CODEC)
    kept = {key: blob for key, blob in now.items() if key not in merged.removed}
    return {key: CODEC.decode(blob) for key, blob in (kept | merged.set).items()}


def edit_of(base, key, value):
    """Return the delta of a request that changed one list, dict or set in place."""
    values = Values(encoded(base), CODEC)
    refresh(values[key], value)
    return values.delta()


def delta(base, ours):
    """Return the delta of a request that found one state and assigned another."""
    values = Values(encoded(base), CODEC)
    for key in base.keys() - ours.keys():
        del values[key]
    values.update(ours)
    return values.delta()


@effort(200, 5_000)
@given(PLAIN, PLAIN)
def test_without_a_rival_our_state_stands(base, ours):
    """Merged onto the state it was made from, a delta gives exactly the state it was made for."""
    for theirs in (base, dict(base)):
        merged = after(base, theirs, delta(base, ours))
        assert {k: exact(v) for k, v in merged.items()} == {k: exact(v) for k, v in ours.items()}


@effort(200, 5_000)
@given(PLAIN, PLAIN)
def test_without_a_change_their_state_stands(base, theirs):
    """A request that changed nothing changes nothing of what a rival did."""
    merged = after(base, theirs, Delta())

    assert {k: exact(v) for k, v in merged.items()} == {k: exact(v) for k, v in theirs.items()}


@effort(200, 5_000)
@given(PLAIN, st.data())
def test_different_keys_both_survive(base, data):
    """Changes of different keys are both in the result, whichever of the two came first."""
    mine = {key: data.draw(st.none() | VALUES) for key in "ab"}
    yours = {key: data.draw(st.none() | VALUES) for key in "cd"}
    ours, theirs = base | mine, base | yours
    both = {key: exact(value) for key, value in (base | mine | yours).items()}

    for first, second in ((ours, theirs), (theirs, ours)):
        merged = after(base, first, delta(base, second))
        assert {key: exact(value) for key, value in merged.items()} == both


HUGE = 10**5_000  # Python refuses to spell it


def test_numbers_of_any_length_are_merged():
    """Of two that are long as of two that are short it is told whether they are the same."""
    assert after({"a": [HUGE]}, {"a": [HUGE, 1]}, edit_of({"a": [HUGE]}, "a", [HUGE, 2])) == {
        "a": [HUGE, 1, 2]
    }
    assert same(HUGE, HUGE + 0)
    assert not same(HUGE, HUGE + 1)


@effort(200, 5_000)
@given(*[st.lists(COUNTS, max_size=4)] * 3)
def test_lists_keep_both_extensions(was, mine, yours):
    """Two requests that extended one list both keep what they added, the earlier one first."""
    merged = after({"k": was}, {"k": was + yours}, edit_of({"k": was}, "k", was + mine))

    assert merged == {"k": was + yours + mine}


@effort(100, 5_000)
@given(*[st.lists(COUNTS, max_size=4)] * 3)
def test_edit_and_extension_of_a_list_both_survive(was, edit, more):
    """Where one side edited a list and the other extended it, the extension follows the edit."""
    edited, extended = {"k": edit}, {"k": was + more}
    expected = {"k": edit + more}
    if edit[: len(was)] != was and more:
        assert after({"k": was}, edited, edit_of({"k": was}, "k", was + more)) == expected
        assert after({"k": was}, extended, edit_of({"k": was}, "k", edit)) == expected


@effort(200, 5_000)
@given(*[st.sets(st.integers(0, 9))] * 3)
def test_sets_unite(was, mine, yours):
    """What either side added is in the set, and what either side took out is not."""
    merged = merge_value(was, yours, mine)

    for item in was | mine | yours:
        added = item not in was and (item in mine or item in yours)
        kept = item in was and item in mine and item in yours
        assert (item in merged) == (added or kept)


@effort(200, 5_000)
@given(*[st.dictionaries(st.integers(0, 5), COUNTS)] * 3)
def test_dicts_merge_item_by_item(was, mine, yours):
    """Each item that one side alone changed is as that side left it; of two changes ours stands."""
    missing = object()
    merged = merge_value(dict(was), dict(yours), dict(mine))
    assert isinstance(merged, dict)

    for item in {*was, *mine, *yours}:
        old, our, their = (side.get(item, missing) for side in (was, mine, yours))
        expected = their if our == old else our
        assert merged.get(item, missing) == expected, item


@effort(200, 5_000)
@given(VALUES, VALUES)
def test_item_that_one_side_changed_is_as_it_left_it(old, new):
    """Inside a dict a change of one side alone survives exactly, whatever Python calls equal."""
    was = {"k": old, "other": 1}
    mine, yours = {"k": new, "other": 1}, {"k": old, "other": 2}
    both = exact({"k": new, "other": 2})

    assert exact(merge_value(was, yours, mine)) == both
    assert exact(merge_value(was, mine, yours)) == both


def test_nested_changes_both_survive():
    """Lists in dicts in dicts are merged where they stand."""
    was = {"cart": {"items": ["hat"], "note": "x"}, "seen": {1}}
    mine = {"cart": {"items": ["hat", "sock"], "note": "x"}, "seen": {1, 2}}
    yours = {"cart": {"items": ["hat", "shoe"], "note": "y"}, "seen": {1, 3}}

    assert merge_value(was, yours, mine) == {
        "cart": {"items": ["hat", "shoe", "sock"], "note": "y"},
        "seen": {1, 2, 3},
    }


@pytest.mark.parametrize(
    ("was", "their", "our"),
    [
        (1, 2, 3),
        ("a", "b", "c"),
        ((1,), (1, 2), (1, 3)),
        ([1], "text", [1, 2]),
        ([1], [1, 2], None),
        ({1}, {1, 2}, frozenset({1, 3})),
        ({"a": 1}, [1], {"a": 2}),
        ([1, 2], [3], [4]),
    ],
)
def test_of_two_changes_that_cannot_be_joined_the_last_stands(was, their, our):
    """Scalars, tuples and values of different kinds are one value: the last writer's."""
    assert exact(merge_value(was, their, our)) == exact(our)


@pytest.mark.parametrize(
    ("their", "our", "merged"),
    [([1], [2], [1, 2]), ({1}, {2}, {1, 2}), ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}), (1, 2, 2)],
)
def test_containers_that_both_began_are_joined(their, our, merged):
    """Two requests that each made the first cart have one cart with the items of both."""
    assert after({}, {"k": their}, Delta(encoded({"k": our}))) == {"k": merged}
    nested = merge_value({}, {"k": their}, {"k": our})
    assert nested == {"k": merged}


def test_removal_and_change_of_one_key():
    """Our removal removes what a rival changed; our change stands where a rival removed."""
    assert after({"k": 1}, {"k": 2}, Delta(removed=frozenset({"k"}))) == {}
    assert after({"k": 1}, {}, Delta(encoded({"k": 2}))) == {"k": 2}


@pytest.mark.parametrize(
    ("rival", "left"), [([1, 2, 3], [2, 3]), ([1], None), ([2], None), ([], None), ("text", None)]
)
def test_extension_of_a_list_outlives_its_removal(rival, left):
    """A message left while the others were being taken waits for the next page; no other does."""
    kept = {} if left is None else {"k": left}
    assert after({"k": [1]}, {"k": rival}, Delta(removed=frozenset({"k"}))) == kept

    ours = after({"k": [1]}, {}, Delta(encoded({"k": rival})))
    assert ours == {"k": rival if left is None else left}


@pytest.mark.parametrize("broken", [b"", b"\xc1"])
def test_value_that_cannot_be_read_counts_as_absent(broken):
    """A rival's unreadable bytes stop no merge: our value stands, our removal removes."""
    base, theirs = encoded({"k": [1]}), {"k": broken}
    ours = Delta(encoded({"k": [1, 2]}))

    assert merge(base, theirs, ours, CODEC).set == encoded({"k": [1, 2]})
    assert merge(theirs, encoded({"k": [1]}), ours, CODEC).set.keys() == {"k"}
    assert merge(base, theirs, Delta(removed=frozenset({"k"})), CODEC).removed == {"k"}
    assert merge(base, theirs, Delta(added={"k": 2}), CODEC).set == encoded({"k": 2})


def test_text_of_a_delta_shows_no_value():
    """Neither what was changed nor what is to be written is in a log."""
    ours = Delta({"card": CODEC.encode("4000")}, frozenset({"gone"}), {"hits": 4000})
    merged = merge({}, {"gone": b"x"}, ours, CODEC)

    assert repr(ours) == "<Delta of 3 keys>"
    assert repr(merged) == "<Merged of 3 keys>"


def test_removal_by_both_is_no_removal():
    """What a rival removed need not be removed again."""
    merged = merge(encoded({"k": 1}), {}, Delta(removed=frozenset({"k", "never"})), CODEC)

    assert merged.removed == frozenset()


@effort(100, 2_000)
@given(st.integers(), st.lists(COUNTS, max_size=6))
def test_increments_add_up(start, amounts):
    """Any number of increments made from one state add up, in any order."""
    state = {"n": start}
    for amount in amounts:
        state = after({"n": start}, state, Delta(added={"n": amount}))

    assert state == {"n": start + sum(amounts)}


@pytest.mark.parametrize("theirs", [{}, {"n": "text"}, {"n": True}, {"n": None}, {"n": [1]}])
def test_increment_counts_from_zero_where_no_number_stands(theirs):
    """A counter that a rival removed or replaced begins anew."""
    assert after({"n": 5}, theirs, Delta(added={"n": 2})) == {"n": 2}


@pytest.mark.parametrize(
    ("a", "b", "total"),
    [
        (1, 2, 3),
        (1, 0.5, 1.5),
        (0.5, 1, 1.5),
        (0.5, 0.25, 0.75),
        (1, Decimal("0.5"), Decimal("1.5")),
        (Decimal("0.5"), Decimal("0.25"), Decimal("0.75")),
        (0.1, Decimal("0.2"), Decimal("0.3")),
        (Decimal("0.1"), 0.2, Decimal("0.3")),
    ],
)
def test_numbers_of_all_kinds_add(a, b, total):
    """Decimal beats float beats int, and a float counts as what it shows."""
    assert exact(plus(a, b)) == exact(total)


PLAIN_KINDS = VALUES.filter(lambda value: not re.search("nan|set", str(exact(value)).lower()))
"""No NaN and no set, which ``==`` alone can compare inside a dict's keys."""


@effort(300, 5_000)
@given(PLAIN_KINDS, PLAIN_KINDS)
def test_same_is_the_same_bytes(a, b):
    """Two values are the same if they are stored as the same bytes."""
    assert same(a, CODEC.decode(CODEC.encode(a)))
    assert same(a, b) == (exact(a) == exact(b))


@pytest.mark.parametrize(
    ("a", "b"),
    [(1, True), (1, 1.0), (0.0, -0.0), (Decimal("1.0"), Decimal("1.00")), ([1], [True])],
)
def test_values_that_python_calls_equal_differ(a, b):
    """A change of kind, sign or digits is a change, alone and inside any container."""
    for wrap in (lambda v: v, lambda v: [v], lambda v: (v,), lambda v: {"k": v}):
        assert not same(wrap(a), wrap(b))
        assert same(wrap(a), wrap(a))


def test_delta_of_nothing_is_false():
    """A delta is true when there is something to save."""
    assert not Delta()
    assert Delta({"a": b""})
    assert Delta(removed=frozenset("a"))
    assert Delta(added={"a": 0})


@effort(100, 1_000)
@given(TEXT, VALUES)
def test_merge_changes_neither_side(name, value):
    """The values that go into a merge are as they were when it comes out."""
    was, their, our = {name: [value]}, {name: [value, 1]}, {name: [value, 2], "x": value}
    before = [exact(side) for side in (was, their, our)]
    merge_value(was, their, our)

    assert [exact(side) for side in (was, their, our)] == before
