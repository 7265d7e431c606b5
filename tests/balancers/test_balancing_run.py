"""What ties clients to servers, tried for a short while; ``make balancing`` does more.

Nothing here depends on the speed of the machine: how long anything took is told and not judged.
"""

import re
import subprocess
import sys
from pathlib import Path

from harness.programs import find_program

ROOT = Path(__file__).parent.parent.parent
SMALL = (
    "strategies",
    "--clients=200",
    "--seconds=8",
    "--pause=0.2",
    "--strategies=cookie",
    "--balancers=haproxy,embedded",
)


def test_killed_server_loses_no_session():
    """Each client finds its own counter, on another server, and the tables have all of them."""
    find_program("haproxy", "haproxy", "apt-get install haproxy")
    find_program("redis-server", "redis", "apt-get install redis-server")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.balancing", *SMALL],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr

    assert done.returncode == 0, said
    rows = re.findall(r"^\| (cookie, \w+) \| (\d+) \|", done.stdout, re.MULTILINE)
    assert rows == [
        *[("cookie, haproxy", "200"), ("cookie, embedded", "200")],
        *[("cookie, haproxy", "0"), ("cookie, embedded", "0")],
    ], said
