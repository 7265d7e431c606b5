"""What was found, as a table beside Tomcat's figures, and whether all is well."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.tables import print_table

TOMCAT = {
    "throughput over its own floor without sessions, read / write": (
        "0.22 / 0.21, 0.13 / 0.12, 0.19 / 0.17",
        "0.5 / 0.25",
    ),
    "the same, without the balancer": ("", ""),
    "a read over one of `memory://`": ("", "0.9"),
    "stale at once after an acknowledged write": ("45-58 % / 0 / 0", "0 by the freshness hint"),
    "the same, without the hint: at once, after 1, 10, 100 ms": ("", "0 after 10 ms"),
    "sessions wrong somewhere after 5 s of quiet": ("57-66 % / 0 / 0", "0"),
    "two writers of two keys on two hosts: changes lost": ("1-12 % / 5-10 % / 34-99.6 %", "0"),
    "acknowledged writes lost at kill -9 of a host": ("8 % / 0 / 0", "0 in 10,000"),
    "faults that the history checker finds meanwhile": ("", "0"),
    "longest stall of a read, of a write: calm": ("", ""),
    "a host is killed whose node follows": ("0.03 s / 10 s", "0.1 s, 0.5 s"),
    "a host is killed whose node leads": ("the same", "0.1 s, the election"),
    "a host hangs whose node follows": ("5 s", "0.1 s, 0.5 s"),
    "a host hangs whose node leads": ("5 s", "0.1 s, the election"),
    "a host's cable is pulled whose node follows": ("", "0.6 s, 0.6 s; there none old"),
    "a host's cable is pulled whose node leads": ("", "the election; there none old"),
    "two of three killed at once: sessions lost": ("0 (a fifth emptied) / 0 / 33 %", "0"),
    "answers meanwhile": ("", "honest"),
    "a fourth host joins: all answers right after": (
        "4.7 s with a fifth partial / 4.2 s / 3.9 s",
        "3 s, none empty",
    ),
    "a node comes back without its disk: likewise": ("", "none empty"),
    "memory per session of 1 KB per host, by workers": ("2.4-2.7 KB", "2.5 KB"),
    "bytes on the wire per 200-byte write, two peers": ("1,771 / 1,806 / 1,149", "measured"),
}
"""By row, what Tomcat 10.1 does: DeltaManager asynchronous, synchronous, BackupManager; our aim."""


@dataclass(frozen=True)
class Finding:
    """What one row says of one kind of store.

    Attributes:
        row: which.
        text: the figures.
        meets: whether the aim is met; None where there is none.
        faults: what may never be, in sentences; then the run fails.
    """

    row: str
    text: str
    meets: bool | None = None
    faults: Sequence = ()


def show(findings, schemes):
    """Print the table, which aims are missed, and what may never be; return whether all is well.

    Args:
        findings: by scheme.
        schemes: in the order of the columns.
    """
    by_row = {scheme: {one.row: one for one in findings[scheme]} for scheme in schemes}
    rows = [row for row in TOMCAT if any(row in by_row[scheme] for scheme in schemes)]
    head = ["", "Tomcat: Delta asynchronous / synchronous / Backup"]
    head += [*(f"`{scheme}://`" for scheme in schemes), "aim"]
    print_table(
        head,
        [
            [row, tomcat, *(_text(by_row[scheme].get(row)) for scheme in schemes), aim]
            for row in rows
            for tomcat, aim in [TOMCAT[row]]
        ],
    )
    every = [(scheme, one) for scheme in schemes for one in findings[scheme]]
    for scheme, one in every:
        if one.meets is False:
            print(f"aim missed, {scheme}: {one.row}: {one.text} (aim: {TOMCAT[one.row][1]})")
    for scheme, one in every:
        for fault in one.faults[:10]:
            print(f"FAULT, {scheme}: {one.row}: {fault}")
    return not any(one.faults for _, one in every)


def _text(finding):
    if finding is None:
        return ""
    return finding.text + (" **no**" if finding.meets is False else "")
