"""The fuzz targets hold for a fixed number of inputs, and would say so if they did not."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.programs import skip_or_fail

ROOT = Path(__file__).parent.parent
RUNS = 20_000
REACHED = {"cookie": 35, "ticket": 25, "record": 55, "forwarded": 90}
"""Places in the code that each target comes to; blind, it would come to none."""
BROKEN = 77  # the code with which libFuzzer leaves when an input broke something


@pytest.fixture(autouse=True)
def atheris():
    """What guides the inputs."""
    if importlib.util.find_spec("atheris") is None:
        skip_or_fail("atheris", "atheris is not installed; install it: pip install --group test")


def fuzz(target, keep, source=None, *, runs=RUNS, seed=1):
    """Run one target in a process of its own; return its code and what it said."""
    command = [sys.executable, "-W", "error", "-m", "fuzz", target, "--keep", str(keep)]
    path = os.environ.get("PYTHONPATH", "") if source is None else str(source)
    done = subprocess.run(
        [*command, "--runs", str(runs), "--seed", str(seed)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_every_target_runs_here():
    """No target is forgotten."""
    assert {file.stem for file in (ROOT / "fuzz").glob("[a-z]*.py")} == set(REACHED)


@pytest.mark.parametrize("target", REACHED)
def test_target_holds(target, tmp_path):
    """Twenty thousand inputs, led by the code they reach, break nothing."""
    code, said = fuzz(target, tmp_path)

    assert code == 0, said
    covered = re.search(rf"^#{RUNS}\s+DONE\s+cov: (\d+)", said, re.MULTILINE)
    assert covered, said
    assert int(covered[1]) >= REACHED[target]
    assert re.search(r"^#\d+\s+NEW ", said, re.MULTILINE), "no input led to another"


PLANTED = [
    # target, file, what stands there, what a careless hand made of it
    ("cookie", "core/cookie.py", r"(?:^|;)[ \t]*{", r"(?:^|;|,)[ \t]*{"),
    ("ticket", "core/ticket.py", "if selector[0] >> 2 == _DASH:", "if False:"),
    ("record", "codecs/sealing.py", "_encode(record)", "_encode(evolve(record, assurance=0))"),
    ("forwarded", "core/proxies.py", "len(nodes) != 1", "not nodes"),
]


@pytest.mark.parametrize(("target", "file", "good", "bad"), PLANTED, ids=[t for t, *_ in PLANTED])
def test_planted_bug_is_found(target, file, good, bad, tmp_path):
    """Each target says so when its promise is broken in the code it tests."""
    plant(tmp_path, file, good, bad)
    code, said = fuzz(target, tmp_path, source=tmp_path, runs=10 * RUNS)

    assert code == BROKEN, said
    assert f"fuzz/{target}.py" in said
    assert list(tmp_path.glob("crash-*"))


def test_two_bytes_that_upset_the_reader_are_found(tmp_path):
    """Guidance finds one, keeps it, and finds the other; seed 4 is quick, none takes a million."""
    door = "        if self.full_name not in header:"
    trap = (
        '        if header[:1] == "z":\n            if header[1:2] == "9":\n'
        "                raise KeyError(header)\n"
    )
    plant(tmp_path, "core/cookie.py", door, trap + door)
    code, said = fuzz("cookie", tmp_path, source=tmp_path, runs=1_000_000, seed=4)

    assert code == BROKEN, said
    assert "KeyError: z9" in said.replace("'", "")


def plant(folder, file, good, bad):
    """Copy the library and change one place in the copy."""
    shutil.copytree(ROOT / "src/sessile", folder / "sessile")
    place = folder / "sessile" / file
    text = place.read_text()
    assert text.count(good) == 1, f"{file} has moved on; plant another bug"
    place.write_text(text.replace(good, bad))
