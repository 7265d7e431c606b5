"""Increments are intents: what was added is saved, so that parallel ones add up."""

from decimal import Decimal

import pytest

from core.anything import exact
from core.mapping import CODEC, saved, stored
from sessile.core.merge import Delta
from sessile.errors import UnsupportedValue


def test_increment_is_an_intent():
    """An increment is saved as what was added, not as the sum, so that parallel ones add up."""
    values = stored(n=5)
    assert values.increment("n") == 6
    assert values.increment("n", 2) == 8
    assert values.increment("new", -1) == -1

    assert values["n"] == 8
    assert values.delta() == Delta(added={"n": 3, "new": -1})


def test_increment_of_an_own_value_is_part_of_it():
    """What this request set is counted on as a value, not as an intent."""
    values = stored(n=5)
    values["n"] = 1
    values.increment("n")
    assert values.delta() == Delta({"n": CODEC.encode(2)})

    del values["n"]
    values.increment("n")
    assert saved(values, {"n": CODEC.encode(5)}) == {"n": 1}


def test_setting_takes_an_increment_back():
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
def test_increment_takes_every_number(start, by, total):
    """Int, float and Decimal count with each other; the more exact kind wins."""
    assert exact(stored(n=start).increment("n", by)) == exact(total)


@pytest.mark.parametrize(
    ("start", "by"), [("1", 1), (True, 1), ([1], 1), (1, True), (1, "1"), (1, None), (None, 1)]
)
def test_increment_of_no_number_is_refused(start, by):
    """What is no number, a truth value included, is not counted on, and nothing changes."""
    values = stored(n=start)
    with pytest.raises(UnsupportedValue, match=r"session\['n'\]"):
        values.increment("n", by)

    assert not values.modified


def test_increment_of_what_was_set_and_removed_is_an_intent():
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
def test_sum_that_is_no_number_is_refused(start, by):
    """An increment beyond what numbers can say is an error that names the key, at once."""
    values = stored(n=start)
    with pytest.raises(UnsupportedValue, match=r"session\['n'\]"):
        values.increment("n", by)

    assert not values.modified
