"""Write the tables of the documentation from the code: ``make docs``. ``--check`` only compares.

A table stands in a page between ``<!-- table: name -->`` and ``<!-- end -->``.
"""

import ast
import inspect
import re
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

from bounds import BOUNDS
from remedies import REMEDIES

from sessile import errors
from sessile.core.identity import Intent
from sessile.core.info import SessionInfo
from sessile.core.verdict import CANNOT_BE, VERDICTS, Kin, Successor
from sessile.service.commit import ACTS
from sessile.service.events import Event
from sessile.service.transaction import Standing
from sessile.sinks.kinds import KINDS, reason_type
from sessile.stores.contract import Capability, Store
from sessile.stores.open import GROUP
from sessile.web.refusal import REFUSED, refusal

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MARK = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

MEANING = {
    Capability.OWNERS: "finds a user's sessions; limits hold under race",
    Capability.SCAN: "lists and counts all sessions",
    Capability.NATIVE_EXPIRY: "its server removes what is expired",
    Capability.SHARED: "several processes see the same sessions",
    Capability.NETWORK: "reached over a network: secrets must be given",
    Capability.DURABLE: "sessions survive a restart of the store itself (Redis, Valkey: "
    "[as they are set up](durability.md))",
    Capability.COPIES: "requests may be served from copies in the process: a near cache",
    Capability.FEED: "tells of every commit and every end",
}

TYPES = {
    "Key": "`str`",
    "Instant": "`float`, seconds since 1970",
    "dict[str, Instant]": "`dict[str, float]`, seconds since 1970",
    "Trail": "`tuple` of [lines](#what-was-done-and-from-where)",
}
"""What stands for a name of ours that says a unit."""


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def verdicts() -> str:
    """Return the verdict table, rows with one outcome folded."""
    rows = []
    for kin in Kin:
        asked = [seen for seen in Successor if (kin, seen) not in CANNOT_BE]
        outcomes = {seen: VERDICTS[kin, seen].value for seen in asked}
        unseen, *seen = outcomes.values()
        if len({unseen, *seen}) == 1:
            rows.append([kin.value, "any", unseen])
        elif len(set(seen)) == 1:
            rows += [[kin.value, "not seen", unseen], [kin.value, "seen", seen[0]]]
        else:
            rows += [[kin.value, seen.value, said] for seen, said in outcomes.items()]
    return table(["presented", "its own successor", "verdict"], rows)


def acts() -> str:
    """Return the table of acts, rows with one outcome folded; intents of one fate share a row."""
    fates: dict[tuple[str, ...], list[str]] = {}
    for intent in Intent:
        outcomes = tuple(ACTS[standing, intent].value for standing in Standing)
        fates.setdefault(outcomes, []).append(intent.value)
    rows = []
    for outcomes, intents in fates.items():
        if len(set(outcomes)) == 1:
            rows.append(["any", ", ".join(intents), outcomes[0]])
        else:
            standings = zip(Standing, outcomes, strict=True)
            rows += [[standing.value, ", ".join(intents), said] for standing, said in standings]
    return table(["the request has", "the application asked for", "the commit"], rows)


def stores() -> dict[str, type[Store]]:
    """Return our stores by the schemes of their URLs, as the package's entry points name them."""
    schemes: dict[type[Store], list[str]] = {}
    for point in sorted(entry_points(group=GROUP)):
        if point.module.startswith("sessile."):
            found = schemes.setdefault(point.load(), [])
            found += [] if point.name in found else [point.name]
    return {" ".join(f"`{name}://`" for name in names): kind for kind, names in schemes.items()}


def capabilities() -> str:
    """Return the table of what stores can do, as they declare it; what none can is left out."""
    ours = stores()
    marks = {
        MEANING[flag]: ["yes" if flag in store.capabilities else "" for store in ours.values()]
        for flag in Capability
    }
    rows = [[said, *row] for said, row in marks.items() if any(row)]
    return table(["", *ours], rows)


