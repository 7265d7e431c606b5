"""A session's mapping notices every change, however deep, and nothing that is none."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.anything import TEXT, VALUES, exact
from sessile.codecs.values import ValueCodec
from sessile.core.merge import Delta
from sessile.core.values import Values
from sessile.errors import UnsupportedValue
from sessile.testing.effort import effort

CODEC = ValueCodec()


def stored(**values: Any) -> Values:
    """Return a mapping over values that the store holds."""
    return Values({key: CODEC.encode(value) for key, value in values.items()}, CODEC)


def saved(values: Values, base: dict[str, bytes]) -> dict[str, Any]:
    """Return what the store holds after the mapping's delta was applied to it."""
    delta = values.delta()
    after = {k: v for k, v in base.items() if k not in delta.removed} | delta.set
    plain = {key: CODEC.decode(blob) for key, blob in after.items()}
    return plain | {key: plain.get(key, 0) + amount for key, amount in delta.added.items()}


MUTATIONS: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "list append": ([1], lambda v: v.append(2)),
    "list extend": ([1], lambda v: v.extend([2])),
    "list +=": ([1], lambda v: v.__iadd__([2])),
    "list *=": ([1], lambda v: v.__imul__(2)),
    "list insert": ([1], lambda v: v.insert(0, 2)),
    "list []=": ([1], lambda v: v.__setitem__(0, 2)),
    "list type": ([1], lambda v: v.__setitem__(0, True)),
    "list slice": ([1, 2], lambda v: v.__setitem__(slice(0, 1), [])),
    "list del": ([1], lambda v: v.__delitem__(0)),
    "list pop": ([1], lambda v: v.pop()),
    "list remove": ([1], lambda v: v.remove(1)),
    "list clear": ([1], lambda v: v.clear()),
    "list sort": ([2, 1], lambda v: v.sort()),
    "list reverse": ([1, 2], lambda v: v.reverse()),
    "dict []=": ({"a": 1}, lambda v: v.__setitem__("a", 2)),
    "dict new": ({"a": 1}, lambda v: v.__setitem__("b", 2)),
    "dict del": ({"a": 1}, lambda v: v.__delitem__("a")),
    "dict pop": ({"a": 1}, lambda v: v.pop("a")),
    "dict popitem": ({"a": 1}, lambda v: v.popitem()),
    "dict clear": ({"a": 1}, lambda v: v.clear()),
    "dict update": ({"a": 1}, lambda v: v.update(a=2)),
    "dict |=": ({"a": 1}, lambda v: v.__ior__({"b": 2})),
    "dict setdefault": ({"a": 1}, lambda v: v.setdefault("b", [])),
    "dict order": ({"a": 1, "b": 2}, lambda v: v.__setitem__("a", v.pop("a"))),
    "set add": ({1}, lambda v: v.add(2)),
    "set remove": ({1}, lambda v: v.remove(1)),
    "set discard": ({1}, lambda v: v.discard(1)),
    "set pop": ({1}, lambda v: v.pop()),
    "set clear": ({1}, lambda v: v.clear()),
    "set update": ({1}, lambda v: v.update({2})),
    "set |=": ({1}, lambda v: v.__ior__({2})),
    "set &=": ({1}, lambda v: v.__iand__({2})),
    "set -=": ({1}, lambda v: v.__isub__({1})),
    "set ^=": ({1}, lambda v: v.__ixor__({2})),
}
PATHS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "itself": (lambda v: v, lambda v: v),
    "in a list": (lambda v: [0, v], lambda v: v[1]),
    "in a tuple": (lambda v: (0, v), lambda v: v[1]),
    "in a dict": (lambda v: {"k": v}, lambda v: v["k"]),
    "deep": (lambda v: {"k": [(v,)]}, lambda v: v["k"][0][0]),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_nested_change_is_noticed(mutation: str, path: str) -> None:
    """Every method that changes a list, dict or set in place is seen, at any depth."""
    value, change = MUTATIONS[mutation]
    wrap, unwrap = PATHS[path]
    values = stored(key=wrap(value), other=[1])
    change(unwrap(values["key"]))

    assert values.modified
    assert values.delta() == Delta({"key": CODEC.encode(values["key"])})


