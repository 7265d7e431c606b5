"""What two rivals come to: each row of the table in docs/how-it-works.md is run as it stands."""

import re
from pathlib import Path

import pytest

from core.anything import exact
from core.carts import MiniCart
from core.mapping import CODEC
from core.sessions import behind, opened
from sessile.core.merge import merge

PAGE = Path(__file__).parents[2] / "docs" / "how-it-works.md"
CELL = re.compile(r"(?<!\\)\|")
NOTHING = object()


def rows():
    """Return the rows of the table: a name, what was there, two acts, what is there then."""
    found = re.search(r"<!-- rows: merge -->\n(.*?)<!-- end -->", PAGE.read_text(), re.DOTALL)
    for line in found[1].splitlines()[2:]:
        name, *code = (cell.strip() for cell in CELL.split(line)[1:-1])
        yield pytest.param(*(text.strip("`").replace("\\|", "|") for text in code), id=name)


ROWS = list(rows())


def value(code):
    return eval(code) if code else NOTHING


def delta(stored, code):
    """Return what a request did that has read all that is stored."""
    session = opened(**{key: CODEC.decode(blob) for key, blob in stored.items()})
    dict(session)
    exec(code, {"s": session, "Cart": MiniCart})
    return behind(session).values.delta()


def saved(base, now, ours):
    merged = merge(base, now, ours, CODEC)
    return {key: blob for key, blob in now.items() if key not in merged.removed} | merged.set


def state(was):
    return {} if was is NOTHING else {"k": CODEC.encode(was)}


@pytest.mark.parametrize(("was", "earlier", "later", "then"), ROWS)
def test_two_rivals_come_to_what_the_table_says(was, earlier, later, then):
    """Of two requests that were shown the same, the later one is merged as its row says."""
    base = state(value(was))
    now = saved(base, base, delta(base, earlier))
    after = saved(base, now, delta(base, later))

    assert after.keys() <= {"k"}
    left = CODEC.decode(after["k"]) if after else NOTHING
    expected = value(then)
    assert exact_items(left) == exact_items(expected)


def exact_items(left):
    """Return a value to compare exactly, whatever the order of a dict's items."""
    return exact(dict(sorted(left.items())) if isinstance(left, dict) else left)


@pytest.mark.parametrize(("was", "earlier", "later", "then"), ROWS)
def test_form_sent_twice_is_the_form_sent_once(was, earlier, later, then):
    """What was assigned, removed or set as an item is there once, though two requests did it."""
    base = state(value(was))
    for code in (earlier, later):
        ours = delta(base, code)
        once = saved(base, base, ours)
        if re.search(r"append|increment|x = s", code):
            continue
        assert saved(base, once, ours) == once, code


def test_table_has_a_row_for_each_kind():
    """Lists, dicts, sets, counters, bytes, tuples, None, views: none is left out."""
    kinds = [kind for row in ROWS for kind in (row.values[0], row.values[3])]

    assert {type(value(code)) for code in kinds if code} >= {
        list, dict, set, frozenset, int, bytes, tuple, str, type(None),
    }  # fmt: skip
