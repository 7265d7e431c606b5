"""The soak finds what grows, and nothing where nothing does; ``make soak`` goes on for longer.

Nothing here depends on the speed of the machine: a crowd that is held up takes longer.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.programs import find_program

ROOT = Path(__file__).parent.parent.parent
CROWD = ("--seconds", "8", "--visitors", "4000", "--sessions", "600")
HOUR = 3_600.0


@pytest.fixture
def figures(monkeypatch):
    """The module that judges, as the soak imports it."""
    monkeypatch.syspath_prepend(ROOT)
    from soak import figures

    return figures


def soak(*words):
    """Run a soak in a process of its own; return its code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "soak", *CROWD, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_nothing_grows_with_a_crowd():
    """Visitors and sessions come and go, and the workers stay as they are."""
    find_program("redis-server", "redis", "apt-get install redis-server")
    code, said = soak("--store", "redis")

    assert code == 0, said
    assert "4,000 looked and went, 600 sessions begun" in said
    assert "flat: rss MB, blocks, threads, files, connections" in said


@pytest.mark.parametrize(("broken", "grows"), [("leak", "blocks"), ("files", "files")])
def test_planted_leak_is_found(broken, grows):
    """An application that keeps every session, or leaves files open, is told."""
    code, said = soak("--store", "memory", "--break", broken)

    assert code == 1, said
    told = rf"^memory: {grows} grew from [\d,.]+ to [\d,.]+; allowed is"
    assert re.search(told, said, re.MULTILINE), said


def run_of(seconds, **growth):
    """Return the samples of a run of so long, in which figures grow with its share that is over."""
    return [
        {"second": share * seconds}
        | {name: 1_000 * (1 + share * by) for name, by in growth.items()}
        for share in (n / 100 for n in range(101))
    ]


def test_what_was_warming_up_is_no_growth(figures):
    """What grows in the first quarter alone is a cache that fills."""
    samples = run_of(HOUR, connections=0)
    for sample in samples[:25]:
        sample["connections"] = sample["second"]

    assert list(figures.grown(samples)) == []


@pytest.mark.parametrize("name", ["connections", "files", "threads", "rss MB", "keys"])
def test_each_figure_is_judged(figures, name):
    """What grows by half through an hour is told by its name, and nothing else is."""
    samples = run_of(HOUR, **{one: 0.5 if one == name else 0 for one in figures.ALLOWANCES})

    (said,) = figures.grown(samples)
    assert said.startswith(f"{name} grew from ")


def test_store_of_a_short_run_is_not_judged(figures):
    """Rows stay for minutes after the end of their sessions, so at first there are ever more."""
    samples = run_of(60.0, **dict.fromkeys(figures.ALLOWANCES, 0.0) | {"keys": 5.0})

    assert list(figures.grown(samples)) == []
    assert "keys" not in figures.judged(samples)