@effort(200, 5_000)
@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_looking_changes_nothing(plain: dict[str, Any]) -> None:
    """However values are read and walked through, there is nothing to save."""
    values = stored(**{f"k{key}": value for key, value in plain.items()})
    for key in values:
        assert key in values
        assert values.get(key) is values[key]
    assert [exact(v) for v in values.values()] == [exact(v) for v in plain.values()]
    assert len(list(values.items())) == len(values) == len(plain)

    assert values.accessed
    assert not values.modified
    assert values.delta() == Delta()


def test_untouched_mapping_was_not_accessed() -> None:
    """As long as nobody looks the session was not used, so the answer can be cached."""
    values = stored(a=1)
    assert not values.accessed
    values.delta()
    assert not values.accessed


@pytest.mark.parametrize(
    "look",
    [
        lambda v: v.get("a"),
        lambda v: "a" in v,
        len,
        list,
        bool,
        lambda v: v.keys() | set(),
        dict,
        lambda v: v == {},
        lambda v: v.pop("a", None),
        lambda v: v.clear(),
        lambda v: v.__setitem__("a", 1),
        lambda v: v.modified,
        lambda v: v.increment("n"),
        lambda v: setattr(v, "modified", True),
    ],
)
def test_any_use_is_an_access(look: Callable[[Values], object]) -> None:
    """Whatever is asked of the mapping, the answer depends on the session."""
    values = stored()
    look(values)

    assert values.accessed


KEYS = st.sampled_from(["a", "b", "c", "d"])
SMALL = st.integers(-3, 3) | st.lists(st.integers(0, 3), max_size=2) | st.just("text")
ACTS = st.one_of(
    st.tuples(st.just("__setitem__"), KEYS, SMALL),
    st.tuples(st.just("__delitem__"), KEYS),
    st.tuples(st.just("pop"), KEYS, st.none()),
    st.tuples(st.just("popitem")),
    st.tuples(st.just("setdefault"), KEYS, SMALL),
    st.tuples(st.just("update"), st.dictionaries(KEYS, SMALL, max_size=2)),
    st.tuples(st.just("__ior__"), st.dictionaries(KEYS, SMALL, max_size=2)),
    st.tuples(st.just("clear")),
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("__contains__"), KEYS),
    st.tuples(st.just("__len__")),
    st.tuples(st.just("append"), KEYS),
    st.tuples(st.just("increment"), KEYS, st.integers(-3, 3)),
)


def act(target: Any, name: str, *args: Any) -> Any:
    """Do the same to a dict or a session's mapping; return the answer, or what it raised."""
    try:
        if name == "append":
            return target[args[0]].append(9)
        if name == "increment" and isinstance(target, dict):
            total = target.get(args[0], 0) + args[1]
            target[args[0]] = total
            return total
        answer = getattr(target, name)(*args)
    except (KeyError, TypeError, AttributeError) as error:
        return KeyError if isinstance(error, KeyError) else TypeError
    return None if name in {"__ior__", "popitem"} else answer


@effort(500, 20_000)
@given(st.dictionaries(KEYS, SMALL, max_size=4), st.lists(ACTS, max_size=12))
def test_mapping_equals_a_dict(start: dict[str, Any], acts: list[tuple[Any, ...]]) -> None:
    """After any sequence of acts the mapping is what a dict would be, and so is what is saved."""
    plain = {key: CODEC.decode(CODEC.encode(value)) for key, value in start.items()}
    base = {key: CODEC.encode(value) for key, value in start.items()}
    values = Values(base, CODEC)
    for name, *args in acts:
        if name == "popitem" and plain:
            key, value = values.popitem()
            assert plain.pop(key) == value
        elif name in {"pop", "setdefault", "__setitem__", "update", "__ior__"}:
            assert act(values, name, *args) == act(plain, name, *CODEC.decode(CODEC.encode(args)))
        else:
            assert act(values, name, *args) == act(plain, name, *args)
        assert dict(values) == plain
        assert saved(values, base) == plain
        assert values.modified == bool(values.delta())


def test_update_in_place_is_the_same_mapping() -> None:
    """``|=`` leaves a session a session."""
    values = alias = stored()
    alias |= {"a": 1}

    assert alias is values
    assert dict(values) == {"a": 1}


