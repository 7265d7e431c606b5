"""Which promise is asked of which store: printed after the tests, embedded in the documentation.

Loaded by ``conformance``. Under pytest-xdist, put ``pytest_plugins = ["sessile.testing.matrix"]``
into the topmost ``conftest.py``, and the workers' tables are printed as well.
"""

import inspect
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from sessile.testing.conformance import Promise, StoreContract

_TITLE: Final = "promises asked of each store"
_SHOWN = pytest.StashKey[dict[str, str]]()


def table(contract: "type[StoreContract]") -> str:
    """Return a Markdown table: a promise a row, a store a column."""
    names = [backend.name for backend in contract.backends]
    rows = [["promise", *names], ["---"] * (1 + len(names))]
    for group, promises in _groups(contract):
        rows.append([f"**{group}**", *[""] * len(names)])
        rows += [
            [_truth(promise), *["-" if b.lacks(promise) else "✓" for b in contract.backends]]
            for promise in promises
        ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def summary(contract: "type[StoreContract]") -> str:
    """Return how many promises of each group each store is asked, and which it is not, and why."""
    lines = [f"{'':14}" + "".join(f"{b.name:>12}" for b in contract.backends)]
    for group, promises in _groups(contract):
        asked = [sum(not b.lacks(p) for p in promises) for b in contract.backends]
        lines.append(f"{group:14}" + "".join(f"{f'{n}/{len(promises)}':>12}" for n in asked))
    return "\n".join([*lines, *_exclusions(contract)])


def include(config: pytest.Config, contract: "type[StoreContract]") -> None:
    """Have a contract's summary printed at the end of the run."""
    plugins = config.pluginmanager
    if not plugins.has_plugin(__name__):
        plugins.register(sys.modules[__name__], __name__)
    shown = config.stash.setdefault(_SHOWN, {})
    name = f"{contract.__module__}.{contract.__qualname__}"
    if name not in shown:
        shown[name] = summary(contract)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand a worker's summaries to the controller."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[__name__] = session.config.stash.get(_SHOWN, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take a worker's summaries."""
    shown = node.config.stash.setdefault(_SHOWN, {})
    shown.update(getattr(node, "workeroutput", {}).get(__name__, {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the summaries."""
    for name, text in terminalreporter.config.stash.get(_SHOWN, {}).items():
        terminalreporter.section(f"{_TITLE} ({name.rpartition('.')[2]})")
        terminalreporter.write_line(text)


def _groups(contract: "type[StoreContract]") -> "Iterator[tuple[str, list[Promise]]]":
    promises: Iterable[Promise] = contract.promises.values()
    for group, members in groupby(promises, lambda promise: promise.__qualname__.split(".")[0]):
        yield group, list(members)


def _exclusions(contract: "type[StoreContract]") -> Iterator[str]:
    for backend in contract.backends:
        reasons = defaultdict(list)
        for name, promise in contract.promises.items():
            reasons[backend.lacks(promise)].append(name.removeprefix("test_"))
        for why in filter(None, reasons):
            line = f"{backend.name} {why}, so it is not asked: {', '.join(reasons[why])}"
            yield textwrap.fill(line, 100, subsequent_indent="    ")


def _truth(promise: "Promise") -> str:
    return (inspect.getdoc(promise) or promise.__name__).partition("\n")[0].replace("|", "\\|")
