"""How hard hypothesis tries."""

import pytest

from sessile.testing import effort as module
from sessile.testing.effort import effort


def test_quick_run_is_the_same_each_time(monkeypatch):
    """The quick profile has few examples, always the same ones."""
    monkeypatch.setattr(module, "DEEP", False)
    chosen = effort(7, 700, steps=5)

    assert (chosen.max_examples, chosen.stateful_step_count) == (7, 5)
    assert chosen.derandomize


def test_deep_run_searches(monkeypatch):
    """The deep profile has many and longer examples, new ones each time."""
    monkeypatch.setattr(module, "DEEP", True)
    chosen = effort(7, 700, steps=5)

    assert (chosen.max_examples, chosen.stateful_step_count) == (700, 15)
    assert not chosen.derandomize


def test_smoke_run_is_a_twentieth_of_the_quick_one(monkeypatch):
    """The smoke profile has a twentieth of the quick examples, the same ones each time."""
    monkeypatch.setattr(module, "SMOKE", True)

    assert [effort(n, n).max_examples for n in (10_000, 200, 100)] == [500, 20, 20]
    assert effort(10_000, 10_000).derandomize


@pytest.mark.parametrize("deep", [True, False])
def test_slow_machine_is_no_failure(monkeypatch, *, deep):
    """No example fails for taking long, and nothing is kept between runs."""
    monkeypatch.setattr(module, "DEEP", deep)

    assert effort(1, 1).deadline is None
    assert effort(1, 1).database is None