def test_value_removed_and_set_again_is_a_change() -> None:
    """What was removed and set anew stands against a rival's change, though it is what it was."""
    for remove in (lambda v: v.pop("a"), lambda v: v.clear()):
        values = stored(a=1)
        remove(values)
        values["a"] = 1
        assert values.delta() == Delta({"a": CODEC.encode(1)})


def test_setting_the_same_value_is_no_change() -> None:
    """A value that is set to what it was needs no saving."""
    values = stored(a=[1], b="x")
    values["a"], values["b"] = [1], "x"

    assert not values.modified


@pytest.mark.parametrize(("old", "new"), [(1, True), (1, 1.0), (0.0, -0.0), ([1], (1,))])
def test_change_of_type_is_a_change(old: Any, new: Any) -> None:
    """Values that Python calls equal but that are different are a change."""
    values = stored(a=old)
    values["a"] = new

    assert values.delta() == Delta({"a": CODEC.encode(new)})


def test_value_set_back_is_no_change() -> None:
    """A nested change that was undone leaves nothing to save."""
    values = stored(a=[1])
    values["a"].append(2)
    values["a"].pop()

    assert not values.modified


def test_own_object_is_followed() -> None:
    """An object that was put in is the one in the session: what happens to it later counts."""
    values, cart = stored(), ["hat"]
    values["cart"] = cart
    cart.append("sock")

    assert values["cart"] is cart
    assert saved(values, {}) == {"cart": ["hat", "sock"]}


@pytest.mark.parametrize("key", [1, None, b"a", ("a",), "a\ud800"])
def test_strange_key_is_refused_when_it_is_set(key: Any) -> None:
    """A key that is no text, or that no store could write, is an error at once; nothing is set."""
    values = stored()
    for setting in (values.__setitem__, values.setdefault, lambda k, v: values.update({k: v})):
        with pytest.raises(UnsupportedValue):
            setting(key, 1)
    with pytest.raises(UnsupportedValue):
        values.increment(key)

    assert dict(values) == {}
    assert not values.modified


def test_unsupported_value_names_its_key_when_it_is_set() -> None:
    """A value that cannot be kept is refused at once, by the key; the old value stays."""
    values = stored(a=1)
    with pytest.raises(UnsupportedValue, match=r"session\['a'\]: object cannot be kept") as error:
        values["a"] = object()

    assert error.value.key == "a"
    assert values["a"] == 1


def test_unsupported_value_put_in_later_names_its_key() -> None:
    """A nested change to what cannot be kept is refused when the delta is taken."""
    values = stored(a=[])
    values["a"].append(object())
    with pytest.raises(UnsupportedValue, match=r"session\['a'\]"):
        values.delta()


@pytest.mark.parametrize("blob", [b"", b"\xc1", b"\x92\x01", b"\xc7\x02\x09no"])
def test_unreadable_value_counts_as_absent(blob: bytes) -> None:
    """A stored value that cannot be read is not there, in any way of looking, and is reported."""
    looks = [
        (list, ["good"]),
        (dict, {"good": 1}),
        (len, 1),
        (lambda v: v.get("bad"), None),
        (lambda v: "bad" in v, False),
        (lambda v: v.pop("bad", 0), 0),
    ]
    for look, answer in looks:
        values = Values({"bad": blob, "good": CODEC.encode(1)}, CODEC)
        assert look(values) == answer
        assert dict(values) == {"good": 1}
        assert (len(values), list(values), "bad" in values) == (1, ["good"], False)
        assert values.corrupt == ("bad",)
        assert not values.modified

    values["bad"] = 2
    assert dict(values) == {"good": 1, "bad": 2}


def test_missing_key_is_a_key_error() -> None:
    """A key that is not there is a KeyError for reading and deleting alike."""
    values = stored(a=1)
    del values["a"]
    for key in ("a", "never"):
        with pytest.raises(KeyError):
            values[key]
        with pytest.raises(KeyError):
            del values[key]
    with pytest.raises(KeyError, match="empty"):
        values.popitem()


# Increments are intents.


def test_increment_is_an_intent() -> None:
    """An increment is saved as what was added, not as the sum, so that parallel ones add up."""
    values = stored(n=5)
    assert values.increment("n") == 6
    assert values.increment("n", 2) == 8
    assert values.increment("new", -1) == -1

    assert values["n"] == 8
    assert values.delta() == Delta(added={"n": 3, "new": -1})


