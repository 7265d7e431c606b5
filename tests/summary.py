"""The end of a run on one screen: tests by folder, and what was skipped.

``--promises`` prints as well which promise was asked of which store: ``sessile.testing.matrix``.
"""

from collections import Counter
from pathlib import PurePath

import pytest

MATRIX = "sessile.testing.matrix"
FAILED = ("failed", "error")
COUNTED = ("passed", *FAILED, "skipped", "xfailed")


def pytest_addoption(parser):
    parser.addoption(
        "--promises", action="store_true", help="print which promise was asked of which store"
    )


def pytest_configure(config):
    if config.getoption("promises"):
        config.pluginmanager.import_plugin(MATRIX)
    else:
        config.pluginmanager.set_blocked(MATRIX)  # the conformance suite would load it by itself


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    counts, seconds = count(terminalreporter.stats)
    if len(counts) > 1:
        terminalreporter.write_line("")
        for line in table(counts, seconds):
            terminalreporter.write_line(line)


def count(stats):
    """Count the reports of a run: {folder: how many of each outcome}, {folder: seconds}."""
    counts, seconds = {}, Counter()
    for outcome, reports in stats.items():
        for report in reports:
            if not hasattr(report, "nodeid") or not hasattr(report, "duration"):
                continue  # a warning
            seconds[folder(report.nodeid)] += report.duration
            if outcome in COUNTED:
                counts.setdefault(folder(report.nodeid), Counter())[outcome] += 1
    return counts, seconds


def folder(nodeid):
    """Name the folder of ``tests`` that a test is in."""
    parts = PurePath(nodeid.partition("::")[0]).parts
    return parts[1] if len(parts) > 2 else "project"  # the docs, the types, the layers


def table(counts, seconds):
    """Give the lines of the summary."""
    line = "{:12}{:>8}{:>8}{:>9}{:>9}".format
    yield line("tests of", "passed", "failed", "skipped", "seconds")
    for name, outcomes in sorted(counts.items()):
        yield line(name, *cells(outcomes), f"{seconds[name]:,.0f}")
    total = sum(counts.values(), Counter())
    yield line("all", *cells(total), f"{seconds.total():,.0f}")
    if not total["skipped"]:
        yield "none skipped"


def cells(outcomes):
    failed = sum(outcomes[outcome] for outcome in FAILED)
    return [f"{n:,}" if n else "-" for n in (outcomes["passed"], failed, outcomes["skipped"])]
