"""Write the tables of the documentation from the code: ``make docs``. ``--check`` only compares.

A table stands in a page between ``<!-- table: name -->`` and ``<!-- end -->``.
"""

import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path

from sessile.core.change import Capability
from sessile.core.verdict import VERDICTS, Kin, Successor
from sessile.service.events import Event
from sessile.sinks.kinds import KINDS, reason_type
from sessile.stores.memory import MemoryStore
from sessile.stores.redis import RedisStore
from sessile.stores.sqlite import SQLiteStore

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MARK = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

STORES = {
    "`memory://`": MemoryStore,
    "`sqlite:///`": SQLiteStore,
    "`redis://` `rediss://` `unix://`": RedisStore,
}
MEANING = {
    Capability.OWNERS: "finds a user's sessions; limits hold under race",
    Capability.SCAN: "lists every session",
    Capability.NATIVE_EXPIRY: "its server removes what is expired",
    Capability.SHARED: "several processes see the same sessions",
    Capability.NETWORK: "reached over a network: secrets must be given",
    Capability.DURABLE: "sessions survive a restart of the application",
    Capability.STALE_READS: "a read may miss the newest commit",
}


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def verdicts() -> str:
    """Return the verdict table, rows with one outcome folded."""
    rows = []
    for kin in Kin:
        outcomes = {seen: VERDICTS[kin, seen].value for seen in Successor}
        if len(set(outcomes.values())) == 1:
            rows.append([kin.value, "any", outcomes[Successor.UNSEEN]])
        else:
            rows += [[kin.value, seen.value, said] for seen, said in outcomes.items()]
    return table(["presented", "its successor, the current one", "verdict"], rows)


def capabilities() -> str:
    """Return what each store declares it can do."""
    return table(
        ["", *STORES],
        [
            [said, *("yes" if flag in store.capabilities else "" for store in STORES.values())]
            for flag, said in MEANING.items()
        ],
    )


def events() -> str:
    """Return what each event means, in the words of its docstring, and what it holds."""
    rows = []
    for kind in KINDS:
        said = (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ").replace("``", "`")
        own = [field for field in kind.__struct_fields__ if field not in Event.__struct_fields__]
        rows.append([f"`{kind.__name__}`", said, " ".join(f"`{field}`" for field in own)])
    return table(["event", "what happened", "its own fields"], rows)


def reasons() -> str:
    """Return the reasons of the events that have one."""
    rows = [
        [f"`{kind.__name__}`", f"`{reason.name}`", str(reason.value)]
        for kind in KINDS
        for reason in reason_type(kind) or ()
    ]
    return table(["event", "reason", "meaning"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "verdicts": verdicts,
    "capabilities": capabilities,
    "events": events,
    "reasons": reasons,
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