def test_increment_of_an_own_value_is_part_of_it() -> None:
    """What this request set is counted on as a value, not as an intent."""
    values = stored(n=5)
    values["n"] = 1
    values.increment("n")
    assert values.delta() == Delta({"n": CODEC.encode(2)})

    del values["n"]
    values.increment("n")
    assert saved(values, {"n": CODEC.encode(5)}) == {"n": 1}


def test_setting_takes_an_increment_back() -> None:
    """A value set, or removed, after an increment stands alone."""
    values = stored(n=5, m=5)
    values.increment("n")
    values.increment("m")
    values["n"] = 7
    del values["m"]

    assert values.delta() == Delta({"n": CODEC.encode(7)}, frozenset({"m"}))


@pytest.mark.parametrize(
    ("start", "by", "total"),
    [
        (1, 0.5, 1.5),
        (0.5, 1, 1.5),
        (Decimal("0.10"), Decimal("0.20"), Decimal("0.30")),
        (Decimal("0.1"), 0.2, Decimal("0.3")),
        (0.1, Decimal("0.2"), Decimal("0.3")),
        (2**64, 1, 2**64 + 1),
    ],
)
def test_increment_takes_every_number(start: Any, by: Any, total: Any) -> None:
    """Int, float and Decimal count with each other; the more exact kind wins."""
    assert exact(stored(n=start).increment("n", by)) == exact(total)


@pytest.mark.parametrize(
    ("start", "by"), [("1", 1), (True, 1), ([1], 1), (1, True), (1, "1"), (1, None), (None, 1)]
)
def test_increment_of_no_number_is_refused(start: Any, by: Any) -> None:
    """What is no number, a truth value included, is not counted on, and nothing changes."""
    values = stored(n=start)
    with pytest.raises(UnsupportedValue, match=r"session\['n'\]"):
        values.increment("n", by)

    assert not values.modified


def test_increment_of_what_was_set_and_removed_is_an_intent() -> None:
    """A value of this request's own that it removed again leaves no trace in a counter."""
    values = stored()
    values["n"] = 5
    del values["n"]
    values.increment("n")

    assert values.delta() == Delta(added={"n": 1})


@pytest.mark.parametrize(
    ("start", "by"),
    [(10**400, 0.5), (Decimal("Infinity"), Decimal("-Infinity")), (1, Decimal("sNaN"))],
)
def test_sum_that_is_no_number_is_refused(start: Any, by: Any) -> None:
    """An increment beyond what numbers can say is an error that names the key, at once."""
    values = stored(n=start)
    with pytest.raises(UnsupportedValue, match=r"session\['n'\]"):
        values.increment("n", by)

    assert not values.modified


# Going on after a save.


def test_saved_changes_are_not_saved_again() -> None:
    """After a save the mapping holds the same values and has nothing to save."""
    values = stored(a=1, b=[1], n=1)
    values["a"] = 2
    values["b"].append(2)
    values["new"] = {"k": 1}
    values.increment("n")
    kept = values["b"]
    after = {k: CODEC.encode(v) for k, v in saved(values, values._base).items()}
    values.rebase(after)

    assert dict(values) == {"a": 2, "b": [1, 2], "n": 2, "new": {"k": 1}}
    assert not values.modified
    assert values["b"] is kept


def test_change_made_while_saving_is_still_to_be_saved() -> None:
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
    assert saved(values, theirs) == dict(values)


def test_strayed_names_what_was_changed_after_the_delta() -> None:
    """A change in place after the last delta is told by its key, and a saved one is not."""
    values = stored(a=[1], b=[1])
    values["a"].append(2)
    values.delta()
    assert values.strayed() == []
    values["b"].append(2)

    assert values.strayed() == ["b"]


def test_everything_strays_from_a_delta_that_was_never_taken() -> None:
    """Without a delta whatever was changed in place is still unsaved."""
    values = stored(a=[1], b=[1])
    values["a"].append(2)

    assert values.strayed() == ["a"]


@pytest.mark.parametrize(
    ("held", "theirs"), [([1], [1, 2]), ({"a": 1}, {"a": 1, "b": 2}), ({1}, {1, 2})]
)
def test_object_that_was_handed_out_follows_a_rival(held: Any, theirs: Any) -> None:
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
