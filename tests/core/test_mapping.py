"""A session's mapping notices every change, however deep, and nothing that is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.anything import TEXT, VALUES, exact
from core.mapping import CODEC, saved, stored
from core.sessions import behind, opened
from sessile.core.mapping import Values
from sessile.core.merge import Delta
from sessile.errors import UnsupportedValue
from sessile.testing.effort import effort

MUTATIONS = {
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
PATHS = {
    "itself": (lambda v: v, lambda v: v),
    "in a list": (lambda v: [0, v], lambda v: v[1]),
    "in a tuple": (lambda v: (0, v), lambda v: v[1]),
    "in a dict": (lambda v: {"k": v}, lambda v: v["k"]),
    "deep": (lambda v: {"k": [(v,)]}, lambda v: v["k"][0][0]),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_nested_change_is_noticed(mutation, path):
    """Every method that changes a list, dict or set in place is seen, at any depth."""
    value, change = MUTATIONS[mutation]
    wrap, unwrap = PATHS[path]
    values = stored(key=wrap(value), other=[1])
    change(unwrap(values["key"]))

    assert values.modified
    assert values.delta().set == {"key": CODEC.encode(values["key"])}
    assert not values.delta().removed


@effort(200, 5_000)
@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_looking_changes_nothing(plain):
    """However values are read and walked through, there is nothing to save."""
    session = opened(**{f"k{key}": value for key, value in plain.items()})
    for key in session:
        assert key in session
        assert session.get(key) is session[key]
    assert [exact(v) for v in session.values()] == [exact(v) for v in plain.values()]
    assert len(list(session.items())) == len(session) == len(plain)

    assert behind(session).accessed
    assert not session.modified
    assert behind(session).values.delta() == Delta()


def test_untouched_mapping_was_not_accessed():
    """As long as nobody looks the session was not used, so the answer can be cached."""
    state = behind(opened(a=1))
    assert not state.accessed
    state.values.delta()
    assert not state.accessed


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
def test_any_use_is_an_access(look):
    """Whatever is asked of the mapping, the answer depends on the session."""
    session = opened()
    look(session)

    assert behind(session).accessed


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


def act(target, name, *args):
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
def test_mapping_equals_a_dict(start, acts):
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


def test_update_in_place_is_the_same_mapping():
    """``|=`` leaves a session a session."""
    values = alias = stored()
    alias |= {"a": 1}

    assert alias is values
    assert dict(values) == {"a": 1}


def test_value_removed_and_set_again_is_a_change():
    """What was removed and set anew stands against a rival's change, though it is what it was."""
    for remove in (lambda v: v.pop("a"), lambda v: v.clear()):
        values = stored(a=1)
        remove(values)
        values["a"] = 1
        assert values.delta() == Delta({"a": CODEC.encode(1)})


def test_setting_the_same_value_is_no_change():
    """A value that is set to what it was needs no saving."""
    values = stored(a=[1], b="x")
    values["a"], values["b"] = [1], "x"

    assert not values.modified


@pytest.mark.parametrize(("old", "new"), [(1, True), (1, 1.0), (0.0, -0.0), ([1], (1,))])
def test_change_of_type_is_a_change(old, new):
    """Values that Python calls equal but that are different are a change."""
    values = stored(a=old)
    values["a"] = new

    assert values.delta() == Delta({"a": CODEC.encode(new)})


def test_value_set_back_is_no_change():
    """A nested change that was undone leaves nothing to save."""
    values = stored(a=[1])
    values["a"].append(2)
    values["a"].pop()

    assert not values.modified


def test_own_object_is_followed():
    """An object that was put in is the one in the session: what happens to it later counts."""
    values, cart = stored(), ["hat"]
    values["cart"] = cart
    cart.append("sock")

    assert values["cart"] is cart
    assert saved(values, {}) == {"cart": ["hat", "sock"]}


@pytest.mark.parametrize("key", [1, None, b"a", ("a",), "a\ud800"])
def test_strange_key_is_refused_when_it_is_set(key):
    """A key that is no text, or that no store could write, is an error at once; nothing is set."""
    values = stored()
    for setting in (values.__setitem__, values.setdefault, lambda k, v: values.update({k: v})):
        with pytest.raises(UnsupportedValue):
            setting(key, 1)
    with pytest.raises(UnsupportedValue):
        values.increment(key)

    assert dict(values) == {}
    assert not values.modified


def test_unsupported_value_names_its_key_when_it_is_set():
    """A value that cannot be kept is refused at once, by the key; the old value stays."""
    values = stored(a=1)
    with pytest.raises(UnsupportedValue, match=r"session\['a'\]: object cannot be kept") as error:
        values["a"] = object()

    assert error.value.key == "a"
    assert values["a"] == 1


def test_unsupported_value_put_in_later_names_its_key():
    """A nested change to what cannot be kept is refused when the delta is taken."""
    values = stored(a=[])
    values["a"].append(object())
    with pytest.raises(UnsupportedValue, match=r"session\['a'\]"):
        values.delta()


@pytest.mark.parametrize("blob", [b"", b"\xc1", b"\x92\x01", b"\xc7\x02\x09no"])
def test_unreadable_value_counts_as_absent(blob):
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


def test_missing_key_is_a_key_error():
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