def events() -> str:
    """Return the table of events: their meaning, as their docstrings say it, and their fields."""
    rows = []
    for kind in KINDS:
        said = (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ").replace("``", "`")
        own = [field for field in kind.__struct_fields__ if field not in Event.__struct_fields__]
        rows.append([f"`{kind.__name__}`", said, " ".join(f"`{field}`" for field in own)])
    return table(["event", "what happened", "its own fields"], rows)


def reasons() -> str:
    """Return the table of reasons, of the events that have one."""
    rows = [
        [f"`{kind.__name__}`", f"`{reason.name}`", str(reason.value)]
        for kind in KINDS
        for reason in reason_type(kind) or ()
    ]
    return table(["event", "reason", "meaning"], rows)


def session_info() -> str:
    """Return the table of what a ``SessionInfo`` has: attributes, types with units, meanings."""
    doc = (inspect.getdoc(SessionInfo) or "").partition("Attributes:\n")[2]
    said = dict(entry.split(": ", 1) for entry in _entries(doc))
    tree = ast.parse(inspect.getsource(SessionInfo)).body[0]
    fields = [node for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)]
    types = {ast.unparse(field.target): ast.unparse(field.annotation) for field in fields}
    rows = [
        [f"`{name}`", TYPES.get(kind, f"`{kind}`").replace("|", "\\|"), said[name]]
        for name, kind in types.items()
    ]
    return table(["attribute", "type", "what it is"], rows).replace("``", "`")


def bounds(group: str) -> str:
    """Return a table of bounds, with their numbers as the code has them."""
    rows = [[bound.what, bound.most, bound.beyond] for bound in BOUNDS[group]]
    return table(["", "bound", "beyond"], rows)


def error_tree() -> str:
    """Return the family of errors, as their module draws it."""
    tree = (inspect.getdoc(errors) or "").partition("\n\n")[2].replace("``", "`")
    return f"```text\n{tree}\n```\n"


def error_list() -> str:
    """Return a section for each error: its import, when it comes, its attributes, what to do."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return "\n".join(_error(kind) for kind in kinds)


def _error(kind: type[errors.SessileError]) -> str:
    said, _, rest = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    when = " ".join(said.replace("``", "`").split())
    attributes = [f"    - `{re.sub(': ', '`: ', line, count=1)}" for line in _entries(rest)]
    lines = [
        f"### {kind.__name__}\n",
        f"- `from sessile.errors import {kind.__name__}`",
        f"- When: {when}",
        *(["- It has:", *attributes] if attributes else []),
        *_answer(kind),
        f"- What to do: {REMEDIES[kind]}",
    ]
    return "\n".join([*lines, ""])


def _entries(section: str) -> list[str]:
    """Return the entries of a docstring's section, each in one line."""
    text = re.sub(r"\n {8,}", " ", section.replace("``", "`"))
    return [line.strip() for line in text.splitlines() if line.strip()]


def _answer(kind: type[errors.SessileError]) -> list[str]:
    if not issubclass(kind, REFUSED):
        return []
    made = refusal(kind.__new__(kind))
    return [f"- Without a page of yours: {made.status} {made.reason}"]


TABLES: dict[str, Callable[[], str]] = {
    "verdicts": verdicts,
    "acts": acts,
    "capabilities": capabilities,
    "events": events,
    "reasons": reasons,
    "session-info": session_info,
    "error-tree": error_tree,
    "error-list": error_list,
    **{f"bounds-{group}": partial(bounds, group) for group in BOUNDS},
}


def fill(text: str) -> str:
    """Return a page with its tables as the code has them."""
    return MARK.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], text)


def main() -> int:
    """Write every page that differs, or only name them."""
    stale = [page for page in PAGES if fill(page.read_text()) != page.read_text()]
    for page in stale:
        print(f"{page.relative_to(ROOT)} differs from the code", file=sys.stderr)
        if "--check" not in sys.argv:
            page.write_text(fill(page.read_text()))
    return int(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
