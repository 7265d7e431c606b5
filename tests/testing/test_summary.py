"""The summary at the end of a run."""

from types import SimpleNamespace

import pytest

import summary


def report(nodeid, duration=1.0):
    return SimpleNamespace(nodeid=nodeid, duration=duration)


def test_tests_are_counted_by_folder():
    """A folder's row has its outcomes and its seconds, those of setup and teardown among them."""
    counts, seconds = summary.count(
        {
            "passed": [report("tests/core/test_a.py::test_b[x::y]"), report("tests/test_c.py::d")],
            "failed": [report("tests/core/test_a.py::test_c")],
            "": [report("tests/core/test_a.py::test_c", 0.5)],
            "warnings": [SimpleNamespace(message="not a test")],
        }
    )

    assert counts == {"core": {"passed": 1, "failed": 1}, "project": {"passed": 1}}
    assert seconds == {"core": 2.5, "project": 1.0}


@pytest.mark.parametrize(("outcome", "said"), [("passed", True), ("skipped", False)])
def test_skipped_tests_are_not_hidden(outcome, *, said):
    """That none was skipped is said where it is true."""
    lines = list(summary.table(*summary.count({outcome: [report("tests/core/test_a.py::b")]})))

    assert ("none skipped" in lines) is said
